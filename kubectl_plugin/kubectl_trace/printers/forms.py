"""The forms of `-o`, and the view that prints each."""

from __future__ import annotations

from pathlib import Path

from kubectl_trace.context import Context
from kubectl_trace.printers.view import View

FORMS = ("text", "json", "jsonl", "yaml")


def view_for(context: Context, *, form: str, save_in: str = "") -> View:
    """The view of that form; with `save_in`, one that also writes the result into files there."""
    view = _plain(context, form=form)
    if not save_in:
        return view
    from kubectl_trace.printers.saved import SavingView

    return SavingView(view, directory=Path(save_in))


def _plain(context: Context, *, form: str) -> View:
    if form == "text":
        if context.is_terminal():
            from kubectl_trace.printers.live import LiveView

            return LiveView(context)
        from kubectl_trace.printers.text import TextView

        return TextView(context)
    from kubectl_trace.printers.structured import DocumentView, JsonLinesView

    return JsonLinesView(context) if form == "jsonl" else DocumentView(context, form=form)
