"""What jinja2's compiled templates call, so that running one needn't import jinja2 (25 ms).

`compiled_templates.py` is jinja2's own translation of templates/*.j2 to Python (`make generate`). It asks for little:
values by name, attributes by name, and a complaint about a name that nobody gave. A test holds the two to each other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn


class Missing:
    """The value of a name that wasn't given."""


missing = Missing()


class Undefined:
    """jinja2's StrictUndefined: a template that reads a name which it isn't given is a fault of ours."""

    def __init__(self, name: str = "") -> None:
        raise LookupError(f"the template wants a value {name!r}, which it isn't given")


class Environment:
    undefined = Undefined
    getattr = staticmethod(getattr)

    @staticmethod
    def concat(parts: list[str]) -> NoReturn:
        raise NotImplementedError("blocks and macros of templates")


class Values:
    """jinja2's context: the values that a template is given."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def resolve_or_missing(self, name: str) -> object:
        return self._values.get(name, missing)


environment = Environment()


def render(name: str, values: Mapping[str, object]) -> str:
    """The text of template `name` ("program.c.j2"). Raises LookupError."""
    from tracelang.codegen.compiled_templates import TEMPLATES

    template: Callable[[Values], Iterable[str]] = TEMPLATES[name]
    return "".join(template(Values(values)))
