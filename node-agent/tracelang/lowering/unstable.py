"""Features that may still change: allowed, with a warning, or refused by the setting `unstable_NAME`."""

from __future__ import annotations

from tracelang.lowering.body import Body
from tracelang.source import NOWHERE, Span


def may_use(body: Body, span: Span, feature: str) -> bool:
    match body.analysis.text(f"unstable_{feature}"):
        case "error":
            body.error(
                span,
                f"{feature} feature is not enabled by default. To enable this unstable feature, set the config flag "
                f"to enable. unstable_{feature}=enable",
            )
            return False
        case "warn":
            body.warn(
                NOWHERE,
                f"Script is using an unstable feature: {feature}. To prevent this warning you must explicitly enable "
                f"it in the config e.g. unstable_{feature}=enable",
            )
    return True
