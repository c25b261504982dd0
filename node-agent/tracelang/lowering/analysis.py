"""What one compilation knows while it types a program: settings, symbols, events, diagnostics.

Everything that survives a round (symbols) and everything that a round makes anew (events, diagnostics) is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tracelang import nodes
from tracelang.config import Value
from tracelang.diagnostics import Diagnostics, Note
from tracelang.facts import Facts, Layout
from tracelang.plan import CompileOptions, EventField, EventKind, EventSpec
from tracelang.report import excerpt, place
from tracelang.source import NOWHERE, Source, Span
from tracelang.structs import Struct, field
from tracelang.symbols import MapSymbol, VariableSymbol
from tracelang.type_names import TypeNames
from tracelang.type_rules import harden, is_known, promote, same_shape, show
from tracelang.types import S64, Type, align_of, align_up, size_of

LOCATED = frozenset({EventKind.ERRORF, EventKind.WARNF, EventKind.RUNTIME_ERROR})
"""Events that say where in the program they come from."""


class Analysis(Struct):
    """`changed` is set when a symbol's type grew: another round is due."""

    facts: Facts
    options: CompileOptions
    settings: dict[str, Value]
    types: TypeNames
    sources: tuple[Source, ...]
    declarations: dict[str, nodes.MapDeclaration]
    subprograms: dict[str, nodes.Subprogram]
    maps: dict[str, MapSymbol] = field(default_factory=dict)
    variables: dict[tuple[object, ...], VariableSymbol] = field(default_factory=dict)
    changed: bool = False
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    events: list[EventSpec] = field(default_factory=list)
    probe_names: list[str] = field(default_factory=list)
    map_reads: dict[str, Span] = field(default_factory=dict)
    unknown_reads: dict[Span, str] = field(default_factory=dict)  # variables without a type yet
    mentioned: set[str] = field(default_factory=set)
    told: set[tuple[Span, str]] = field(default_factory=set)
    used_options: dict[str, str] = field(default_factory=dict)  # by getopt(): what they are for, by name
    option_defaults: dict[str, str | int | None] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)  # of structs that are shown
    failures: dict[tuple[str, Span], int] = field(default_factory=dict)  # see ir.TypedProgram
    calls: list[Span] = field(default_factory=list)  # of the macros that the analyser is in, the outermost first

    def begin_round(self) -> None:
        self.changed = False
        self.diagnostics = Diagnostics()
        self.events = []
        self.probe_names = []
        self.map_reads = {}
        self.unknown_reads = {}
        self.mentioned = set()
        self.told = set()
        self.failures = {}
        for symbol in self.maps.values():
            symbol.only_added = True
            symbol.merged = False
            symbol.written = symbol.assumed

    # --- diagnostics: a place of the program is told of once, whatever variants of the probe say about it

    def error(self, span: Span, message: str, hint: str = "", notes: tuple[Note, ...] = (), *, status: int = 1) -> None:
        if span == NOWHERE or (span, "") not in self.told:
            self.told.add((span, ""))
            calls = self._calls_around(span)
            self.diagnostics.error(span, message, hint=hint, notes=notes, status=status, calls=calls)

    def warn(self, span: Span, message: str, hint: str = "") -> None:
        if self.options.warnings and (span, message) not in self.told:
            self.told.add((span, message))
            self.diagnostics.warning(span, message, hint=hint, calls=self._calls_around(span))

    @contextmanager
    def called(self, call: Span | None) -> Iterator[None]:
        """While the body of a macro is looked at that `call` stands for; None: what was written where it is."""
        if call is None:
            yield
            return
        self.calls.append(call)
        try:
            yield
        finally:
            self.calls.pop()

    def _calls_around(self, span: Span) -> tuple[Span, ...]:
        """The innermost first. What is an argument of a call needs no telling where the call is."""
        return tuple(call for call in reversed(self.calls) if span != NOWHERE and not call.contains(span))

    # --- settings

    def number(self, name: str) -> int:
        value = self.settings[name]
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        return str(self.settings[name])

    # --- maps

    def map(self, name: str) -> MapSymbol:
        self.mentioned.add(name)
        return self.maps.setdefault(name, MapSymbol(name))

    def grow_value(self, symbol: MapSymbol, type_: Type, span: Span) -> bool:
        """The map's value holds `type_` from now on; False (and told) when it can't."""
        both = promote(symbol.value, type_)
        if both is None:
            self._mismatch(f"@{symbol.name}", "map", type_, symbol.value, span=span, first=symbol.value_span)
            return False
        if symbol.value_span == NOWHERE:
            symbol.value_span = span
        if both != symbol.value:
            symbol.value = both
            self.changed = True
        return True

    def grow_key(self, symbol: MapSymbol, type_: Type, span: Span) -> bool:
        assert symbol.key is not None
        both = promote(symbol.key, type_)
        if both is None:
            note = (Note(symbol.key_span, "the first use is here"),) if symbol.key_span != NOWHERE else ()
            self.error(
                span,
                f"Argument mismatch for @{symbol.name}: trying to access with arguments: '{show(type_)}' "
                f"when map expects arguments: '{show(symbol.key)}'",
                notes=note,
            )
            return False
        if symbol.key_span == NOWHERE:
            symbol.key_span = span
        if both != symbol.key:
            symbol.key = both
            self.changed = True
        return True

    def grow_variable(self, symbol: VariableSymbol, type_: Type, span: Span) -> bool:
        both = promote(symbol.type, type_)
        if both is not None and symbol.declared and not same_shape(both, symbol.type):
            both = None
        if both is None:
            self._mismatch(f"${symbol.name}", "variable", type_, symbol.type, span=span, first=symbol.span)
            return False
        if not symbol.declared and both != symbol.type:
            symbol.type = both
            self.changed = True
        return True

    def _mismatch(self, name: str, what: str, new: Type, old: Type, *, span: Span, first: Span) -> None:
        notes = (Note(first, f"{name} got its type here"),) if first not in (NOWHERE, span) else ()
        self.error(
            span,
            f"Type mismatch for {name}: trying to assign value of type '{show(new)}' "
            f"when {what} already has a type '{show(old)}'",
            notes=notes,
        )

    # --- events

    def add_event(
        self,
        kind: EventKind,
        types: tuple[Type, ...],
        *,
        span: Span,
        text: str = "",
        map_name: str = "",
        options: dict[str, int | str] | None = None,
    ) -> int:
        """The index of a new event whose record holds values of these types, in order."""
        offset = 8
        fields = []
        for item in types:
            hard = harden(item)
            offset = align_up(offset, max(1, align_of(hard)))
            fields.append(EventField(offset, hard))
            offset += size_of(hard) if is_known(hard) else 0
        line, column = self._position(span)
        where = self._where(span) if kind in LOCATED and self.sources else {}
        self.events.append(
            EventSpec(
                id=len(self.events),
                kind=kind,
                size=align_up(offset, 8),
                fields=tuple(fields),
                text=text,
                map=map_name,
                options={**(options or {}), **where},
                line=line,
                column=column,
            )
        )
        return len(self.events) - 1

    def failure(self, what: str, span: Span, *, helper: str, message: str = "") -> None:
        """A helper at `span` may fail: there is an event that tells of it with the helper's number."""
        if self.options.warnings and (what, span) not in self.failures:
            options: dict[str, int | str] = {"helper": helper, "quote": self.quoted(span)}
            event = self.add_event(EventKind.RUNTIME_ERROR, (S64,), span=span, text=message, options=options)
            self.failures[(what, span)] = event

    def _position(self, span: Span) -> tuple[int, int]:
        return self.sources[span.source].position(span.start) if span.source < len(self.sources) else (0, 0)

    def _where(self, span: Span) -> dict[str, str]:
        """expanded: the calls of macros around it, each its place and what quotes it."""
        calls = [f"{place(call, self.sources, name=False)}{self.quoted(call)}" for call in self._calls_around(span)]
        found = {"place": place(span, self.sources, name=False)}
        return {**found, "expanded": "\f".join(calls)} if calls else found

    def quoted(self, span: Span) -> str:
        """The line of the program with the span marked, for a message that is shown while the program runs."""
        return "".join(f"\n{line}" for line in excerpt(span, self.sources))
