"""Calls: of functions in the table, of builtins with brackets, of the program's own functions, of the kernel's."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.facts import Signature
from tracelang.lowering.aggregates import MAP_FUNCTIONS
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import convert
from tracelang.lowering.counts import count_message
from tracelang.suggest import did_you_mean
from tracelang.type_rules import UnresolvedType, base_name, harden, promote, show
from tracelang.types import NONE, S64, U64, PointerType, VoidType, is_scalar


def lower_call(body: Body, node: nodes.Call) -> ir.Expr:
    from tracelang.builtins import BUILTINS
    from tracelang.functions import FUNCTIONS
    from tracelang.lowering.identifiers import lower_identifier

    if node.name in body.analysis.subprograms:
        return _call_subprogram(body, node, body.analysis.subprograms[node.name])
    if node.name in MAP_FUNCTIONS:
        return body.error(
            node.span, f"{node.name}() must be assigned directly to a map", f"write @name = {node.name}(...)"
        )
    function = FUNCTIONS.get(node.name)
    if function is not None:
        given = len(node.arguments)
        if not function.least <= given <= function.most:
            return body.error(node.span, count_message(node.name, function.least, function.most, given))
        if function.unsafe and not body.analysis.options.unsafe:
            return body.error(
                node.span,
                f"{node.name}() is an unsafe function being used in safe mode",
                "it needs the --unsafe flag: it changes what the traced system does",
            )
        return function.lower(body, node)
    if not node.arguments and node.name.removeprefix("__builtin_") in BUILTINS:
        return lower_identifier(body, nodes.Identifier(node.span, node.name))
    kernel = body.facts.kfunc(node.name)
    if kernel is not None:
        return _call_kernel(body, node, kernel)
    names = [*FUNCTIONS, *MAP_FUNCTIONS, *BUILTINS, *body.analysis.subprograms]
    return body.error(node.span, f"Unknown function: '{node.name}'", did_you_mean(node.name, names))


def _call_subprogram(body: Body, node: nodes.Call, called: nodes.Subprogram) -> ir.Expr:
    from tracelang.lowering.casts import written_type

    if len(node.arguments) != len(called.parameters):
        return body.error(
            node.span,
            f"Function `{node.name}` requires {len(called.parameters)} arguments, got {len(node.arguments)}",
        )
    result = written_type(body, called.result)
    values = []
    for argument, (name, written) in zip(node.arguments, called.parameters, strict=True):
        wanted = written_type(body, written)
        value = body.lower(body, argument)
        if wanted is None or isinstance(value.type, UnresolvedType):
            return missing(node.span)
        both = promote(wanted, value.type)
        if both is None or harden(both) != harden(wanted):
            return body.error(value.span, f"Expected {show(wanted)} for argument `{name}` got {show(value.type)}")
        values.append(convert(value, wanted))
    if result is None:
        return missing(node.span)
    type_ = NONE if isinstance(result, VoidType) else harden(result)
    return ir.SubprogramCall(node.span, type_, node.name, tuple(values))


def _call_kernel(body: Body, node: nodes.Call, number: int) -> ir.Expr:
    """A kernel function that BPF programs may call, with the types that BTF gives it."""
    signature: Signature | None = body.facts.kernel_function(node.name)
    if signature is None:
        return body.error(node.span, f"The kernel has no types for {node.name}()")
    if len(signature.parameters) != len(node.arguments):
        return body.error(
            node.span,
            f"Function `{node.name}` requires {len(signature.parameters)} arguments, got only {len(node.arguments)}",
        )
    values = []
    for argument, parameter in zip(node.arguments, signature.parameters, strict=True):
        value = body.lower(body, argument)
        if isinstance(value.type, UnresolvedType):
            return missing(node.span)
        if not is_scalar(value.type) or isinstance(parameter.type, PointerType) != isinstance(value.type, PointerType):
            return body.error(
                value.span,
                f"Expected {show(parameter.type)} for argument `{parameter.name}` got {base_name(value.type)}",
            )
        values.append(convert(value, parameter.type if is_scalar(parameter.type) else S64))
    result = signature.result
    type_ = NONE if result is None or isinstance(result, VoidType) else harden(result)
    constants: dict[str, int | str] = {"name": node.name, "id": number}
    call = ir.Intrinsic(node.span, type_ if is_scalar(type_) else U64, ir.IntrinsicKind.KFUNC, tuple(values), constants)
    if type_ == NONE:
        return ir.Sequence(node.span, NONE, (ir.Evaluate(node.span, call),), None)
    return call
