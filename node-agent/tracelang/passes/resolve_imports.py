"""Imports and included headers become part of the program.

before: `#include "types.h"  import "lib.bt";  begin { ... }`
after:  the definitions of types.h, the macros and probes of lib.bt, then `begin { ... }`

Files are looked for beside the text that names them, then as the path says, then in the include directories. Headers
of the system in `<...>` may be missing: kernel types come from BTF, not from headers. Every file counts once.
"""

from __future__ import annotations

import posixpath

from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.facts import Facts
from tracelang.parser import parse, parse_header
from tracelang.source import Source
from tracelang.structs import Struct, field, replace

MAXIMUM_FILES = 100

_BUILT_IN: dict[str, str | None] = {
    "stdlib": None,
    **{f"stdlib/{part}": None for part in ("map", "process", "stack", "strings", "system", "task", "usdt")},
    "stdlib/test": "macro __always_true() { 1 }",
}
"""Imports that upstream's library answers: what each adds, if that isn't there for every program."""


_SYSTEM_FOLDERS = frozenset(
    (
        *("linux", "net", "asm", "asm-generic", "uapi", "sys", "bits", "gnu", "netinet", "netinet6", "arpa", "rdma"),
        *("scsi", "sound", "drm", "video", "trace", "media", "crypto", "xen", "kvm", "soc", "target", "acpi", "keys"),
        *("misc", "ras", "vdso", "generated", "bpf", "mtd", "rpc", "netpacket", "uapi", "block", "fs", "kernel", "mm"),
    )
)


def _is_of_the_system(path: str) -> bool:
    """Whether `<path>` may be a header of the kernel or of C's library, which nobody needs here."""
    folder, slash, _ = path.partition("/")
    return not slash or folder in _SYSTEM_FOLDERS


class _Resolver(Struct):
    sources: list[Source]
    facts: Facts
    diagnostics: Diagnostics
    include_directories: tuple[str, ...]
    positional: tuple[str, ...]
    seen: set[str] = field(default_factory=set)

    def program(self, program: nodes.Program) -> nodes.Program:
        """The program with all that it brings in, in front of its own."""
        definitions: list[nodes.CDefinition] = []
        for definition in program.c_definitions:
            if isinstance(definition, nodes.CInclude):
                definitions.extend(self._included(definition))
            else:
                definitions.append(definition)
        imported = [found for item in program.imports if (found := self._imported(item)) is not None]
        return replace(
            program,
            c_definitions=(*(one for part in imported for one in part.c_definitions), *definitions),
            config=(*(one for part in imported for one in part.config), *program.config),
            imports=(),
            map_declarations=(*(one for part in imported for one in part.map_declarations), *program.map_declarations),
            macros=(*(one for part in imported for one in part.macros), *program.macros),
            subprograms=(*(one for part in imported for one in part.subprograms), *program.subprograms),
            probes=(*(one for part in imported for one in part.probes), *program.probes),
        )

    def _imported(self, item: nodes.Import) -> nodes.Program | None:
        found = (item.path, _BUILT_IN[item.path]) if item.path in _BUILT_IN else self._read(item.path, item)
        if found is None:
            self.diagnostics.error(
                item.span,
                f"{item.path} can't be read",
                hint="an import is a path, looked for beside this program, then in the working directory",
            )
            return None
        path, text = found
        if text is None or not self._first_time(path, item):
            return None
        source = self._add(path, text)
        program, diagnostics = parse(text, path, self.positional, source=source)
        self.diagnostics.items.extend(diagnostics.items)
        return None if program is None else self.program(program)

    def _included(self, item: nodes.CInclude, *, required: bool = True) -> tuple[nodes.CDefinition, ...]:
        """A header's definitions. Headers that a header names may be missing."""
        found = self._read(item.path, item) if not item.system or self.include_directories else None
        if found is None:
            if required and not (item.system and _is_of_the_system(item.path)):
                self.diagnostics.error(
                    item.span, f"'{item.path}' file not found", hint="kernel types need no header: they come from BTF"
                )
            return ()
        path, text = found
        if not self._first_time(path, item):
            return ()
        definitions: list[nodes.CDefinition] = []
        for definition in parse_header(text, source=self._add(path, text)):
            if isinstance(definition, nodes.CInclude):
                definitions.extend(self._included(definition, required=False))
            else:
                definitions.append(definition)
        return tuple(definitions)

    def _read(self, path: str, item: nodes.Node) -> tuple[str, str] | None:
        base = posixpath.dirname(self.sources[item.span.source].name)
        directories = [base] if base else []
        for directory in (*directories, "", *self.include_directories):
            candidate = posixpath.normpath(posixpath.join(directory, path))
            text = self.facts.read_text(candidate)
            if text is not None:
                return candidate, text
        return None

    def _first_time(self, path: str, item: nodes.Node) -> bool:
        if path in self.seen:
            return False
        self.seen.add(path)
        if len(self.seen) > MAXIMUM_FILES:
            if len(self.seen) == MAXIMUM_FILES + 1:
                self.diagnostics.error(item.span, f"more than {MAXIMUM_FILES} files are brought in")
            return False
        return True

    def _add(self, path: str, text: str) -> int:
        self.sources.append(Source(path, text))
        return len(self.sources) - 1


def resolve_imports(
    program: nodes.Program,
    *,
    sources: list[Source],
    facts: Facts,
    diagnostics: Diagnostics,
    include_directories: tuple[str, ...] = (),
    positional: tuple[str, ...] = (),
) -> nodes.Program:
    """The program with files merged into it; their texts are added to `sources`."""
    if not program.imports and not any(isinstance(item, nodes.CInclude) for item in program.c_definitions):
        return program
    resolver = _Resolver(sources, facts, diagnostics, include_directories, positional)
    return resolver.program(program)
