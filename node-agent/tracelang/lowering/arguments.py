"""What a probe is given: `args` and its fields, argN, retval, ctx."""

from __future__ import annotations

from tracelang import arch, ir
from tracelang.facts import UsdtArgument
from tracelang.lowering.body import Body, Place
from tracelang.lowering.convert import convert
from tracelang.lowering.pointers import target_of
from tracelang.providers.base import ArgumentField, ContextKind, FieldSource, Positional, Result
from tracelang.source import Span
from tracelang.suggest import did_you_mean
from tracelang.types import (
    S64,
    U64,
    VOID,
    AddressSpace,
    ArrayType,
    FloatType,
    IntType,
    PointerType,
    RecordType,
    StringType,
    StructType,
    Type,
    is_scalar,
    size_of,
)

MAX_REGISTER_ARGUMENTS = 6
_NO_ARGUMENT = UsdtArgument("const", 8, False)


def argument_field(body: Body, name: str, span: Span) -> ir.Expr:
    """`args.name`."""
    if body.provider is None or not body.provider.has_fields:
        return no_args(body, span)
    fields = body.fields()
    if fields is None:
        body.accessed[name] = None
        reason = f"Cannot read function parameters of {body.location.name}: there is no type information for it"
        if body.provider.user_symbols and not body.facts.has_user_types(body.location.target):
            path = body.location.name.split(":")[1]
            reason = f'Could not parse arguments of "{body.location.name}": no debuginfo found for {path}'
        return body.error(
            span,
            reason,
            "use arg0, arg1 ..." if body.provider.positional is not Positional.NONE else "",
        )
    field = fields.get(name)
    body.accessed[name] = field
    if field is None:
        own = [item for item in fields if not item.startswith("common_")]
        what = (
            f"Struct/union of type 'struct {body.location.name}_args' does not contain a field named '{name}'"
            if body.provider.name == "tracepoint"
            else f"Can't find function parameter {name}"
        )
        unnamed = "this kernel doesn't tell their names: use args.arg0, args.arg1 ..." if "arg0" in own else ""
        return body.error(span, what, unnamed or did_you_mean(name, own))
    if name.startswith("common_") and field.source is FieldSource.CONTEXT and field.offset < 8:
        return body.error(span, "BPF does not support accessing common tracepoint fields")
    found = read_argument(body, field, span)
    return target_of(body, found, span) if field.is_reference and isinstance(found.type, PointerType) else found


def read_argument(body: Body, field: ArgumentField, span: Span) -> ir.Expr:
    access = f"args.{field.name}"
    match field.source:
        case FieldSource.DATA_LOC:
            place = ir.ContextPlace(span, ArrayType(IntType(8, signed=True), 0), field.offset, True, access)
            return ir.AddressOf(span, field.type, place)
        case FieldSource.REGISTER:
            return _in_registers(body, field, span)
        case FieldSource.STACK:
            return _on_stack(body, field, span)
        case FieldSource.CONTEXT:
            if field.bit_size:
                return _context_bits(field, access=access, span=span)
            if isinstance(field.type, StructType | ArrayType | StringType):
                return ir.ContextPlace(span, field.type, field.offset, access=access)
            return ir.ContextLoad(span, field.type, field.offset, access=access)


def _in_registers(body: Body, field: ArgumentField, span: Span) -> ir.Expr:
    if field.offset < 0:
        return _unreadable(body, field, span)
    if isinstance(field.type, StructType):
        count = (size_of(field.type) + 7) // 8
        words = tuple(ir.RegisterArgument(span, U64, field.offset + number) for number in range(count))
        return ir.Intrinsic(span, field.type, ir.IntrinsicKind.WORDS, words)
    if not is_scalar(field.type):
        return _unreadable(body, field, span)
    return convert(ir.RegisterArgument(span, U64, field.offset), field.type)


def _on_stack(body: Body, field: ArgumentField, span: Span) -> ir.Expr:
    if isinstance(field.type, StructType):
        words = ir.Constant(span, U64, arch.STACK_ARGUMENT_BASE + 8 * field.offset)
        address = ir.Arithmetic(span, U64, "+", ir.RegisterNamed(span, U64, arch.STACK_POINTER), words)
        return ir.Dereference(span, field.type, address, body.space)
    if not is_scalar(field.type) or isinstance(field.type, FloatType):
        return _unreadable(body, field, span)
    return convert(ir.StackArgument(span, U64, field.offset, body.space), field.type)


def _unreadable(body: Body, field: ArgumentField, span: Span) -> ir.Expr:
    return body.error(
        span,
        f"{field.name} has unsupported type",
        "numbers with a fraction are in registers that probes don't see" if isinstance(field.type, FloatType) else "",
    )


