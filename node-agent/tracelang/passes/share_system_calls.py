"""Many tracepoints of system calls become one program at the raw tracepoint that feeds them all.

before: a program at 350 perf events, which takes 13 s to take down, and 140 ns a call before the program runs
after:  a program at sys_enter that looks its place up by the call's number, and leaves when it isn't asked for

Only a body that doesn't look at the record can be moved: of a call's end, `args.ret` is at hand too.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.ir_visitor import walk
from tracelang.lowering.body import Body, Place
from tracelang.providers.base import Provider
from tracelang.providers.system_calls import ENTER, EXIT
from tracelang.structs import replace

MANY = 32
"""Places from which on it pays: the shared program runs at every call of the machine, wanted or not."""

_NEEDS_THE_EVENT = frozenset(
    {
        ir.IntrinsicKind.CONTEXT,
        ir.IntrinsicKind.STACK,
        ir.IntrinsicKind.FUNC_ADDRESS,
        ir.IntrinsicKind.USER_MODE,
        ir.IntrinsicKind.USYM,
        ir.IntrinsicKind.RETURN_VALUE,
        ir.IntrinsicKind.OVERRIDE,
        ir.IntrinsicKind.ATTACH_COOKIE,
        ir.IntrinsicKind.KFUNC,
    }
)
_OTHER_FUNCTIONS = (ir.While, ir.ForRange, ir.ForMap, ir.SubprogramCall)
"""What is compiled into functions of its own, where the place isn't at hand."""


def shared_places(body: Body, lowered: tuple[object, ...], places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Those of the places that may share a program, with the provider to lower for; none: leave all as they are.

    body, lowered: the probe as it was lowered for these places.
    """
    thread = body.facts.struct("struct thread_info")
    if len(places) < MANY or thread is None or "status" not in thread.members:
        return ()
    for prefix, provider in (("sys_enter_", ENTER), ("sys_exit_", EXIT)):
        found = tuple(place for place in places if _is_call(place, prefix))
        if len(found) >= MANY and _may_move(body, lowered, provider):
            return tuple(replace(place, provider=provider) for place in found)
    return ()


def _is_call(place: Place, prefix: str) -> bool:
    return (
        place.provider.name == "tracepoint"
        and place.location.system_call >= 0
        and place.location.function.startswith(prefix)
    )


def _may_move(body: Body, lowered: tuple[object, ...], provider: Provider) -> bool:
    at_hand = provider.fields(body.facts, body.location) or {}
    return body.accessed.keys() <= at_hand.keys() and not any(_keeps_it(node) for node in walk(lowered))


def _keeps_it(node: ir.Expr | ir.Stmt) -> bool:
    return isinstance(node, _OTHER_FUNCTIONS) or (isinstance(node, ir.Intrinsic) and node.kind in _NEEDS_THE_EVENT)
