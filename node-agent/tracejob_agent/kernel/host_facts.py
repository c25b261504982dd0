"""The agent's answers to the compiler's questions: `tracelang.facts.Facts` over this machine and this target.

Everything is found, and what finds it imported, when it is first asked for: a program pays only for what it uses.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property

from tracejob_agent.kernel.btf_file import BtfError, BtfFile, KernelNames, Kind, open_kernel_btf, open_module_btf
from tracejob_agent.kernel.btf_types import BtfTypes
from tracejob_agent.kernel.c_types import base_type, parse_type
from tracejob_agent.kernel.cpus import possible_cpus
from tracejob_agent.kernel.kernel_locations import (
    function_locations,
    is_loaded,
    iterator_locations,
    iterator_names,
    raw_tracepoint_locations,
    raw_tracepoint_names,
    traceable_functions,
    traced_locations,
    tracepoint_locations,
)
from tracejob_agent.kernel.refusals import NO_BTF, NO_TRACEFS
from tracejob_agent.kernel.tracefs import tracefs_folder, tracepoint_layout, tracepoint_names
from tracelang.facts import Layout, Location, Signature
from tracelang.types import AddressSpace, EnumType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tracejob_agent.kernel.binaries import Binaries, Binary
    from tracejob_agent.kernel.kallsyms import KernelSymbols

_MAX_TEXT_FILE = 1 << 20


class HostFacts:
    """roots: the target's file systems; pids: the target's processes, for the libraries that they map.

    files: whether programs may read files of this machine (#include, import): yes for a user's own local run, no for an
    agent that runs other people's programs. unsafe: probes may stand where they might break the traced process.
    traceable: the kernel functions that may be traced, one a line; None: those that the kernel lists itself.
    """

    def __init__(
        self,
        *,
        roots: tuple[str | Path, ...] = ("/",),
        pids: tuple[int, ...] = (),
        files: bool = False,
        include_folders: tuple[str | Path, ...] = (),
        debug_folders: tuple[str | Path, ...] = (),
        unsafe: bool = False,
        traceable: str | None = None,
    ) -> None:
        self._roots = roots
        self._pids = pids
        self._debug_folders = debug_folders
        self._files = files
        self._unsafe = unsafe
        self._traceable = traceable
        self._include_folders = include_folders
        self._modules: dict[str, BtfTypes | None] = {}
        self._tracepoints: dict[tuple[str, str], Layout | None] = {}

    @cached_property
    def binaries(self) -> Binaries:
        from pathlib import Path

        from tracejob_agent.kernel.binaries import Binaries

        return Binaries(tuple(map(Path, self._roots)), self._pids, tuple(map(Path, self._debug_folders)))

    @cached_property
    def kernel_symbols(self) -> KernelSymbols:
        from tracejob_agent.kernel.kallsyms import KernelSymbols

        return KernelSymbols(traceable=self._traceable)

    @cached_property
    def btf(self) -> BtfTypes | None:
        """The kernel's types; None on a kernel without BTF."""
        try:
            return BtfTypes(open_kernel_btf())
        except BtfError:
            return None

    @cached_property
    def _names(self) -> KernelNames:
        return KernelNames()

    # --- types ------------------------------------------------------------------------------------------------

    def struct(self, name: str) -> Layout | None:
        return self.btf.struct(name) if self.btf else None

    def type_named(self, name: str) -> Type | None:
        if "*" in name:
            return parse_type(name, space=AddressSpace.KERNEL, named=self.type_named)
        if self.btf and (found := self.btf.named(name)):
            return found
        return base_type(name)

    def enum_value(self, name: str) -> tuple[int, EnumType] | None:
        return self.btf.enum_value(name) if self.btf else None

    def struct_names(self) -> Iterable[str]:
        if self.btf is None:
            return ()
        btf = self.btf.btf
        return {
            f"{keyword} {btf.name_of_id(item)}"
            for keyword, kind in (("struct", Kind.STRUCT), ("union", Kind.UNION))
            for item in btf.ids_of_kind(kind)
        }

    # --- functions and events ---------------------------------------------------------------------------------

    def tracepoint(self, category: str, event: str) -> Layout | None:
        key = category, event
        if key not in self._tracepoints:
            self._tracepoints[key] = tracepoint_layout(category, event, named=self.type_named)
        return self._tracepoints[key]

    def kernel_function(self, name: str, module: str = "") -> Signature | None:
        if self.btf is None:
            return None
        found = self.btf.function(name)
        if found is None and module and module != "vmlinux":
            types = self._module_types(module)
            found = types.function(name) if types else None
        return found

    def types_of(self, module: str) -> BtfFile | None:
        """The kernel's types, or a module's with them."""
        found = self._types_in(module) or self.btf
        return found.btf if found else None

    def _types_in(self, module: str) -> BtfTypes | None:
        return self._module_types(module) if module and module != "vmlinux" else self.btf

    def _module_types(self, module: str) -> BtfTypes | None:
        """A module's types build on the kernel's."""
        if module not in self._modules:
            btf = open_module_btf(module, self.btf.btf) if self.btf else None
            self._modules[module] = BtfTypes(btf) if btf else None
        return self._modules[module]

    def raw_tracepoint(self, name: str) -> Signature | None:
        return self.btf.raw_tracepoint(name) if self.btf else None

    def iterator(self, name: str) -> Layout | None:
        return self.btf.struct(f"struct bpf_iter__{name}") if self.btf else None

    def attach_btf_id(self, function: str, module: str = "") -> int | None:
        """The BTF id that a TRACING program names as what it attaches to."""
        types = self._types_in(module)
        return types.function_id(function) if types else None

    def user_function(self, path: str, function: str) -> Signature | None:
        binary = self.binaries.at(path)
        if binary is None:
            return None
        symbol = binary.symbol(function)
        return binary.types.function(function, symbol.address if symbol else 0)

    def has_user_types(self, path: str) -> bool:
        binary = self.binaries.at(path)
        return binary is not None and binary.types.is_there

    def user_struct(self, path: str, name: str) -> Layout | None:
        binary = self.binaries.at(path)
        return binary.types.struct(name) if binary else None

    def user_type(self, path: str, name: str) -> Type | None:
        binary = self.binaries.at(path)
        if binary is None:
            return None
        if "*" in name:
            return parse_type(name, space=AddressSpace.USER, named=binary.types.named)
        return binary.types.named(name) or base_type(name)

    # --- places -----------------------------------------------------------------------------------------------

    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        match provider:
            case "tracepoint":
                return tuple(tracepoint_locations(parts))
            case "rawtracepoint":
                return tuple(raw_tracepoint_locations(self.btf, parts)) if self.btf else ()
            case "kprobe" | "kretprobe":
                return tuple(function_locations(provider, parts, symbols=self.kernel_symbols))
            case "fentry" | "fexit":
                return tuple(traced_locations(provider, parts, types_in=self._types_in, symbols=self.kernel_symbols))
            case "uprobe" | "uretprobe":
                from tracejob_agent.kernel.user_locations import uprobe_locations

                return tuple(uprobe_locations(self.binaries, provider, parts, unsafe=self._unsafe))
            case "usdt":
                from tracejob_agent.kernel.user_locations import usdt_locations

                return tuple(usdt_locations(self.binaries, parts))
            case "iter":
                return tuple(iterator_locations(self.btf, parts)) if self.btf else ()
            case _:  # what always exists: its name is its spec
                name = ":".join((provider, *parts))
                return (Location(name=name, function=parts[0] if parts else ""),)

    def candidates(self, provider: str) -> Iterable[str]:
        match provider:
            case "tracepoint":
                return [f"{category}:{event}" for category, event in tracepoint_names()]
            case "rawtracepoint":
                return raw_tracepoint_names(self.btf) if self.btf else ()
            case "kprobe" | "kretprobe" | "fentry" | "fexit":
                return [name for name, _ in traceable_functions(self.kernel_symbols)]
            case "iter":
                return iterator_names(self.btf) if self.btf else ()
        return ()

    def refusal(self, provider: str, parts: tuple[str, ...]) -> str:
        match provider:
            case "uprobe" | "uretprobe" | "usdt":
                from tracejob_agent.kernel.user_locations import user_refusal

                return user_refusal(self.binaries, provider, parts)
            case "kprobe" | "kretprobe" if parts[0] and not is_loaded(parts[0]):
                return f"specified module {parts[0]} in probe {provider}:{':'.join(parts)} is not loaded."
        return ""

    def danger(self, provider: str, parts: tuple[str, ...]) -> str:
        if provider not in ("uprobe", "uretprobe"):
            return ""
        from tracejob_agent.kernel.user_locations import user_danger

        return user_danger(self.binaries, parts)

    def functions_of(self, path: str) -> Iterable[str]:
        """Functions of a binary, for did-you-mean."""
        binary = self.binaries.at(path)
        return [symbol.name for symbol in binary.functions()] if binary else ()

    def binary(self, path: str) -> Binary | None:
        return self.binaries.at(path)

    def unsupported(self, provider: str) -> str:
        from tracejob_agent.kernel import features

        match provider:
            case "tracepoint":
                return "" if tracefs_folder() else NO_TRACEFS
            case "kprobe" | "kretprobe":
                return "" if features.has_kprobes() else "this kernel was built without kprobes"
            case "fentry" | "fexit":
                return self._without_btf() or self._refused("schedule", iterator=False)
            case "iter":
                return self._without_btf() or self._refused("bpf_iter_task", iterator=True)
            case "rawtracepoint":
                return self._without_btf()
            case "types":
                return self._without_btf()
            case "uprobe" | "uretprobe" | "usdt":
                return "" if features.has_uprobes() else "this kernel was built without uprobes"
            case "hardware":
                refusal = features.hardware_refusal()
                return f"the processor's counters can't be read here: {refusal}" if refusal else ""
            case "watchpoint" | "asyncwatchpoint":
                refusal = features.watchpoint_refusal()
                return f"the processor's debug registers can't be used here: {refusal}" if refusal else ""
        return ""

    def _without_btf(self) -> str:
        return "" if self.btf else NO_BTF

    def _refused(self, function: str, *, iterator: bool) -> str:
        type_id = self.attach_btf_id(function)
        if type_id is None:
            return f"this kernel's type information doesn't know {function}()"
        from tracejob_agent.kernel import features

        refusal = features.iterator_refusal(type_id) if iterator else features.tracing_refusal(type_id)
        return f"this kernel refuses programs at its functions: {refusal}" if refusal else ""

    # --- machine ----------------------------------------------------------------------------------------------

    def kernel_symbol(self, name: str) -> int | None:
        return self.kernel_symbols.address_of(name)

    def user_symbol(self, path: str, name: str) -> tuple[int, int] | None:
        binary = self.binaries.at(path)
        symbol = binary.symbol(name) if binary else None
        return (symbol.address, symbol.size) if symbol else None

    def kfunc(self, name: str) -> int | None:
        if self.btf is None:
            return None
        type_id = self.btf.function_id(name)
        if type_id is None:
            return None
        tags = [self.btf.btf.record(item) for item in self.btf.btf.ids_named("bpf_kfunc")]
        tagged = {tag.size_or_type for tag in tags if tag.kind is Kind.DECL_TAG}
        # Older kernels (before 6.10) don't mark them: there the load tells.
        return type_id if not tagged or type_id in tagged else None

    def cgroup_id(self, path: str) -> int | None:
        try:
            return os.stat(path).st_ino  # of cgroup v2, the directory's inode is the id
        except OSError:
            return None

    def read_text(self, path: str) -> str | None:
        if not self._files:
            return None
        for folder in ("", *self._include_folders):
            try:
                with open(os.path.join(folder, path), "rb") as file:
                    return file.read(_MAX_TEXT_FILE).decode("utf-8", "replace")
            except OSError:
                continue
        return None

    def cpu_count(self) -> int:
        return possible_cpus()

    def link_type(self, name: str) -> bool:
        """Whether the kernel knows a kind of attachment, "UPROBE_MULTI"."""
        return f"BPF_LINK_TYPE_{name}" in self._names

    def helper(self, name: str) -> bool:
        return f"BPF_FUNC_{name.removeprefix('bpf_')}" in self._names
