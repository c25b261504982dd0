"""Strings: constants, comparison, length, search, concatenation.

Comes in: string expressions; goes out: statements over bytes in BPF memory that end with a NUL, or with their type: an
array of characters may be full. Constants are stored as numbers: no byte of a program's string is ever C text.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, places
from tracelang.codegen.copy import copy, zero
from tracelang.codegen.values import Place, string_words
from tracelang.codegen.writer import Writer
from tracelang.types import size_of


def store_constant(writer: Writer, content: bytes, destination: Place) -> None:
    """Constant bytes into memory; long runs of zero at the end by one zeroing."""
    used = len(content.rstrip(b"\0")) + 1
    step = destination.aligned_to()
    head = min(len(content), (used + step - 1) // step * step)
    for offset, size, number in string_words(content[:head], alignment=step):
        suffix = "ULL" if size == 8 else "U"
        writer.emit(f"{_cell(destination.at(offset), size)} = {hex(number)}{suffix};")
    zero(writer, destination.at(head), len(content) - head)


def _cell(destination: Place, size: int) -> str:
    return f"*(u{size * 8} *){destination.address}"


def terminated(writer: Writer, expr: ir.Expr) -> Place:
    """The string in BPF memory."""
    return places.in_our_memory(writer, expr)


def compare(writer: Writer, expr: ir.StringCompare) -> str:
    """Whether two strings are equal, as number 1 or (with result_integer) 0 for equal."""
    differs = _differs(writer, expr)
    if expr.result_integer:
        return differs
    return f"(!{differs})" if expr.equal else differs


def _differs(writer: Writer, expr: ir.StringCompare) -> str:
    """A temporary: 1 when different."""
    limit = min(size_of(expr.left.type), size_of(expr.right.type))
    if expr.length is not None:
        limit = min(limit, expr.length)
    for constant, other in ((expr.left, expr.right), (expr.right, expr.left)):
        if isinstance(constant, ir.StringConstant):
            return _differs_from_constant(writer, constant, other, length=expr.length)
    left = terminated(writer, expr.left)
    right = terminated(writer, expr.right)
    name = writer.module.need("strings_differ")
    differs = writer.temp_of("u8", f"{name}({left.address}, {right.address}, {limit})", "differs")
    sizes = size_of(expr.left.type), size_of(expr.right.type)
    if expr.length is None and sizes[0] != sizes[1]:
        short, long = (left, right) if sizes[0] < sizes[1] else (right, left)
        goes_on = f"{short.at(limit - 1).lvalue('u8')} && {long.at(limit).lvalue('u8')}"
        writer.emit(f"if (!{differs} && {goes_on}) {differs} = 1;")
    return differs


def _differs_from_constant(writer: Writer, constant: ir.StringConstant, other: ir.Expr, *, length: int | None) -> str:
    """Words against constants: the NUL counts unless `length` ends the comparison before it."""
    content = constant.data.split(b"\0")[0] + b"\0"
    if length is not None:
        content = content[:length]
    place = terminated(writer, other)
    size = size_of(other.type)
    if len(content) == size + 1:
        content = content[:size]  # it fills the other string's type
    if len(content) > size:
        # Longer than the other string can be: they can't be equal.
        return writer.temp_of("u8", "1", "differs")
    differs = writer.temp_of("u64", "0", "differs")
    for offset, width, number in string_words(content, alignment=place.aligned_to()):
        kind = f"u{width * 8}"
        suffix = "ULL" if width == 8 else "U"
        writer.emit(f"{differs} |= {place.at(offset).lvalue(kind)} ^ {hex(number)}{suffix};")
    return writer.temp_of("u8", f"{differs} != 0", "differs")


def length(writer: Writer, expr: ir.Expr) -> str:
    place = terminated(writer, expr)
    name = writer.module.need("string_length")
    return writer.temp_of("u64", f"{name}({place.address}, {size_of(expr.type)})", "length")


def index(writer: Writer, haystack: ir.Expr, needle: ir.Expr) -> str:
    """Where the needle begins in the haystack; -2 when nowhere. An empty needle is at 0."""
    result = writer.temp_of("s64", "-2", "found")
    hay = terminated(writer, haystack)
    if isinstance(needle, ir.StringConstant):
        content = needle.data.split(b"\0")[0]
        if not content:
            return writer.temp_of("s64", "0", "found")
        limit = size_of(haystack.type) - len(content) + 1
        position = writer.fresh("position")
        with writer.block(f"for (u32 {position} = 0; {position} < {max(limit, 0)}; {position}++)"):
            writer.emit(f"if (!{hay.address}[{position}]) break;")
            tests = [
                f"{hay.address}[{position} + {at}] == {byte}" if at else f"{hay.address}[{position}] == {byte}"
                for at, byte in enumerate(content)
            ]
            with writer.block(f"if ({' && '.join(tests)})"):
                writer.emit(f"{result} = {position};")
                writer.emit("break;")
        return result
    other = terminated(writer, needle)
    name = writer.module.need("string_index")
    writer.emit(f"{result} = {name}({hay.address}, {size_of(haystack.type)}, {other.address}, {size_of(needle.type)});")
    return result


def concatenate(writer: Writer, expr: ir.Intrinsic) -> places.Fill:
    """strcat: the second string behind the first's end, cut to the result's size."""
    size = size_of(expr.type)
    first = terminated(writer, expr.arguments[0])
    second = terminated(writer, expr.arguments[1])
    head, tail = size_of(expr.arguments[0].type), size_of(expr.arguments[1].type)
    # Room for the second string wherever the first ends: no length is variable, only where it starts.
    buffer = writer.buffer(size + tail, "joined")
    zero(writer, buffer, size)
    call = f"bpf_probe_read_kernel_str({buffer.address}, {min(size, head)}, {first.address})"
    end = writer.temp_of("u64", f"{call} - 1", "end")
    writer.opaque(end)
    with writer.block(f"if ({end} < {size})"):
        writer.emit(f"bpf_probe_read_kernel_str({buffer.address} + {end}, {tail}, {second.address});")
        writer.emit(f"{buffer.at(size - 1).lvalue('u8')} = 0;")
    return lambda destination: copy(writer, source=buffer, destination=destination, size=size)


def contains(writer: Writer, haystack: ir.Expr, needle: ir.Expr) -> str:
    return f"({index(writer, haystack, needle)} >= 0)"


def dynamic_compare(writer: Writer, expr: ir.Intrinsic) -> str:
    """strncmp(a, b, n) with n known only when it runs: 0 for equal, 1 for different."""
    left = terminated(writer, expr.arguments[0])
    right = terminated(writer, expr.arguments[1])
    limit = expressions.value(writer, expr.arguments[2])
    most = min(size_of(expr.arguments[0].type), size_of(expr.arguments[1].type))
    name = writer.module.need("strings_differ_up_to")
    return writer.temp_of("u64", f"{name}({left.address}, {right.address}, {most}, {limit})", "differs")
