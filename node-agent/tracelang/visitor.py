"""Going over trees: every node in order, and a tree made anew from changed nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tracelang.nodes import Node
from tracelang.source import NOWHERE
from tracelang.structs import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    N = TypeVar("N", bound=Node)


_known_fields: dict[type[Node], tuple[str, ...]] = {}


def _field_names(class_: type[Node]) -> tuple[str, ...]:
    names = _known_fields.get(class_)
    if names is None:
        names = _known_fields[class_] = tuple(name for name in class_.__struct_fields__ if name != "span")
    return names


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    stack: list[object] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, Node):
            yield item
            stack.extend(getattr(item, name) for name in reversed(_field_names(type(item))))
        elif isinstance(item, tuple):
            stack.extend(reversed(item))


def rewrite(node: N, change: Callable[[Node], Node]) -> N:
    """The tree with `change` applied to every node, children first; unchanged parts are shared.

    `change` must return a node that may stand where the old one stood.
    """
    # The caller's promise:
    return change(rewrite_children(node, lambda child: rewrite(child, change)))  # type: ignore[return-value]


def rewrite_children(node: N, change: Callable[[Node], Node]) -> N:
    """The node with `change` applied to its direct children only."""
    changed: dict[str, Any] = {}  # as wide as replace() takes
    for name in _field_names(type(node)):
        before = getattr(node, name)
        after = _rewritten(before, change)
        if after is not before:
            changed[name] = after
    return replace(node, **changed) if changed else node


def _rewritten(value: object, change: Callable[[Node], Node]) -> object:
    if isinstance(value, Node):
        return change(value)
    if isinstance(value, tuple):
        items = tuple(_rewritten(item, change) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def without_spans(node: N) -> N:
    """The tree with every span NOWHERE: for comparing what was said, not where."""
    return rewrite(node, lambda item: replace(item, span=NOWHERE))
