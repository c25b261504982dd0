"""Scalar expressions: a typed node in, the C text of its value out; what must run before it is emitted first.

The text has the C type of the node's type, may be used several times, and doesn't change when statements follow:
anything that could is put into a temporary by `operands`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracelang import ir
from tracelang.codegen import context, intrinsics, maps, places, statements, strings, subprograms
from tracelang.codegen.values import CodegenError, bits_of, c_type, is_signed, literal
from tracelang.codegen.writer import Line, Writer
from tracelang.types import BoolType, NoneType, Type, is_scalar

_STABLE = re.compile(r"[a-z][a-z_]*_[0-9]+|\(?-?[0-9]+(U|ULL|LL)?\)?")
"""Temporaries (assigned once) and numbers."""


def value(writer: Writer, expr: ir.Expr) -> str:
    """The C text of a scalar expression's value."""
    match expr:
        case ir.Constant(value=number, type=type_):
            return literal(number, type_)
        case ir.Local(slot=slot):
            return writer.local(slot)
        case ir.Convert(operand=operand, type=type_):
            return _convert(writer, operand, type_)
        case ir.Arithmetic():
            return _arithmetic(writer, expr)
        case ir.PointerAdd(base=base, index=index, scale=scale):
            start, steps = operands(writer, (base, index))
            return f"({start} + (s64){steps} * {scale})"
        case ir.Compare(operator=operator, left=left, right=right):
            a, b = operands(writer, (left, right))
            return f"({a} {operator} {b})"
        case ir.Logical():
            return _logical(writer, expr)
        case ir.Unary():
            return _unary(writer, expr)
        case ir.Select():
            return _select(writer, expr)
        case ir.Sequence(statements=body, value=result):
            statements.write_all(writer, body)
            return value(writer, result) if result is not None else ""
        case ir.MapValue():
            return maps.read_scalar(writer, expr)
        case ir.HasKey():
            return maps.has_key(writer, expr)
        case ir.DeleteKey():
            return maps.delete(writer, expr)
        case ir.MapAdd():
            return maps.add(writer, expr)
        case ir.StringCompare():
            return strings.compare(writer, expr)
        case ir.MemoryCompare():
            return places.compare(writer, expr)
        case ir.Member() | ir.Element() | ir.Dereference() | ir.BitField() | ir.ContextPlace():
            return places.load(writer, expr)
        case ir.AddressOf(place=target):
            return places.address_of(writer, target)
        case ir.ContextLoad():
            return context.load(writer, expr)
        case ir.RegisterArgument() | ir.RegisterNamed() | ir.StackArgument():
            return context.register(writer, expr)
        case ir.UsdtValue():
            return context.usdt(writer, expr)
        case ir.Intrinsic():
            return intrinsics.scalar(writer, expr)
        case ir.SubprogramCall():
            return subprograms.call(writer, expr, destination=None)
        case ir.StringConstant() | ir.MakeTuple():
            raise TypeError(f"{type(expr).__name__} is no scalar")
    raise CodegenError(f"no code for {type(expr).__name__}")


def evaluate(writer: Writer, expr: ir.Expr) -> None:
    """An expression for its effect only."""
    if isinstance(expr.type, NoneType):
        match expr:
            case ir.Select():
                _select(writer, expr)
            case ir.Sequence(statements=body, value=result):
                statements.write_all(writer, body)
                if result is not None:
                    evaluate(writer, result)
            case _:
                text = value(writer, expr)
                if text:
                    writer.emit(f"{text};")
    elif is_scalar(expr.type):
        value(writer, expr)
    else:
        places.prepare(writer, expr)


def operands(writer: Writer, exprs: Sequence[ir.Expr]) -> list[str]:
    """Values of several scalar expressions, from left to right: a later one's effects don't change an earlier value."""
    texts: list[str] = []
    pieces: list[tuple[list[Line], ir.Expr]] = []
    for expr in exprs:
        with writer.capture() as lines:
            texts.append(value(writer, expr))
        pieces.append((lines, expr))
    for position, (lines, expr) in enumerate(pieces):
        writer.lines.extend(lines)
        if any(later for later, _ in pieces[position + 1 :]):
            texts[position] = pinned(writer, texts[position], expr.type)
    return texts


def pinned(writer: Writer, text: str, type_: Type) -> str:
    """The value in a temporary, unless it can't change anyway."""
    return text if _STABLE.fullmatch(text) else writer.temp(type_, text)


