"""Types by their written names, and the layouts of structs: the program's own C definitions first, then the kernel's.

In: nodes.TypeName and the program's struct, union, enum and typedef definitions. Out: Types and facts.Layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracelang import nodes
from tracelang.c_layout import lay_out
from tracelang.facts import Facts, Layout
from tracelang.types import (
    BOOL,
    S8,
    U64,
    VOID,
    AddressSpace,
    ArrayType,
    BufferType,
    EnumType,
    FloatType,
    InetType,
    IntType,
    MacType,
    PointerType,
    StringType,
    StructType,
    TaggedType,
    TagKind,
    TimestampType,
    TupleType,
    Type,
    UsymType,
)

_FIXED: dict[str, Type] = {
    **{f"{prefix}int{bits}{suffix}": IntType(bits, not prefix) for prefix in ("", "u") for bits in (8, 16, 32, 64)
       for suffix in ("", "_t")},
    **{f"{prefix}{sign}{bits}": IntType(bits, sign == "s") for prefix in ("", "__") for sign in "us"
       for bits in (8, 16, 32, 64)},
    "size_t": U64,
    "ssize_t": IntType(64, signed=True),
    "uintptr_t": U64,
    "bool": BOOL,
    "_Bool": BOOL,
    "void": VOID,
    "float": FloatType(32, signed=False),
    "double": FloatType(64, signed=False),
    "string": StringType(0),
    "buffer": BufferType(0),
    "inet": InetType(),
    "usym_t": UsymType(),
    "ksym_t": TaggedType(TagKind.KSYM),
    "username": TaggedType(TagKind.USERNAME),
    "macaddr_t": MacType(),
    "mac_address": MacType(),
    "cgroup_path_t": TaggedType(TagKind.CGROUP_PATH),
    "timestamp": TimestampType("boot"),
}  # fmt: skip
_WORDS = frozenset({"unsigned", "signed", "long", "short", "char", "int"})
AGGREGATE_NAMES = frozenset(
    f"{prefix}{kind}_t"
    for prefix in ("", "u")
    for kind in ("count", "sum", "min", "max", "avg", "stats", "hist", "lhist", "tseries")
)


def base_type(name: str) -> Type | None:
    """A type of the language or of C that needs no definition."""
    if name in _FIXED:
        return _FIXED[name]
    words = name.split()
    if not words or not _WORDS.issuperset(words):
        return None
    bits = 8 if "char" in words else 16 if "short" in words else 64 if "long" in words else 32
    return IntType(bits, "unsigned" not in words)


class TypeNames:
    """Answers by name; `unknown` is told about names that stand for nothing."""

    def __init__(self, definitions: Iterable[nodes.CDefinition], facts: Facts) -> None:
        self._facts = facts
        self._layouts: dict[str, Layout] = {}
        self._typedefs: dict[str, Type] = {}
        self._enums: dict[str, EnumType] = {}
        self._constants: dict[str, tuple[int, EnumType]] = {}
        self._unknown: list[tuple[nodes.Node, str]] = []
        for definition in definitions:
            self._define(definition)

    @property
    def unknown(self) -> tuple[tuple[nodes.Node, str], ...]:
        """Type names in the program's own definitions that nobody knows."""
        return tuple(self._unknown)

    # --- definitions

    def _define(self, definition: nodes.CDefinition) -> None:
        match definition:
            case nodes.CStruct():
                self._define_struct(definition)
            case nodes.CEnum():
                self._define_enum(definition)
            case nodes.CTypedef(name=name, type=type_, inline=inline):
                target = self._inline(inline, name) if inline else None
                self._typedefs[name] = self._wrap(target, type_) if target else self._member_type(type_)
            case _:
                pass

    def _inline(self, inline: nodes.CStruct | nodes.CEnum, hint: str) -> Type:
        if isinstance(inline, nodes.CEnum):
            return self._define_enum(inline)
        return self._define_struct(inline, hint)

    def _define_struct(self, definition: nodes.CStruct, hint: str = "") -> StructType:
        tag = definition.name or f"__anonymous_{hint}_{definition.span.start}"
        name = f"{definition.kind} {tag}"
        # A struct may point to itself: its name has to be known before its fields.
        self._layouts[name] = Layout(name, 0, {})
        fields = []
        for item in definition.fields:
            type_ = (
                self._wrap(self._inline(item.inline, f"{tag}_{item.name}"), item.type)
                if item.inline
                else self._member_type(item.type)
            )
            fields.append((item.name, type_, item.bits))
        union = definition.kind == "union"
        layout = lay_out(name, fields, union=union, packed=definition.packed, layout_of=self.layout)
        self._layouts[name] = layout
        return StructType(name, layout.size)

    def _define_enum(self, definition: nodes.CEnum) -> EnumType:
        variants = tuple((value, name) for name, value in definition.variants)
        signed = any(value < 0 for value, _ in variants)
        bits = 32 if all(-(1 << 31) <= value < 1 << 32 for value, _ in variants) else 64
        enum = EnumType(f"enum {definition.name}".rstrip(), bits, signed, variants)
        self._enums[enum.name] = enum
        for value, name in variants:
            self._constants[name] = (value, enum)
        return enum

    def _member_type(self, type_: nodes.TypeName) -> Type:
        resolved = self.resolve(type_)
        if resolved is None:
            self._unknown.append((type_, type_.name))
            return IntType(32, signed=True)
        return resolved

    # --- questions

    def resolve(self, written: nodes.TypeName, typeof: Callable[[nodes.Expression], Type] | None = None) -> Type | None:
        """The type of that name; None: nobody knows it."""
        base: Type | None
        if written.of is not None:
            base = typeof(written.of) if typeof else None
        elif written.elements:
            elements = tuple(self.resolve(element, typeof) for element in written.elements)
            known = tuple(element for element in elements if element is not None)
            base = TupleType(known) if len(known) == len(elements) else None
        else:
            base = self.named(written.name)
        if base is None and written.pointers and written.of is None and written.name.startswith(("struct ", "union ")):
            return None
        if base is None:
            return None
        if written.parameter is not None:
            base = _sized(base, written.parameter)
        return self._wrap(base, written)

    def _wrap(self, base: Type, written: nodes.TypeName) -> Type:
        for _ in range(written.pointers):
            base = PointerType(base, AddressSpace.NONE)
        for count in reversed(written.dimensions):
            text = written.name == "char" and not written.pointers and base == S8
            if count is not None and (text or (isinstance(base, StringType) and not base.size)):
                base = StringType(count)  # a char array is text; string[16]
            elif isinstance(base, BufferType | InetType) and count is not None:
                base = _sized(base, count)
            else:
                base = ArrayType(base, count or 0)
        return base

    def named(self, name: str) -> Type | None:
        """A base type, a definition of the program, or a type of the kernel."""
        found = base_type(name) or self._typedefs.get(name) or self._enums.get(name)
        if found is not None:
            return found
        for tag in (name, f"struct {name}", f"union {name}", f"enum {name}"):
            if tag in self._layouts:
                return StructType(tag, self._layouts[tag].size)
            if tag in self._enums:
                return self._enums[tag]
        known = self._facts.type_named(name)
        if known is not None or " " in name:
            return known
        return self._facts.type_named(f"struct {name}")

    def layout(self, name: str) -> Layout | None:
        """The members of a struct or union."""
        return self._layouts.get(name) or self._facts.struct(name)

    def own_layout(self, name: str) -> Layout | None:
        """Of a struct that the program defines."""
        return self._layouts.get(name)

    def add_layout(self, layout: Layout) -> None:
        """A struct that comes with a probe."""
        self._layouts.setdefault(layout.name, layout)

    def constant(self, name: str) -> tuple[int, EnumType] | None:
        """The value of an enum's constant."""
        return self._constants.get(name) or self._facts.enum_value(name)

    def names(self) -> list[str]:
        """All structs, for did-you-mean."""
        return [*self._layouts, *self._typedefs, *self._facts.struct_names()]

    def own_constants(self) -> list[str]:
        return list(self._constants)


def _sized(base: Type, size: int) -> Type:
    match base:
        case StringType():
            return StringType(size)
        case BufferType():
            return BufferType(size)
    return base
