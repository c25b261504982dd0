"""kubectl's spelling of label selectors (`a=b,c in (x,y),!d`) as the API's `LabelSelector`. Pure."""

from __future__ import annotations

import re

from kubectl_trace.errors import UsageMistake
from tracejob_api.spec import LabelSelector, SelectorOperator, SelectorRequirement

_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUALS = re.compile(rf"(?P<key>{_KEY})\s*(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})")
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)")
_EXISTS = re.compile(rf"(?P<not>!?)\s*(?P<key>{_KEY})")
_COMMAS = re.compile(r",(?![^(]*\))")


def parse_selector(text: str) -> LabelSelector:
    """The selector; UsageMistake quotes the part that isn't one."""
    labels: dict[str, str] = {}
    requirements: list[SelectorRequirement] = []
    for part in _COMMAS.split(text):
        requirement = _requirement(part.strip())
        if requirement is None:
            raise UsageMistake(
                f"{part.strip()!r} is no label selector", hint="write -l app=web,tier!=cache or -l 'app in (web,api)'"
            )
        if requirement.operator is SelectorOperator.IN and _EQUALS.fullmatch(part.strip()):
            if labels.get(requirement.key, requirement.values[0]) != requirement.values[0]:
                raise UsageMistake(f"{requirement.key} can't have two values at once")
            labels[requirement.key] = requirement.values[0]
        else:
            requirements.append(requirement)
    return LabelSelector(match_labels=labels, match_expressions=tuple(requirements))


def _requirement(part: str) -> SelectorRequirement | None:
    if match := _EQUALS.fullmatch(part):
        operator = SelectorOperator.NOT_IN if match["operator"] == "!=" else SelectorOperator.IN
        return SelectorRequirement(key=match["key"], operator=operator, values=(match["value"],))
    if match := _SET.fullmatch(part):
        operator = SelectorOperator.IN if match["operator"] == "in" else SelectorOperator.NOT_IN
        values = tuple(value.strip() for value in match["values"].split(","))
        return SelectorRequirement(key=match["key"], operator=operator, values=values)
    if match := _EXISTS.fullmatch(part):
        operator = SelectorOperator.DOES_NOT_EXIST if match["not"] else SelectorOperator.EXISTS
        return SelectorRequirement(key=match["key"], operator=operator)
    return None
