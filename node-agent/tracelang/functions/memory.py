"""Functions that read memory: str, buf, kptr, uptr, reg, bswap, macaddr, path and the like."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.arch import PT_REGS
from tracelang.functions.common import address, arguments, literal_number, literal_text, only_supports
from tracelang.functions.output import emit
from tracelang.functions.table import Function, Rule
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import constant_number, convert, text_constant
from tracelang.plan import EventKind
from tracelang.suggest import did_you_mean
from tracelang.type_rules import UnresolvedType, base_name, harden
from tracelang.types import (
    BOOL,
    U64,
    AddressSpace,
    ArrayType,
    BufferType,
    IntType,
    MacType,
    PointerType,
    StringType,
    StructType,
    is_integer,
    is_scalar,
    size_of,
)

BUFFER_HEADER = 4
_KIND = ir.IntrinsicKind


def _str(body: Body, call: nodes.Call) -> ir.Expr:
    """Text at an address; of a positional parameter, its text."""
    given = _parameter_text(body, call.arguments[0])
    if given is not None:
        value: ir.Expr = text_constant(call.span, given)
    else:
        value = body.lower(body, call.arguments[0])
    length = body.lower(body, call.arguments[1]) if len(call.arguments) > 1 else None
    if isinstance(value.type, UnresolvedType) or (length is not None and isinstance(length.type, UnresolvedType)):
        return missing(call.span)
    if length is not None and not is_integer(length.type):
        return only_supports(body, call, "int", length)
    size = _text_size(body, call, length)
    if size is None:
        return missing(call.span)
    if isinstance(value.type, StringType):
        if length is None or constant_number(length) is not None:
            if isinstance(value, ir.StringConstant):
                return _cut(value, constant_number(length) if length is not None else None)
            return convert(value, StringType(min(size, value.type.size))) if length is not None else value
    elif not isinstance(value.type, PointerType | ArrayType) and not is_integer(value.type):
        return body.error(
            value.span,
            f"str() expects a string, integer or a pointer type as first argument ({base_name(value.type)} provided)",
        )
    source, space = address(body, value)
    dynamic = length is not None and constant_number(length) is None
    operands = (source, convert(length, U64)) if dynamic and length is not None else (source,)
    constants: dict[str, int | str] = {"space": space.value} | ({"is_whole": 1} if length is None else {})
    return ir.Intrinsic(call.span, StringType(size), _KIND.READ_STRING, operands, constants)


def _cut(text: ir.StringConstant, length: int | None) -> ir.Expr:
    """A literal's first characters."""
    return text if length is None else text_constant(text.span, text.data[:length].decode("utf-8", "surrogateescape"))


def _parameter_text(body: Body, node: nodes.Expression) -> str | None:
    """Of `$1` and `$1 + 2`: the text behind; None: it is something else."""
    match node:
        case nodes.Integer(value=value):
            return str(value)
        case nodes.PositionalParameter(index=index):
            given = body.analysis.options.positional
            return given[index - 1] if 1 <= index <= len(given) else ""
        case nodes.Binary(operator="+", left=nodes.PositionalParameter() as left, right=right):
            text = _parameter_text(body, left) or ""
            skipped = constant_number(body.lower(body, right))
            if skipped is None or not 0 <= skipped <= len(text):
                body.error(node.span, "cannot use an offset that is negative or behind the end of the parameter")
                return ""
            return text[skipped:]
    return None


def _text_size(body: Body, call: nodes.Call, length: ir.Expr | None) -> int | None:
    limit = body.analysis.number("max_strlen")
    number = constant_number(length) if length is not None else None
    if number is None:
        return limit
    if number < 0:
        body.error(call.span, f"{call.name} cannot use negative length ({number})")
        return None
    if number > limit:
        body.warn(
            call.span,
            f"length param ({number}) is too long and will be shortened to {limit} bytes (see BPFTRACE_MAX_STRLEN)",
        )
        return limit
    return max(number, 1)


