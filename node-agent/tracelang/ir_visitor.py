"""Going over the typed tree: every expression and statement below a node, in no order that means anything."""

from __future__ import annotations

from collections.abc import Iterator

from tracelang import ir


def walk(node: object) -> Iterator[ir.Expr | ir.Stmt]:
    """node: an expression, a statement, a tuple of them, or None; itself is among what comes."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(item)
        elif isinstance(item, ir.Expr | ir.Stmt):
            yield item
            kind = type(item)
            stack.extend(getattr(item, name) for name in kind.__struct_fields__ if name not in ("span", "type"))
