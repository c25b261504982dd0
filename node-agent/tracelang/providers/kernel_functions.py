"""kprobe, kretprobe, fentry, fexit, rawtracepoint, iter: functions and objects of the kernel."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.facts import Facts, Location, Parameter
from tracelang.plan import ProgramType
from tracelang.providers.base import (
    ArgumentField,
    ContextKind,
    FieldSource,
    Malformed,
    Parsed,
    Positional,
    Provider,
    Result,
)
from tracelang.providers.numbers import parse_number
from tracelang.types import AddressSpace, PointerType, Type


def _function_parser(name: str, *, offsets: bool) -> Callable[[tuple[str, ...]], Parsed | Malformed]:
    """`name[:module]:function[+offset]` -> parts (module, function), option "offset"."""

    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        if len(parts) not in (1, 2) or not all(parts):
            return Malformed(
                f"{name} probe type requires 1 or 2 arguments, found {len(parts)}", f"write {name}:function"
            )
        module = parts[0] if len(parts) == 2 else ""
        function, plus, text = parts[-1].partition("+")
        if not plus:
            return Parsed((module, function))
        offset = parse_number(text)
        if not offsets:
            return Malformed(f"{name} probes can't have an offset: they fire when the function returns")
        if offset is None:
            return Malformed(f"Invalid offset: invalid integer: {text}")
        return Parsed((module, f"{function}+{offset}"), {"offset": offset})

    return parse


def _parse_rawtracepoint(parts: tuple[str, ...]) -> Parsed | Malformed:
    if len(parts) not in (1, 2) or not all(parts):
        return Malformed(
            f"rawtracepoint probe type requires 1 or 2 arguments, found {len(parts)}", "write rawtracepoint:event"
        )
    return Parsed((parts[0] if len(parts) == 2 else "", parts[-1]))


def _parse_iterator(parts: tuple[str, ...]) -> Parsed | Malformed:
    if len(parts) not in (1, 2) or not parts[0]:
        return Malformed(f"iter probe type requires 1 or 2 arguments (pin), found {len(parts)}", "write iter:task")
    if "*" in parts[0]:
        return Malformed("iter probe type does not support wildcards")
    return Parsed((parts[0],), {"pin": parts[1]} if len(parts) == 2 else {})


def _kernel_pointer(type_: Type) -> Type:
    return PointerType(type_.target, AddressSpace.KERNEL) if isinstance(type_, PointerType) else type_


def _words(parameters: tuple[Parameter, ...]) -> dict[str, ArgumentField]:
    """Arguments that stand one after another in the context, eight bytes each."""
    return {
        parameter.name: ArgumentField(
            parameter.name, _kernel_pointer(parameter.type), FieldSource.CONTEXT, offset=8 * index
        )
        for index, parameter in enumerate(parameters)
    }


def _traced_fields(facts: Facts, location: Location) -> dict[str, ArgumentField] | None:
    signature = facts.kernel_function(location.function, location.module)
    return _words(signature.parameters) if signature else None


def _traced_result(facts: Facts, location: Location) -> Type | None:
    signature = facts.kernel_function(location.function, location.module)
    return _kernel_pointer(signature.result) if signature and signature.result else None


def _raw_fields(facts: Facts, location: Location) -> dict[str, ArgumentField] | None:
    signature = facts.raw_tracepoint(location.function)
    return _words(signature.parameters) if signature else None


KPROBE = Provider(
    name="kprobe",
    aliases=("k",),
    parse=_function_parser("kprobe", offsets=True),
    program_type=ProgramType.KPROBE,
    space=AddressSpace.KERNEL,
    positional=Positional.REGISTER,
    stack_arguments=True,
    registers=True,
    context=ContextKind.REGISTERS,
    function_name=True,
    may_override=True,
    usage="kprobe:function",
)
KRETPROBE = Provider(
    name="kretprobe",
    aliases=("kr",),
    parse=_function_parser("kretprobe", offsets=False),
    program_type=ProgramType.KPROBE,
    space=AddressSpace.KERNEL,
    registers=True,
    result=Result.REGISTER,
    context=ContextKind.REGISTERS,
    function_name=True,
    usage="kretprobe:function",
)
FENTRY = Provider(
    name="fentry",
    aliases=("f", "kfunc"),
    parse=_function_parser("fentry", offsets=False),
    program_type=ProgramType.TRACING,
    space=AddressSpace.KERNEL,
    has_fields=True,
    fields=_traced_fields,
    function_name=True,
    separate=True,
    usage="fentry:function",
)
FEXIT = Provider(
    name="fexit",
    aliases=("fr", "kretfunc"),
    parse=_function_parser("fexit", offsets=False),
    program_type=ProgramType.TRACING,
    space=AddressSpace.KERNEL,
    has_fields=True,
    fields=_traced_fields,
    result=Result.CONTEXT,
    result_type=_traced_result,
    function_name=True,
    separate=True,
    usage="fexit:function",
)
RAWTRACEPOINT = Provider(
    name="rawtracepoint",
    aliases=("rt",),
    parse=_parse_rawtracepoint,
    program_type=ProgramType.RAW_TRACEPOINT,
    space=AddressSpace.KERNEL,
    positional=Positional.CONTEXT,
    has_fields=True,
    fields=_raw_fields,
    usage="rawtracepoint:event",
)
ITER = Provider(
    name="iter",
    aliases=("it",),
    parse=_parse_iterator,
    program_type=ProgramType.TRACING,
    task_context=False,
    space=AddressSpace.KERNEL,
    context=ContextKind.ITERATOR,
    may_signal=False,
    objection=lambda location: "it walks over all objects of the node",
    separate=True,
    traced=lambda location: f"bpf_iter_{location.function}",
    solitary=True,
    usage="iter:task",
)