def condition(writer: Writer, expr: ir.Expr) -> str:
    """A scalar as a C condition."""
    text = value(writer, expr)
    return text[1:-1] if _is_wrapped(text) else text


def _is_wrapped(text: str) -> bool:
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True


def _convert(writer: Writer, operand: ir.Expr, type_: Type) -> str:
    if not is_scalar(operand.type):
        return places.scalar_from_memory(writer, operand, type_)
    if isinstance(operand, ir.Constant) and not isinstance(type_, BoolType):
        return literal(operand.value, type_)
    text = value(writer, operand)
    if isinstance(type_, BoolType):
        return text if isinstance(operand.type, BoolType) else f"({text} != 0)"
    if c_type(operand.type) == c_type(type_):
        return text
    return f"({c_type(type_)}){text}"


def _arithmetic(writer: Writer, node: ir.Arithmetic) -> str:
    left, right = operands(writer, (node.left, node.right))
    kind, bits, signed = c_type(node.type), bits_of(node.type), is_signed(node.type)
    match node.operator:
        case "+" | "-" | "*":
            # Unsigned, since a signed overflow has no meaning in C; the language wraps.
            if signed:
                unsigned = f"u{bits}" if bits >= 32 else "u32"
                return f"({kind})(({unsigned}){left} {node.operator} ({unsigned}){right})"
            return _cut(f"({left} {node.operator} {right})", kind, bits)
        case "&" | "|" | "^":
            return _cut(f"({left} {node.operator} {right})", kind, bits)
        case "<<":
            unsigned = f"u{bits}" if bits >= 32 else "u32"
            return f"({kind})(({unsigned}){left} << {_shift(node.right, right, bits)})"
        case ">>":
            return _cut(f"({left} >> {_shift(node.right, right, bits)})", kind, bits)
        case "/" | "%":
            return _divide(writer, node, left=left, right=right)
    raise CodegenError(f"no operator {node.operator}")


def _cut(text: str, kind: str, bits: int) -> str:
    return f"({kind}){text}" if bits < 32 else text


def _shift(node: ir.Expr, text: str, bits: int) -> str:
    if isinstance(node, ir.Constant):
        return str(node.value & (bits - 1))
    return f"({text} & {bits - 1})"


def _divide(writer: Writer, node: ir.Arithmetic, *, left: str, right: str) -> str:
    kind, bits = c_type(node.type), bits_of(node.type)
    if is_signed(node.type):
        name = writer.module.need("signed_divide" if node.operator == "/" else "signed_modulo")
        call = f"{name}({left}, {right})"
        return call if bits == 64 else f"({kind}){call}"
    if isinstance(node.right, ir.Constant) and node.right.value != 0:
        return _cut(f"({left} {node.operator} {right})", kind, bits)
    divisor = pinned(writer, right, node.right.type)
    otherwise = "0" if node.operator == "/" else left
    return f"({kind})({divisor} ? {left} {node.operator} {divisor} : {otherwise})"


def _unary(writer: Writer, node: ir.Unary) -> str:
    text = value(writer, node.operand)
    kind, bits = c_type(node.type), bits_of(node.type)
    match node.operator:
        case "-":
            unsigned = f"u{bits}" if bits >= 32 else "u32"
            return f"({kind})(-({unsigned}){text})"
        case "~":
            return f"({kind})(~{text})"
        case "!":
            return f"(!{text})"
    raise CodegenError(f"no operator {node.operator}")


def _logical(writer: Writer, node: ir.Logical) -> str:
    left = value(writer, node.left)
    with writer.capture() as lines:
        right = value(writer, node.right)
    if not lines:
        return f"({left} {node.operator} {right})"
    result = writer.temp_of("u8", f"{left} != 0", "decided")
    with writer.block(f"if ({'' if node.operator == '&&' else '!'}{result})"):
        writer.replay(lines)
        writer.emit(f"{result} = {right} != 0;")
    return result


def _select(writer: Writer, node: ir.Select) -> str:
    """The ternary: only one side runs."""
    test = condition(writer, node.condition)
    gives_nothing = isinstance(node.type, NoneType)
    result = "" if gives_nothing else writer.temp(node.type, "0", "chosen")
    for head, branch in ((f"if ({test})", node.then), ("else", node.otherwise)):
        if head == "else":
            last = writer.lines.pop()
            head = f"{last.text} else"
        with writer.block(head), writer.buffers():
            if gives_nothing:
                evaluate(writer, branch)
            else:
                text = value(writer, branch)
                writer.emit(f"{result} = {text};")
    return result
