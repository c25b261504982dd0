"""The part of Go's templates that the chart may use."""

from __future__ import annotations

import pytest

from kubectl_trace.chart import merged, parse_set, unknown_values
from kubectl_trace.template import TemplateError, render

SCOPE = {"Values": {"a": {"b": "x"}, "on": True, "off": False, "list": ["p", "q"], "empty": {}, "n": 3}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ .Values.a.b }}", "x"),
        ("{{ .Values.a.b | quote }}", '"x"'),
        ("{{ .Values.missing }}", ""),
        ('{{ .Values.missing | default "d" }}', "d"),
        ("{{ .Values.on }} {{ .Values.n }}", "true 3"),
        ("a\n{{- if .Values.on }}\nb\n{{- end }}\nc", "a\nb\nc"),
        ("{{ if .Values.off }}a{{ else if .Values.on }}b{{ else }}c{{ end }}", "b"),
        ("{{ if .Values.empty }}a{{ else }}c{{ end }}", "c"),
        ("{{ range .Values.list }}-{{ . }}{{ end }}", "-p-q"),
        ("{{ range .Values.list }}{{ $.Values.n }}{{ end }}", "33"),
        ("{{ with .Values.a }}{{ .b }}{{ end }}", "x"),
        ("{{ with .Values.missing }}{{ .b }}{{ end }}", ""),
        ("k:\n  {{- toYaml .Values.list | nindent 2 }}", "k:\n  - p\n  - q"),
        ("{{ if and .Values.on (eq .Values.n 3) }}y{{ end }}", "y"),
        ("{{ if or .Values.off (not .Values.on) }}y{{ else }}n{{ end }}", "n"),
        ("{{/* a comment */}}z", "z"),
        ('{{ printf "%s-%s" .Values.a.b "y" }}', "x-y"),
    ],
)
def test_renders_as_helm_does(template: str, text: str) -> None:
    assert render(template, SCOPE) == text


@pytest.mark.parametrize("template", ['{{ include "x" . }}', "{{ if .a }}", "{{ end }}", "{{ }}", "{{ .a | foo }}"])
def test_what_is_not_known_is_an_error(template: str) -> None:
    with pytest.raises(TemplateError):
        render(template, SCOPE)


def test_values_are_merged_and_set() -> None:
    over = parse_set(("image.tag=v2", "replicas=2", "name="))
    assert merged({"image": {"tag": "v1", "name": "n"}}, over) == {
        "image": {"tag": "v2", "name": "n"}, "replicas": 2, "name": "",
    }  # fmt: skip
    assert list(unknown_values({"image": {"tga": 1}, "b": 1}, {"image": {"tag": ""}})) == ["image.tga", "b"]
