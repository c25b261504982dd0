"""From a tree back to text, in one canonical form: parsing it again gives the same tree, spans aside.

For golden files, for showing what passes made of a program, and for the law that binds the parser. Parentheses are
printed only where they are needed; a block expression always has them, so that it can't be taken for a block.
"""

from __future__ import annotations

from typing import assert_never

from tracelang import nodes
from tracelang.literals import quoted
from tracelang.parser.expressions import PRECEDENCE
from tracelang.printer_declarations import (
    print_attach_point,
    print_c_definition,
    print_c_type,
    print_config,
)

_TERNARY, _UNARY, _POSTFIX = 0, 20, 30
_INDENT = "  "


def print_program(program: nodes.Program) -> str:
    """The whole program, items grouped by kind."""
    parts = [print_c_definition(definition) for definition in program.c_definitions]
    if program.config:
        parts.append(print_config(program.config))
    parts += [f"import {quoted(item.path)};" for item in program.imports]
    parts += [f"let @{item.name} = {item.kind}({item.max_entries});" for item in program.map_declarations]
    parts += [_macro(item) for item in program.macros]
    parts += [_subprogram(item) for item in program.subprograms]
    parts += [_probe(item) for item in program.probes]
    return "".join(f"{part}\n" for part in parts)


def _macro(macro: nodes.Macro) -> str:
    sigils = {
        nodes.MacroParameterKind.VARIABLE: "$",
        nodes.MacroParameterKind.MAP: "@",
        nodes.MacroParameterKind.EXPRESSION: "",
    }
    parameters = ", ".join(sigils[parameter.kind] + parameter.name for parameter in macro.parameters)
    return f"macro {macro.name}({parameters}) {_body(macro.body.statements, macro.body.value, 0)}"


def _subprogram(item: nodes.Subprogram) -> str:
    parameters = ", ".join(f"${name}: {print_type(type_)}" for name, type_ in item.parameters)
    return f"fn {item.name}({parameters}): {print_type(item.result)} {_block(item.body, 0)}"


def _probe(probe: nodes.Probe) -> str:
    name = f"{probe.name} = " if probe.name else ""
    points = ",\n".join(print_attach_point(point) for point in probe.attach_points)
    predicate = f"\n/ {print_expression(probe.predicate)} /" if probe.predicate is not None else ""
    return f"{name}{points}{predicate}\n{_block(probe.body, 0)}"


# --- statements


def _block(block: nodes.Block, depth: int) -> str:
    return _body(block.statements, None, depth)


def _body(statements: tuple[nodes.Statement, ...], value: nodes.Expression | None, depth: int) -> str:
    inner = _INDENT * (depth + 1)
    lines = [f"{inner}{_statement(statement, depth + 1)}" for statement in statements]
    if value is not None:
        lines.append(f"{inner}{print_expression(value, depth + 1)}")
    if not lines:
        return "{}"
    return "\n".join(["{", *lines, _INDENT * depth + "}"])


def _statement(statement: nodes.Statement, depth: int) -> str:
    def text(expression: nodes.Expression) -> str:
        return print_expression(expression, depth)

    match statement:
        case nodes.ExpressionStatement(expression=expression):
            return f"{text(expression)};"
        case nodes.Assign(target=target, operator=operator, value=value):
            return f"{text(target)} {operator}= {text(value)};"
        case nodes.Declare(variable=variable, type=type_, value=initial):
            annotation = f": {print_type(type_)}" if type_ is not None else ""
            assigned = f" = {text(initial)}" if initial is not None else ""
            return f"let ${variable.name}{annotation}{assigned};"
        case nodes.Discard(value=value):
            return f"_ = {text(value)};"
        case nodes.Block():
            return f"{_block(statement, depth)};"
        case nodes.If():
            return f"{_if(statement, depth)};"
        case nodes.While(condition=condition, body=body):
            return f"while {text(condition)} {_block(body, depth)}"
        case nodes.Unroll(count=count, body=body):
            return f"unroll {text(count)} {_block(body, depth)}"
        case nodes.ForMap(variable=variable, map=map_, body=body):
            return f"for (${variable.name} : {text(map_)}) {_block(body, depth)}"
        case nodes.ForRange(variable=variable, start=start, end=end, body=body):
            return f"for (${variable.name} : {text(start)}..{text(end)}) {_block(body, depth)}"
        case nodes.Jump(kind=kind, value=returned):
            return f"{kind.value} {text(returned)};" if returned is not None else f"{kind.value};"
    raise TypeError(f"no text for {statement!r}")


def _if(statement: nodes.If, depth: int) -> str:
    text = f"if {print_expression(statement.condition, depth)} {_block(statement.then, depth)}"
    match statement.otherwise:
        case None:
            return text
        case nodes.Block(statements=(nodes.If() as nested,)):
            return f"{text} else {_if(nested, depth)}"
        case otherwise:
            return f"{text} else {_block(otherwise, depth)}"


# --- expressions


