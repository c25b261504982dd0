"""Type-checks programs against the table of facts; for the tests of types, probes and diagnostics."""

from __future__ import annotations

from lang.facts_table import TableFacts
from tracelang.compiler import CheckResult, check_program
from tracelang.diagnostics import Severity
from tracelang.ir import TypedMap, TypedProgram
from tracelang.plan import CompileOptions
from tracelang.types import Type, name_of


def check(text: str, options: CompileOptions | None = None, facts: TableFacts | None = None) -> CheckResult:
    return check_program(text, facts=facts or TableFacts(), options=options)


def typed(text: str, options: CompileOptions | None = None, facts: TableFacts | None = None) -> TypedProgram:
    result = check(text, options, facts)
    assert result.typed is not None, [item.message for item in result.diagnostics.items]
    return result.typed


def errors(text: str, options: CompileOptions | None = None, facts: TableFacts | None = None) -> list[str]:
    result = check(text, options, facts)
    return [item.message for item in result.diagnostics.items if item.severity is Severity.ERROR]


def warnings(text: str) -> list[str]:
    return [item.message for item in check(text).diagnostics.items if item.severity is Severity.WARNING]


def variable(text: str, name: str = "x", options: CompileOptions | None = None) -> str:
    """The type of `$x` in the first program."""
    return name_of(next(local.type for local in typed(text, options).probes[0].locals if local.name == name))


def map_of(text: str, name: str = "m") -> TypedMap:
    return next(item for item in typed(text).maps if item.name == name)


def key_name(key: Type | None) -> str:
    return "" if key is None else name_of(key)
