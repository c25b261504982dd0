"""Bare names: builtins, enum constants; what a name may have been meant to be."""

from __future__ import annotations

import re

from tracelang import ir, nodes
from tracelang.builtins import BUILTINS
from tracelang.functions.table import Function
from tracelang.lowering.arguments import positional_argument, stack_argument
from tracelang.lowering.body import Body
from tracelang.suggest import did_you_mean
from tracelang.types import EnumType

_ARGUMENT = re.compile(r"arg([0-9]+)")
_STACK_ARGUMENT = re.compile(r"sarg([0-9]+)")


def lower_identifier(body: Body, node: nodes.Identifier) -> ir.Expr:
    name = node.name.removeprefix("__builtin_")  # upstream's own library writes builtins so
    builtin = BUILTINS.get(name)
    if builtin is not None and not (builtin.extension and body.analysis.types.constant(name) is not None):
        return builtin.lower(body, node.span)
    match = _ARGUMENT.fullmatch(name)
    if match:
        return positional_argument(body, int(match[1]), node.span)
    match = _STACK_ARGUMENT.fullmatch(name)
    if match:
        return stack_argument(body, int(match[1]), node.span)
    constant = body.analysis.types.constant(name)
    if constant is not None:
        value, enum = constant
        return ir.Constant(node.span, EnumType(enum.name, 64, enum.signed, enum.variants), value)
    function = find_function(name)
    if function is not None and function.least == 0:
        return function.lower(body, nodes.Call(node.span, name, ()))
    return unknown_identifier(body, node)


def find_function(name: str) -> Function | None:
    """A function that may be written without brackets when it takes no arguments."""
    from tracelang.functions import FUNCTIONS

    return FUNCTIONS.get(name)


def unknown_identifier(body: Body, node: nodes.Identifier) -> ir.Expr:
    from tracelang.functions import FUNCTIONS

    if node.name in body.variable_names():
        hint = f"did you mean ${node.name}?"
    elif node.name in FUNCTIONS:
        usage = FUNCTIONS[node.name].usage
        hint = f"{node.name} is a function: write {usage}"
    else:
        names = [*BUILTINS, *(f"arg{index}" for index in range(6)), *body.analysis.types.own_constants()]
        hint = did_you_mean(node.name, names)
    return body.error(node.span, f"Unknown identifier: '{node.name}'", hint)