def print_expression(expression: nodes.Expression, depth: int = 0, minimum: int = _TERNARY) -> str:
    """The expression, in parentheses if it binds less tightly than `minimum`. `depth` indents blocks in it."""
    text, level = _expression(expression, depth)
    return f"({text})" if level < minimum else text


def _expression(expression: nodes.Expression, depth: int) -> tuple[str, int]:
    """The text, and how tightly it binds."""

    def part(inner: nodes.Expression, minimum: int = _TERNARY) -> str:
        return print_expression(inner, depth, minimum)

    match expression:
        case nodes.Binary(operator=operator, left=left, right=right):
            level = PRECEDENCE[operator]
            return f"{part(left, level)} {operator} {part(right, level + 1)}", level
        case nodes.Ternary(condition=condition, then=then, otherwise=otherwise):
            chosen = f"? {part(then)} :" if then is not None else "?:"
            return f"{part(condition, 1)} {chosen} {part(otherwise)}", _TERNARY
        case nodes.Unary(operator=operator, operand=operand):
            inner = part(operand, _UNARY)
            # `--x` would be a decrement.
            return f"{operator}({inner})" if inner.startswith(operator) else operator + inner, _UNARY
        case nodes.Increment(target=target, step=step, postfix=postfix):
            sign = "++" if step > 0 else "--"
            inner = part(target, _POSTFIX)
            return (inner + sign, _UNARY) if postfix else (sign + inner, _UNARY)
        case nodes.Cast(type=type_, operand=operand):
            return f"({print_type(type_)}){part(operand, _UNARY)}", _UNARY
        case nodes.Comptime(operand=operand):
            return f"comptime {part(operand, _UNARY)}", _UNARY
        case nodes.FieldAccess(base=base, name=name, arrow=arrow):
            return f"{part(base, _POSTFIX)}{'->' if arrow else '.'}{name}", _POSTFIX
        case nodes.TupleAccess(base=base, index=number):
            return f"{part(base, _POSTFIX)}.{number}", _POSTFIX
        case nodes.Index(base=base, index=index):
            inner = part(base, _POSTFIX)
            if isinstance(base, nodes.Map) and base.keys is None:
                inner = f"({inner})"  # else the index would be the map's key
            return f"{inner}[{part(index)}]", _POSTFIX
        case nodes.BlockExpression(statements=(), value=nodes.Expression() as value):
            return f"({{ {part(value)} }})", _POSTFIX
        case nodes.BlockExpression(statements=statements, value=value):
            return f"({_body(statements, value, depth)})", _POSTFIX
        case _:
            return _primary(expression, depth), _POSTFIX


def _primary(expression: nodes.Expression, depth: int) -> str:
    def listed(items: tuple[nodes.Expression, ...]) -> str:
        return ", ".join(print_expression(item, depth) for item in items)

    match expression:
        case nodes.Integer(text=text):
            return text
        case nodes.String(value=value):
            return quoted(value)
        case nodes.Boolean(value=truth):
            return "true" if truth else "false"
        case nodes.Identifier(name=name):
            return name
        case nodes.PositionalParameter(index=index):
            return f"${index}"
        case nodes.PositionalCount():
            return "$#"
        case nodes.Variable(name=name):
            return f"${name}"
        case nodes.Map(name=name, keys=keys):
            return f"@{name}" if keys is None else f"@{name}[{listed(keys)}]"
        case nodes.Call(name=name, arguments=arguments):
            return f"{name}({listed(arguments)})"
        case nodes.TypeExpression(type=type_):
            text = print_type(type_)
            plain = type_.name == "typeof" and not type_.pointers and not type_.dimensions
            return text if plain else f"typeof({text})"
        case nodes.Sizeof(operand=operand):
            return f"sizeof({_type_or_expression(operand, depth)})"
        case nodes.Offsetof(operand=operand, fields=fields):
            return f"offsetof({_type_or_expression(operand, depth)}, {'.'.join(fields)})"
        case nodes.Tuple(elements=elements):
            return f"({listed(elements)},)" if len(elements) == 1 else f"({listed(elements)})"
        case nodes.Record(fields=named):
            return f"({', '.join(f'{name}={print_expression(item, depth)}' for name, item in named)})"
    raise TypeError(f"no text for {expression!r}")


def _type_or_expression(operand: nodes.TypeName | nodes.Expression, depth: int) -> str:
    match operand:
        case nodes.TypeName():
            return print_type(operand)
        case nodes.Index():
            return f"({print_expression(operand, depth)})"  # `x[3]` alone would be an array type
        case nodes.Expression():
            return print_expression(operand, depth)
        case _:
            assert_never(operand)


def print_type(type_: nodes.TypeName) -> str:
    """A type name as the language writes it."""
    if type_.of is not None:
        base = f"typeof({_type_or_expression(type_.of, 0)})"
    elif type_.name == "tuple" and type_.elements:
        base = f"({', '.join(print_type(element) for element in type_.elements)})"
    else:
        base = type_.name
    return print_c_type(base, type_)
