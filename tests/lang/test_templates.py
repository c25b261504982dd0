"""The C generator's templates, as jinja2 renders them and as their compiled form does without it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tracelang.codegen.compile_templates import TARGET, compiled_templates, jinja_environment
from tracelang.codegen.layout import FunctionText, MapText, ProgramText, StructText
from tracelang.codegen.template_runtime import render

OFFSETS = {"controller": "memory", "css_set": 8, "state": 16, "parent": 24, "cgroup": 32, "node": 40, "id": 48}
FILE: dict[str, object] = {
    "maps": (MapText("TJ_MAP_0", 0, "@a"), MapText("TJ_EVENTS", 1, "events")),
    "numbers": [("SCOPE_SLOTS", 4)],
    "events": (StructText("event_1", ("u64 id", "u8 text[16]")),),
    "runtime": ["static int piece(void) { return 0; }\n"],
    "programs": (
        ProgramText(
            (StructText("scratch", ("u64 number", "u8 text[8]", "u8 kept[8] __attribute__((aligned(4)))")),),
            (
                FunctionText("callback", "long callback(void)", ("  return 0;",), is_inlined=True),
                FunctionText("tj_probe_0", "int tj_probe_0(void *ctx)", ("  return 0;",), comment="{{ begin }}"),
            ),
        ),
    ),
}
CASES: list[tuple[str, dict[str, object]]] = [
    ("program.c.j2", FILE),
    ("runtime/cgroup_v1_read.c.j2", {"v1": SimpleNamespace(is_direct=True, **OFFSETS)}),
    ("runtime/cgroup_v1_read.c.j2", {"v1": SimpleNamespace(is_direct=False, **OFFSETS)}),
    ("runtime/in_scope_cgroups_v1.c.j2", {"v1": SimpleNamespace(**OFFSETS), "v1_levels": 32}),
]


def test_the_compiled_form_is_what_jinja2_makes_of_the_templates() -> None:
    assert TARGET.read_text() == compiled_templates(), "run make generate"


@pytest.mark.parametrize(("name", "values"), CASES)
def test_both_forms_give_the_same_text(name: str, values: dict[str, object]) -> None:
    assert render(name, values) == jinja_environment().get_template(name).render(values)


def test_a_value_that_is_not_given_is_a_fault() -> None:
    with pytest.raises(LookupError, match="'maps'"):
        render("program.c.j2", {key: value for key, value in FILE.items() if key != "maps"})
    with pytest.raises(AttributeError):
        render("program.c.j2", FILE | {"maps": [object()]})
