"""What is known of the program's maps and scratch variables; it grows from round to round until nothing changes."""

from __future__ import annotations

from tracelang.plan import ScalarMerge
from tracelang.source import NOWHERE, Span
from tracelang.structs import Struct, field
from tracelang.type_rules import UNRESOLVED
from tracelang.types import AddressSpace, AggregateType, Type


class MapSymbol(Struct):
    """`@name`. key None: used without brackets (a scalar map); UNRESOLVED: brackets whose type isn't known yet.

    The spans are those of the first uses, for diagnostics. `only_added`: written by ++, --, += and -= alone.
    """

    name: str
    value: Type = UNRESOLVED
    key: Type | None = UNRESOLVED
    keyed: bool | None = None  # whether it is used with keys
    keyed_span: Span = NOWHERE
    value_span: Span = NOWHERE
    key_span: Span = NOWHERE
    only_added: bool = True
    written: bool = False
    assumed: bool = False  # only written by probes that have no place
    merged: bool = False  # an aggregation whose value an expression asks for
    space: AddressSpace = AddressSpace.NONE
    argument: Type | None = None  # what an aggregation is given

    @property
    def merge(self) -> ScalarMerge:
        return ScalarMerge.SUM if self.only_added else ScalarMerge.BY_NODE

    @property
    def aggregate(self) -> AggregateType | None:
        return self.value if isinstance(self.value, AggregateType) else None


class VariableSymbol(Struct):
    """`$name` in one scope. declared: the type that `let` fixed; space: where the addresses in a struct point to."""

    name: str
    span: Span
    type: Type = UNRESOLVED
    declared: bool = False
    explicit: bool = False  # by let, or a loop's own
    assigned: bool = False
    read_only: bool = False
    space: AddressSpace = AddressSpace.NONE


class Scope(Struct):
    """Names visible in a block. `slots`: index into the probe's locals of this lowering."""

    owner: object
    variables: dict[str, VariableSymbol] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
