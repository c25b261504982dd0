"""Small classes of typed fields: what a dataclass or a msgspec Struct is, for what is imported with every compilation.

    class Point(Struct, frozen=True):
        x: int
        y: int = 0

`msgspec` takes 17 ms to import, most of it for what no compiler needs, and a dataclass takes 0.5 ms each; the front end
has a hundred classes, and a program should be attached within 80 ms (docs/decisions/0002-direct-start.md). A
class has a constructor of its own only when a few of its objects have been made: most classes see fewer.

Fields are positional or by keyword, in the order of the class. Objects compare by type and fields (eq=False: by
identity), frozen ones hash so too. They can be pickled.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    S = TypeVar("S", bound="Struct")
    T = TypeVar("T")
else:

    def dataclass_transform(**options):
        return lambda made: made


_COMPILED_AFTER = 16
_MISSING = object()


class _Factory:
    __slots__ = ("make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], T]) -> T:
    """A default that is made anew for each object."""
    return _Factory(default_factory)  # type: ignore[return-value]  # what the class body says is the field's type


def _construct(self: Struct, /, *values: object, **named: object) -> None:
    """The constructor that all classes begin with."""
    kind = type(self)
    kind.__struct_count__ += 1
    if kind.__struct_count__ == _COMPILED_AFTER:
        _compile_constructor(kind)
    fields = kind.__struct_fields__
    if len(values) > len(fields):
        raise TypeError(f"{kind.__name__} takes {len(fields)} values, not {len(values)}")
    keep = object.__setattr__
    for name, value in zip(fields, values, strict=False):
        keep(self, name, value)
    for name in fields[len(values) :]:
        keep(self, name, named.pop(name) if name in named else _made_default(kind, name))
    if named:
        raise TypeError(f"{kind.__name__} has no field {next(iter(named))}, or it was given twice")
    self.__post_init__()


def _made_default(kind: type[Struct], name: str) -> object:
    default = kind.__struct_defaults__.get(name, _MISSING)
    if default is _MISSING:
        raise TypeError(f"{kind.__name__} needs a value for {name}")
    return default.make() if type(default) is _Factory else default


def _refuse(self: Struct, name: str, value: object) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} can't be set: it is frozen")


def _hash(self: Struct) -> int:
    return hash((type(self), type(self).__struct_values__(self)))


def _values_of(fields: tuple[str, ...]) -> Callable[[Any], tuple[object, ...]]:
    match fields:
        case ():
            return lambda value: ()
        case (name,):
            get = attrgetter(name)
            return lambda value: (get(value),)
    return attrgetter(*fields)


def _compile_constructor(kind: type[Struct]) -> None:
    """An __init__ of the class's own, as a person would write it: five times as fast as the one for all."""
    fields = kind.__struct_fields__
    defaults = kind.__struct_defaults__
    scope: dict[str, Any] = {"struct__missing": _MISSING, "struct__made_default": _made_default, "struct__kind": kind}
    parameters, body = ["self"], []
    for name in fields:
        scope[f"struct__set_{name}"] = getattr(kind, name).__set__
        if type(defaults.get(name)) is _Factory:
            parameters.append(f"{name}=struct__missing")
            body.append(f" if {name} is struct__missing: {name} = struct__made_default(struct__kind, {name!r})")
        elif name in defaults:
            scope[f"struct__default_{name}"] = defaults[name]
            parameters.append(f"{name}=struct__default_{name}")
        elif any("=" in item for item in parameters):
            parameters.append(f"{name}=struct__missing")
            body.append(f" if {name} is struct__missing: struct__made_default(struct__kind, {name!r})")
        else:
            parameters.append(name)
        body.append(f" struct__set_{name}(self, {name})")
    if kind.__post_init__ is not Struct.__post_init__:
        body.append(" self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(body or [" pass"]), scope)
    kind.__init__ = scope["__init__"]  # type: ignore[method-assign]  # the same, faster


@dataclass_transform(field_specifiers=(field,))
class StructMeta(type):
    """Turns annotated names into slots."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, frozen: bool = False, eq: bool = True
    ) -> StructMeta:
        own = tuple(namespace.get("__annotations__", ()))
        inherited: tuple[str, ...] = ()
        defaults: dict[str, object] = {}
        for base in reversed(bases):
            inherited += getattr(base, "__struct_fields__", ())
            defaults |= getattr(base, "__struct_defaults__", {})
            frozen = frozen or getattr(base, "__struct_frozen__", False)
        for item in own:
            default = namespace.pop(item, _MISSING)
            if default is not _MISSING:
                defaults[item] = default
        fields = inherited + own
        namespace |= {
            "__init__": _construct,
            "__slots__": own,
            "__match_args__": fields,
            "__struct_fields__": fields,
            "__struct_defaults__": defaults,
            "__struct_frozen__": frozen,
            "__struct_count__": 0,
        }
        if frozen:
            namespace["__setattr__"] = _refuse
        if not eq:
            namespace |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
        elif "__eq__" not in namespace and "__hash__" not in namespace:
            namespace["__hash__"] = _hash if frozen else None
        made = super().__new__(mcs, name, bases, namespace)
        made.__struct_values__ = _values_of(fields)  # type: ignore[attr-defined]  # see Struct
        return made


class Struct(metaclass=StructMeta):  # noqa: PLW1641 - the metaclass gives the frozen ones their hash
    """The base of all of them. A method __post_init__ is called last of all."""

    if TYPE_CHECKING:
        __struct_fields__: ClassVar[tuple[str, ...]]
        __struct_defaults__: ClassVar[dict[str, object]]
        __struct_count__: ClassVar[int]
        __struct_values__: ClassVar[Callable[[Any], tuple[object, ...]]]

    def __post_init__(self) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = type(self).__struct_values__
        return values(self) == values(other)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), type(self).__struct_values__(self)


def replace(value: S, /, **changes: object) -> S:
    """The same with other values in some fields."""
    kind = type(value)
    unknown = changes.keys() - set(kind.__struct_fields__)
    if unknown:
        raise TypeError(f"{kind.__name__} has no field {sorted(unknown)[0]}")
    return kind(*[changes[name] if name in changes else getattr(value, name) for name in kind.__struct_fields__])
