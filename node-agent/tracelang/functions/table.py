"""One row of the table of functions."""

from __future__ import annotations

from collections.abc import Callable

from tracelang import ir, nodes
from tracelang.lowering.body import Body
from tracelang.structs import Struct

Rule = Callable[[Body, nodes.Call], ir.Expr]
MANY = 1000


class Function(Struct, frozen=True):
    """`usage` as the reference shows it; `least` and `most` arguments; `lower` has the call's nodes to itself."""

    name: str
    usage: str
    least: int
    most: int
    lower: Rule
    doc: str
    unsafe: bool = False
