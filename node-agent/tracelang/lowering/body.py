"""The code that is being lowered: one probe for places that share a layout, or one subprogram."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tracelang import ir, nodes
from tracelang.diagnostics import Note
from tracelang.facts import Facts, Location
from tracelang.lowering.analysis import Analysis
from tracelang.providers.base import ArgumentField, Option, Provider
from tracelang.source import Span
from tracelang.structs import Struct, field
from tracelang.suggest import did_you_mean
from tracelang.symbols import Scope, VariableSymbol
from tracelang.type_rules import UNRESOLVED, harden
from tracelang.types import NONE, AddressSpace, Type


class Place(Struct, frozen=True):
    """Where a probe is attached: `id` is the index of its name in `probe_names`."""

    provider: Provider
    location: Location
    options: dict[str, Option]
    id: int


def missing(span: Span) -> ir.Expr:
    """What stands for an expression that was in error or isn't known yet."""
    return ir.Constant(span, UNRESOLVED, 0)


def effect(span: Span, *statements: ir.Stmt) -> ir.Expr:
    """An expression that is there for what it does."""
    return ir.Sequence(span, NONE, statements, None)


class Body(Struct):
    """`key` tells the lowering of one variant of a probe from all others: variables are kept by it from round to round.

    accessed: the fields of `args` that were read, by name: places that have the same ones can share the program.
    """

    analysis: Analysis
    key: object
    places: tuple[Place, ...]
    lower: Callable[[Body, nodes.Expression], ir.Expr]
    lower_block: Callable[[Body, nodes.Block], tuple[ir.Stmt, ...]]
    scopes: list[Scope] = field(default_factory=list)
    locals: list[ir.LocalVariable] = field(default_factory=list)
    local_spaces: dict[int, AddressSpace] = field(default_factory=dict)  # of copies, by slot
    closed: dict[str, tuple[Scope, VariableSymbol]] = field(default_factory=dict)
    reopened: set[int] = field(default_factory=set)  # slots that may be read without having been written
    loop_depth: int = 0
    accessed: dict[str, ArgumentField | None] = field(default_factory=dict)
    result: Type | None = None  # of a subprogram
    per_place: bool = False  # the code is only right for this one place
    uses_cookie: bool = False  # the code asks which place it runs at
    separate_names: bool = False  # places of one name differ, and the cookie can't tell them apart
    _fields: dict[str, ArgumentField] | None = None
    _fields_known: bool = False

    # --- where we are

    @property
    def provider(self) -> Provider | None:
        return self.places[0].provider if self.places else None

    @property
    def location(self) -> Location:
        return self.places[0].location

    @property
    def facts(self) -> Facts:
        return self.analysis.facts

    @property
    def space(self) -> AddressSpace:
        """Where an address of unknown origin points to."""
        return self.provider.space if self.provider else AddressSpace.KERNEL

    @property
    def kind(self) -> str:
        """What the probe is called in diagnostics."""
        if self.provider is None:
            return "function"
        return self.provider.name

    def fields(self) -> dict[str, ArgumentField] | None:
        """The arguments by name at the first place."""
        if not self._fields_known:
            provider = self.provider
            self._fields = provider.fields(self.facts, self.location) if provider else None
            self._fields_known = True
        return self._fields

    # --- diagnostics

    def error(self, span: Span, message: str, hint: str = "", notes: tuple[Note, ...] = ()) -> ir.Expr:
        self.analysis.error(span, message, hint, notes)
        return missing(span)

    def warn(self, span: Span, message: str, hint: str = "") -> None:
        self.analysis.warn(span, message, hint)

    # --- scratch variables

    @contextmanager
    def scope(self, owner: object) -> Iterator[Scope]:
        scope = Scope(owner)
        self.scopes.append(scope)
        try:
            yield scope
        finally:
            self.scopes.pop()
            for name, symbol in scope.variables.items():
                if not symbol.explicit:
                    self.closed.setdefault(name, (scope, symbol))

    @contextmanager
    def loop(self) -> Iterator[None]:
        self.loop_depth += 1
        try:
            yield
        finally:
            self.loop_depth -= 1

    def find_variable(self, name: str) -> tuple[Scope, VariableSymbol] | None:
        for scope in reversed(self.scopes):
            if name in scope.variables:
                return scope, scope.variables[name]
        return None

    def reopen_variable(self, name: str) -> tuple[Scope, VariableSymbol] | None:
        """One that an inner block assigned, in the style of programs older than block scopes."""
        found = self.closed.get(name)
        if found is not None:
            self.reopened.add(found[0].slots[name])
            self.scopes[-1].variables[name] = found[1]
            self.scopes[-1].slots[name] = found[0].slots[name]
        return found

    def declare_variable(self, name: str, span: Span) -> tuple[Scope, VariableSymbol]:
        """A new variable in the innermost scope, with the type that earlier rounds found."""
        scope = self.scopes[-1]
        key = (self.key, id(scope.owner), name)
        symbol = self.analysis.variables.setdefault(key, VariableSymbol(name, span))
        scope.variables[name] = symbol
        scope.slots[name] = len(self.locals)
        self.locals.append(ir.LocalVariable(name, harden(symbol.type)))
        return scope, symbol

    def variable_names(self) -> list[str]:
        return [name for scope in self.scopes for name in scope.variables]

    def new_local(self, name: str, type_: Type) -> int:
        """A local that the compiler made up."""
        self.locals.append(ir.LocalVariable(name, harden(type_)))
        return len(self.locals) - 1

    def unknown_variable(self, name: str, span: Span) -> ir.Expr:
        hint = did_you_mean(name, self.variable_names(), "$")
        return self.error(span, f"Undefined or undeclared variable: ${name}", hint)