def _context_bits(field: ArgumentField, *, access: str, span: Span) -> ir.Expr:
    width = field.type.bits if isinstance(field.type, IntType) else 32
    base = field.bit_offset // width * width
    return ir.ContextLoad(span, field.type, base // 8, field.bit_offset - base, field.bit_size, access)


def all_arguments(body: Body, span: Span) -> ir.Expr:
    """`args` itself: a record of all fields."""
    if body.provider is None or not body.provider.has_fields:
        return no_args(body, span)
    names = [name for name in body.fields() or {} if not name.startswith("common_")]
    if not names:
        return argument_field(body, "", span) if body.fields() is None else no_args(body, span)
    elements = tuple(argument_field(body, name, span) for name in names)
    fields = tuple((name, element.type) for name, element in zip(names, elements, strict=True))
    return ir.MakeTuple(span, RecordType(fields), elements)


def no_args(body: Body, span: Span) -> ir.Expr:
    hint = ""
    if body.provider is not None and body.provider.positional is not Positional.NONE:
        hint = "use arg0, arg1 ..."
    return body.error(
        span,
        "The args builtin can only be used with tracepoint, rawtracepoint, fentry/fexit and uprobe probes "
        f"({body.kind} used here)",
        hint,
    )


def is_argument(name: str) -> bool:
    """argN and sargN."""
    digits = name.removeprefix("s").removeprefix("arg")
    return digits.isdigit() and name.endswith(f"arg{digits}")


def positional_argument(body: Body, index: int, span: Span) -> ir.Expr:
    """argN."""
    provider = body.provider
    style = provider.positional if provider else Positional.NONE
    match style:
        case Positional.REGISTER:
            if index >= MAX_REGISTER_ARGUMENTS:
                hint = f"{MAX_REGISTER_ARGUMENTS} arguments are in registers; sarg0, sarg1 ... read those on the stack"
                return body.error(span, f"x86_64 doesn't support arg{index}", hint)
            return ir.RegisterArgument(span, U64, index)
        case Positional.CONTEXT:
            return ir.ContextLoad(span, U64, 8 * index, access=f"arg{index}")
        case Positional.USDT:
            return _usdt_argument(body, index, span)
        case Positional.NONE:
            hint = "use args.name" if provider is not None and provider.has_fields else ""
            if provider is not None and provider.result is not Result.NONE:
                hint = "a return probe has only retval; keep the arguments in a map when the function is entered"
            return body.error(
                span,
                f"The arg{index} builtin can only be used with 'kprobes', 'uprobes' and 'usdt' probes",
                hint,
            )


def _usdt_argument(body: Body, index: int, span: Span) -> ir.Expr:
    places = [(place, _usdt_at(place, index)) for place in body.places]
    lacking = next((place for place, argument in places if argument is None), None)
    if lacking is not None:
        count = len(lacking.location.usdt_arguments)
        body.warn(span, f"{lacking.location.name} has {count} arguments: arg{index} is 0 there")
    arguments = tuple((place.id, argument or _NO_ARGUMENT) for place, argument in places)
    if len({argument for _, argument in arguments}) == 1:
        arguments = ((0, arguments[0][1]),)
    elif len(arguments) > 1:
        body.uses_cookie = True
        by_name = dict(arguments)
        body.separate_names = body.separate_names or any(by_name[number] != one for number, one in arguments)
        arguments = tuple(by_name.items())
    signed = all(argument.signed for _, argument in arguments)
    return ir.UsdtValue(span, S64 if signed else U64, arguments)


def _usdt_at(place: Place, index: int) -> UsdtArgument | None:
    arguments = place.location.usdt_arguments
    return arguments[index] if index < len(arguments) else None


def stack_argument(body: Body, index: int, span: Span) -> ir.Expr:
    """sargN."""
    if body.provider is None or not body.provider.stack_arguments:
        return body.error(span, f"The sarg{index} builtin can only be used with 'kprobes' and 'uprobes' probes")
    return ir.StackArgument(span, U64, index, body.space)


def return_value(body: Body, span: Span) -> ir.Expr:
    """retval."""
    provider = body.provider
    match provider.result if provider else Result.NONE:
        case Result.REGISTER:
            return ir.Intrinsic(span, U64, ir.IntrinsicKind.RETURN_VALUE, constants={"source": "register"})
        case Result.CONTEXT:
            assert provider is not None
            type_ = provider.result_type(body.facts, body.location)
            fields = body.fields()
            if type_ is None or fields is None:
                return body.error(span, f"Can't find a field $retval: {body.location.name} returns nothing")
            body.per_place = True
            constants: dict[str, int | str] = {"source": "context", "offset": 8 * len(fields)}
            return ir.Intrinsic(span, type_, ir.IntrinsicKind.RETURN_VALUE, constants=constants)
        case Result.NONE:
            hint = ""
            if provider is not None and provider.positional is Positional.REGISTER:
                returning = f"{provider.name[0]}ret{provider.name[1:]}"  # kprobe -> kretprobe
                hint = f"{provider.name} fires when the function is entered; use {returning}"
            return body.error(
                span,
                "The retval builtin can only be used with 'kretprobe' and 'uretprobe' and 'fentry' probes "
                f"('{body.kind}' used here)",
                hint,
            )


def context(body: Body, span: Span) -> ir.Expr:
    """ctx."""
    provider = body.provider
    kind = provider.context if provider else ContextKind.NONE
    target: Type = VOID
    space = AddressSpace.KERNEL
    match kind:
        case ContextKind.ITERATOR:
            layout = body.facts.iterator(body.location.function)
            body.per_place = True
            if layout is not None:
                target, space = StructType(layout.name, layout.size), AddressSpace.CONTEXT
                body.analysis.types.add_layout(layout)
        case ContextKind.REGISTERS | ContextKind.PERF_EVENT:
            layout = body.analysis.types.layout(kind.value)
            if layout is not None:
                target, space = StructType(kind.value, layout.size), AddressSpace.CONTEXT
        case ContextKind.NONE:
            pass
    return ir.Intrinsic(span, PointerType(target, space), ir.IntrinsicKind.CONTEXT)
