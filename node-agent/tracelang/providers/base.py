"""What a probe type is: how its spec is read, what its programs may use, where its arguments are.

In: the colon-separated fields of an attach point. Out: the places that it stands for, asked from the facts. One
provider per file; no pass knows a provider by name.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tracelang.facts import Facts, Location
from tracelang.plan import ProgramType
from tracelang.structs import Struct, field
from tracelang.types import AddressSpace, Type

Option = int | str


class Parsed(Struct, frozen=True):
    """A spec that was understood. `parts` go to `Facts.locations`; `options` to the attachment."""

    parts: tuple[str, ...]
    options: dict[str, Option] = field(default_factory=dict)
    warning: str = ""


class Malformed(Struct, frozen=True):
    """A spec that wasn't: what is wrong, what to try."""

    message: str
    hint: str = ""


class FieldSource(Enum):
    """Where an argument by name is."""

    CONTEXT = "context"  # at an offset of the BPF context
    DATA_LOC = "data_loc"  # the u32 at an offset of the context says where
    REGISTER = "register"  # the N-th integer argument
    STACK = "stack"  # the N-th word above the return address


class ArgumentField(Struct, frozen=True):
    """`args.name`. offset: of the context, or the index of the register or of the word on the stack.

    is_reference: `type` is a pointer, and programs see what it points to.
    """

    name: str
    type: Type
    source: FieldSource
    offset: int
    bit_offset: int = 0
    bit_size: int = 0
    is_reference: bool = False


class Positional(Enum):
    """What argN reads."""

    NONE = "none"
    REGISTER = "register"
    CONTEXT = "context"  # the N-th u64 of the context
    USDT = "usdt"


class Result(Enum):
    """What retval reads."""

    NONE = "none"
    REGISTER = "register"
    CONTEXT = "context"  # behind the arguments in the context


class ContextKind(Enum):
    """What `ctx` points to."""

    NONE = "none"
    REGISTERS = "struct pt_regs"
    PERF_EVENT = "struct bpf_perf_event_data"
    ITERATOR = "iterator"  # struct bpf_iter__NAME


def no_fields(facts: Facts, location: Location) -> dict[str, ArgumentField] | None:
    """Of a probe without `args`."""
    return None


def no_result(facts: Facts, location: Location) -> Type | None:
    """Of a probe whose result has no type of its own."""
    return None


def own_location(parsed: Parsed, facts: Facts, provider: str) -> tuple[Location, ...]:
    """Of a probe that always exists: its name is its spec."""
    return (Location(name=":".join((provider, *parsed.parts)), function=parsed.parts[0] if parsed.parts else ""),)


def ask_locations(parsed: Parsed, facts: Facts, provider: str) -> tuple[Location, ...]:
    """Of a probe that has to be looked for on the machine."""
    return facts.locations(provider, parsed.parts)


def its_function(location: Location) -> str:
    """The function that a program names when it is loaded for this place."""
    return location.function


def no_objection(location: Location) -> str:
    """Of a probe that fires in the task that it is about."""
    return ""


class Provider(Struct, frozen=True):
    """One row of the table of probe types.

    parse: the fields after the name, to what is asked for. task_context: the probe fires in the task that did
    something, so that a scope applies. space: where addresses that the probe gives point to. separate: one BPF program
    for each place (it names the place when loaded).
    """

    name: str
    parse: Callable[[tuple[str, ...]], Parsed | Malformed]
    program_type: ProgramType
    aliases: tuple[str, ...] = ()
    task_context: bool = True
    space: AddressSpace = AddressSpace.NONE
    objection: Callable[[Location], str] = no_objection  # to a scope: why it can't be applied at this place
    positional: Positional = Positional.NONE
    stack_arguments: bool = False
    registers: bool = False
    result: Result = Result.NONE
    result_type: Callable[[Facts, Location], Type | None] = no_result
    has_fields: bool = False
    fields: Callable[[Facts, Location], dict[str, ArgumentField] | None] = no_fields
    context: ContextKind = ContextKind.NONE
    function_name: bool = False  # func
    user_symbols: bool = False  # usym, uaddr; types from the binary's DWARF
    may_signal: bool = True
    may_override: bool = False
    separate: bool = False
    traced: Callable[[Location], str] = its_function
    solitary: bool = False  # may not be mixed with other probes
    locate: Callable[[Parsed, Facts, str], tuple[Location, ...]] = ask_locations
    kind: str = ""  # what `probetype` says, when not the name
    shared: str = ""  # the raw tracepoint that one program for many places is attached to
    usage: str = ""

    @property
    def type_name(self) -> str:
        return self.kind or self.name
