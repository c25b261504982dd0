"""Pieces of C that come in variants, as jinja2 templates: a name and values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import jinja2


def render_piece(name: str, values: Mapping[str, object]) -> str:
    return _environment().get_template(f"runtime/{name}.c.j2").render(values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tracelang.codegen", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C, not HTML; every value is made by the generator
    )