def _buf(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    source = values[0]
    if not isinstance(source.type, PointerType | ArrayType | StringType | IntType):
        return body.error(
            source.span, f"buf() expects an integer, string, or array argument but saw {base_name(source.type)}"
        )
    limit = body.analysis.number("max_strlen") - BUFFER_HEADER
    length = values[1] if len(values) > 1 else None
    if length is None:
        if not isinstance(source.type, ArrayType):
            return body.error(call.span, f"buf() expects a length argument for non-array type {base_name(source.type)}")
        size = min(limit, size_of(source.type))
    else:
        if not is_integer(length.type):
            return only_supports(body, call, "int", length)
        number = constant_number(length)
        if number is not None and number < 0:
            return body.error(call.span, f"buf cannot use negative length ({number})")
        size = limit if number is None else min(limit, number)
    place, space = address(body, source)
    dynamic = length is not None and constant_number(length) is None
    operands = (place, convert(length, U64)) if dynamic and length is not None else (place,)
    return ir.Intrinsic(call.span, BufferType(size), _KIND.READ_BUFFER, operands, {"space": space.value})


def _in_space(space: AddressSpace) -> Rule:
    """kptr and uptr: the address, with the space said."""

    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        values = arguments(body, call)
        if values is None:
            return missing(call.span)
        value = values[0]
        if isinstance(value.type, PointerType):
            return convert(value, PointerType(value.type.target, space))
        if not is_integer(value.type):
            return body.error(
                value.span, f"{call.name} only supports integer or pointer arguments ({base_name(value.type)} provided)"
            )
        return ir.Intrinsic(call.span, U64, _KIND.READ_KERNEL, (convert(value, U64),), {"space": space.value})

    return lower


def _reg(body: Body, call: nodes.Call) -> ir.Expr:
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    if body.provider is None or not body.provider.registers:
        return body.error(
            call.span, f'reg can not be used with "{body.kind}" probes', "it reads registers: use a kprobe or a uprobe"
        )
    if name not in PT_REGS:
        return body.error(
            call.span, f"'{name}' is not a valid register on this architecture (x86_64)", did_you_mean(name, PT_REGS)
        )
    return ir.RegisterNamed(call.span, U64, name)


def _bswap(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    type_ = harden(values[0].type)
    if not isinstance(type_, IntType):
        return only_supports(body, call, "integer", values[0])
    unsigned = IntType(type_.bits, signed=False)
    if type_.bits == 8:
        return convert(values[0], unsigned)
    return ir.Intrinsic(call.span, unsigned, _KIND.BYTE_SWAP, (convert(values[0], unsigned),))


def _macaddr(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    value = values[0]
    if isinstance(value, ir.StringConstant):
        return body.error(value.span, "macaddr() does not support literal string arguments")
    if isinstance(value.type, ArrayType | StringType):
        if size_of(value.type) < 6:
            return body.error(value.span, "macaddr() argument must be at least 6 bytes in size")
    elif not isinstance(value.type, PointerType | IntType):
        return only_supports(body, call, "array or pointer", value)
    place, space = address(body, value)
    return ir.Intrinsic(call.span, MacType(), _KIND.MAC, (place,), {"space": space.value})


def _path(body: Body, call: nodes.Call) -> ir.Expr:
    size = body.analysis.number("max_strlen")
    if len(call.arguments) > 1:
        number = literal_number(body, call, 1)
        if number is None:
            return missing(call.span)
        size = min(size, number)
    value = body.lower(body, call.arguments[0])
    if isinstance(value.type, UnresolvedType):
        return missing(call.span)
    if not isinstance(value.type, PointerType | StructType):
        return body.error(
            value.span, f"path() only supports pointer or record argument ({base_name(value.type)} provided)"
        )
    place, _ = address(body, value)
    return ir.Intrinsic(call.span, StringType(size), _KIND.PATH, (place,))


def _socket_cookie(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    type_ = values[0].type
    target = type_.target if isinstance(type_, PointerType) else None
    if not isinstance(target, StructType) or target.name != "struct sock":
        shown = f"'{target.name} *'" if isinstance(target, StructType) else base_name(type_)
        return body.error(
            call.span, f"socket_cookie() only supports 'struct sock *' as the argument ({shown} provided)"
        )
    return ir.Intrinsic(call.span, U64, _KIND.SOCKET_COOKIE, (values[0],))


def _is_err(body: Body, call: nodes.Call) -> ir.Expr:
    """Whether a pointer of the kernel carries an error number."""
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not is_scalar(values[0].type):
        return only_supports(body, call, "pointer", values[0])
    limit = ir.Constant(call.span, U64, (1 << 64) - 4095)
    return ir.Compare(call.span, BOOL, ">=", convert(values[0], U64), limit)


def _container_of(body: Body, call: nodes.Call) -> ir.Expr:
    """`container_of(ptr, struct foo, member)`."""
    kind, member = call.arguments[1], call.arguments[2]
    if not isinstance(kind, nodes.TypeExpression) or not isinstance(member, nodes.Identifier):
        return body.error(call.span, "container_of() expects a pointer, a type and the name of a member")
    offset = body.lower(body, nodes.Offsetof(call.span, kind.type, (member.name,)))
    name = nodes.TypeName(kind.span, kind.type.name, kind.type.pointers + 1)
    pointer = nodes.Cast(call.span, name, call.arguments[0])
    base = body.lower(body, pointer)
    number = constant_number(offset)
    if isinstance(base.type, UnresolvedType) or number is None or isinstance(offset.type, UnresolvedType):
        return missing(call.span)
    back = ir.Constant(call.span, IntType(64, signed=True), -number)
    return ir.PointerAdd(call.span, base.type, base, back, 1)


def _write_user(body: Body, call: nodes.Call) -> ir.Expr:
    """Bytes of ours into the process's memory; whether it worked."""
    if not body.analysis.options.unsafe:
        return body.error(call.span, "write_user() is unsafe. To use you need the --unsafe flag")
    values = arguments(body, call)
    length = literal_number(body, call, 2)
    if values is None or length is None:
        return missing(call.span)
    target, source = values[:2]
    if not isinstance(target.type, PointerType) and not is_integer(target.type):
        return only_supports(body, call, "pointer", target)
    if isinstance(source.type, BufferType):
        room = source.type.size
    elif isinstance(source.type, PointerType) and source.type.space is AddressSpace.BPF:
        room = size_of(source.type.target)
    elif not is_scalar(source.type):
        room = size_of(source.type)
    else:
        return body.error(
            source.span,
            f"write_user() writes what is in a variable, not a plain {base_name(source.type)}",
            "give it the address of a variable: &$x",
        )
    if not 0 < length <= room:
        return body.error(call.span, f"write_user(): {length} bytes can't be written, there are {room}")
    return ir.Intrinsic(
        call.span, BOOL, _KIND.WRITE_USER, (convert(target, U64), convert(source, source.type)), {"length": length}
    )


def _unwatch(body: Body, call: nodes.Call) -> ir.Expr:
    """Ends the watchpoints on an address; the session does, a moment later."""
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not is_integer(values[0].type) and not isinstance(values[0].type, PointerType):
        return only_supports(body, call, "int", values[0])
    return emit(body, call, EventKind.UNWATCH, [convert(values[0], U64)])


MEMORY = (
    Function("str", "str(address, length)", 1, 2, _str, "text at an address"),
    Function("buf", "buf(address, length)", 1, 2, _buf, "bytes at an address"),
    Function("kptr", "kptr(address)", 1, 1, _in_space(AddressSpace.KERNEL), "the address is the kernel's"),
    Function("uptr", "uptr(address)", 1, 1, _in_space(AddressSpace.USER), "the address is the process's"),
    Function("reg", 'reg("name")', 1, 1, _reg, "a register"),
    Function("bswap", "bswap(number)", 1, 1, _bswap, "the number with its bytes reversed"),
    Function("macaddr", "macaddr(address)", 1, 1, _macaddr, "a MAC address"),
    Function("path", "path(pointer, size)", 1, 2, _path, "full path of a struct path"),
    Function("socket_cookie", "socket_cookie(sock)", 1, 1, _socket_cookie, "the kernel's number for a socket"),
    Function("is_err", "is_err(pointer)", 1, 1, _is_err, "whether a kernel pointer is an error number"),
    Function("container_of", "container_of(pointer, type, member)", 3, 3, _container_of, "the struct around a member"),
    Function(
        "write_user", "write_user(address, value, length)", 3, 3, _write_user, "write to the process (needs `--unsafe`)"
    ),
    Function("unwatch", "unwatch(address)", 1, 1, _unwatch, "end the watchpoints on an address"),
)
