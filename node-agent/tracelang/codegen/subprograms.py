"""Functions of the program (`fn`): each becomes an inlined C function of every BPF program that calls it.

Comes in: calls; goes out: C functions, and calls of them. Scalars go by value, memory by address.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, loops, places, statements
from tracelang.codegen.locals import declare_locals
from tracelang.codegen.values import CodegenError, Place, c_type
from tracelang.codegen.writer import Line, Writer, WrittenFunction
from tracelang.types import AddressSpace, NoneType, is_scalar


def call(writer: Writer, expr: ir.SubprogramCall, *, destination: Place | None) -> str:
    """The call's value; a result of memory type is written to `destination`."""
    function = _function(writer, expr.function)
    subprogram = _find(writer, expr.function)
    texts = ["ctx", "scratch"]
    for argument in expr.arguments:
        if is_scalar(argument.type):
            texts.append(expressions.pinned(writer, expressions.value(writer, argument), argument.type))
        else:
            texts.append(places.in_our_memory(writer, argument).address)
    if destination is not None:
        texts.append(destination.address)
    text = f"{function}({', '.join(texts)})"
    if isinstance(subprogram.result, NoneType) or destination is not None:
        writer.emit(f"{text};")
        return ""
    return writer.temp(subprogram.result, text, "result")


def write_called(writer: Writer, node: object) -> None:
    """Writes every function that statements call, callees first; their buffers stay reserved."""
    if isinstance(node, tuple):
        for item in node:
            write_called(writer, item)
    elif isinstance(node, ir.Expr | ir.Stmt):
        for name in type(node).__struct_fields__:
            if name not in ("span", "type"):
                write_called(writer, getattr(node, name))
        if isinstance(node, ir.SubprogramCall) and node.function not in writer.program.subprograms:
            write_called(writer, _find(writer, node.function).body)
            _function(writer, node.function)
            writer.program.arena = writer.program.arena_peak


def _find(writer: Writer, name: str) -> ir.TypedSubprogram:
    for subprogram in writer.module.typed.subprograms:
        if subprogram.name == name:
            return subprogram
    raise CodegenError(f"no function {name}")


def _function(writer: Writer, name: str) -> str:
    """The C name; the function is written when a program first calls it."""
    program = writer.program
    if name in program.subprograms:
        return program.subprograms[name]
    number = len(program.subprograms)
    program.zeros = max(program.zeros, 8)  # the function takes the scratch memory, so there must be some
    c_name = f"{program.probe.function}_fn_{number}{writer.module.suffix(name)}"
    program.subprograms[name] = c_name
    subprogram = _find(writer, name)
    gives_scalar = is_scalar(subprogram.result)
    inner = Writer(
        module=writer.module,
        program=program,
        locals=subprogram.locals,
        prefix=f"f{number}v",
        leave="return 0;" if gives_scalar else "return;",
        result=None if isinstance(subprogram.result, NoneType) else subprogram.result,
        counter=writer.counter,
    )
    if loops.needs_frame(subprogram.body):
        inner.frame = "scratch->"
    head = _head(subprogram, c_name, program.probe.function)
    _receive(inner, subprogram)
    statements.write_all(inner, subprogram.body)
    if gives_scalar:
        inner.emit("return 0;")
    program.functions.append(WrittenFunction(c_name, head, f"fn {number}", tuple(inner.lines), inlined=True))
    return c_name


def _head(subprogram: ir.TypedSubprogram, c_name: str, program: str) -> str:
    parameters = ["void *ctx", f"struct {program}_scratch *scratch"]
    for position, slot in enumerate(subprogram.parameters):
        type_ = subprogram.locals[slot].type
        parameters.append(f"{c_type(type_)} a{position}" if is_scalar(type_) else f"u8 *a{position}")
    if not is_scalar(subprogram.result) and not isinstance(subprogram.result, NoneType):
        parameters.append("u8 *result")
    kind = c_type(subprogram.result) if is_scalar(subprogram.result) else "void"
    return f"{kind} {c_name}({', '.join(parameters)})"


def _receive(inner: Writer, subprogram: ir.TypedSubprogram) -> None:
    declare_locals(inner)
    for position, slot in enumerate(subprogram.parameters):
        type_ = inner.locals[slot].type
        if is_scalar(type_):
            inner.lines.append(Line(1, f"{inner.local(slot)} = a{position};", inner.span))
        else:
            given = places.Known(inner.span, type_, Place(AddressSpace.BPF, f"a{position}"))
            places.write(inner, ir.Member(inner.span, type_, given, 0), places.local_place(inner, slot))


def give_result(writer: Writer, value: ir.Expr) -> None:
    """`return value;`"""
    if not is_scalar(value.type):
        if writer.in_callback:
            raise CodegenError("a function can't return a string or tuple out of a loop")
        places.write(writer, value, Place(AddressSpace.BPF, "result"))
        writer.emit(writer.leave)
        return
    text = expressions.value(writer, value)
    if not writer.in_callback:
        writer.emit(f"return {text};")
        return
    writer.emit(f"{writer.frame}{writer.prefix}_result = {text};")
    loops.leave_function(writer)
