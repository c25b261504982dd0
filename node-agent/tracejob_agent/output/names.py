"""What turns numbers into names when values are shown: symbols, stacks, probes, users, cgroups, clocks.

One `Names` serves a session. Everything is looked up when first shown and remembered.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tracejob_agent.kernel.kallsyms import KernelSymbols
from tracejob_agent.output.layouts import Layouts, NoLayouts
from tracejob_agent.output.user_symbols import UserSymbols
from tracelang.syscalls import syscall_name
from tracelang.types import StackMode, TagKind

StackReader = Callable[[int, int], tuple[int, ...]]
KubernetesNames = Callable[[TagKind, int], str]


def raw_text(data: bytes) -> str:
    """Traced text as it is: what isn't UTF-8 comes out again as the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def safe_text(data: bytes) -> str:
    """Traced text for terminals: control characters, which the traced process chose, are shown as \\xNN."""
    text = data.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def _no_stack(_: int, __: int) -> tuple[int, ...]:
    return ()


def _no_kubernetes(_: TagKind, __: int) -> str:
    return ""


class Names:
    """read_stack: the addresses of a stack, by its id and depth; kubernetes: the pod, container... of a cgroup id.

    series_clock: what the intervals of time series count. text: how traced bytes are shown.
    max_strlen: size of str()'s field; a string that fills it gets the trailer.
    """

    def __init__(
        self,
        *,
        probe_names: tuple[str, ...] = (),
        layouts: Layouts | None = None,
        read_stack: StackReader = _no_stack,
        kernel_symbols: KernelSymbols | None = None,
        user_symbols: UserSymbols | None = None,
        kubernetes: KubernetesNames = _no_kubernetes,
        text: Callable[[bytes], str] = raw_text,
        max_strlen: int = 0,
        trailer: str = "..",
        series_clock: str = "boot",
    ) -> None:
        self.probe_names = probe_names
        self.layouts = layouts or NoLayouts()
        self.read_stack = read_stack
        self.kubernetes = kubernetes
        self.text = text
        self.max_strlen = max_strlen
        self.trailer = trailer
        self.series_clock = series_clock
        self._kernel_symbols = kernel_symbols or KernelSymbols()
        self._user_symbols = user_symbols or UserSymbols()

    def kernel_symbol(self, address: int) -> str:
        """The function's name; the address in hexadecimal when there is none."""
        found = self._kernel_symbols.resolve(address)
        return found[0] if found else hexadecimal(address)

    def user_symbol(self, address: int, pid: int) -> str:
        found = self._user_symbols.resolve(pid, address)
        return self.shown(found.name) if found and found.name else hexadecimal(address)

    def kernel_frame(self, address: int, mode: StackMode) -> str:
        if mode is StackMode.RAW:
            return f"{address:x}"
        found = self._kernel_symbols.resolve(address)
        shown = f"{found[0]}+{found[1]}" if found else hexadecimal(address)
        return f"\t{address:x} {shown}" if mode is StackMode.PERF else f"        {shown}"

    def user_frame(self, address: int, pid: int, mode: StackMode) -> str:
        if mode is StackMode.RAW:
            return f"{address:x}"
        if mode is StackMode.BUILD_ID:
            place = self._user_symbols.place_in_file(pid, address)
            return f"{place[0]} 0x{place[1]:x}" if place else hexadecimal(address)
        found = self._user_symbols.resolve(pid, address)
        shown = f"{self.shown(found.name)}+{found.offset}" if found and found.name else hexadecimal(address)
        if mode is StackMode.PERF:
            return f"\t{address:x} {shown} ({self.shown(found.path) if found else '[unknown]'})"
        return f"        {shown}"

    def shown(self, name: str) -> str:
        """A name out of a traced binary or its process, which may be anything, as traced text is shown."""
        return name if name.isalnum() else self.text(name.encode("utf-8", "surrogateescape"))

    def probe(self, number: int) -> str:
        return self.shown(self.probe_names[number]) if 0 <= number < len(self.probe_names) else str(number)

    def tagged(self, kind: TagKind, value: int) -> str:
        """A tagged scalar as it is shown."""
        match kind:
            case TagKind.KSYM:
                return self.kernel_symbol(value)
            case TagKind.PROBE_NAME:
                return self.probe(value)
            case TagKind.CGROUP_PATH:
                return self.shown(self.cgroup_path(value))
            case TagKind.STRERROR:
                return error_text(as_signed(value))
            case TagKind.USERNAME:
                return self.username(value)
            case TagKind.SYSCALL_NAME:
                return syscall_name(value)
            case TagKind.SIGNAL_NAME:
                return signal_text(value)
            case TagKind.COMM_OF:
                return self.text(_comm_of(value))
            case _:  # Kubernetes' names
                return self.kubernetes(kind, value)

    def username(self, uid: int) -> str:
        return self._usernames.get(uid, str(uid))

    def cgroup_path(self, cgroup_id: int) -> str:
        """The path below the cgroup v2 mount."""
        if cgroup_id not in self._cgroup_paths:
            self._cgroup_paths[cgroup_id] = _find_cgroup(cgroup_id)
        return self._cgroup_paths[cgroup_id]

    def wall_clock(self, clock: str, nanoseconds: int) -> int:
        """A reading of one of the kernel's clocks, as nanoseconds of the calendar."""
        if clock == "real":
            return nanoseconds
        number = {
            "monotonic": time.CLOCK_MONOTONIC,
            "tai": time.CLOCK_TAI,
            "sw_tai": time.CLOCK_TAI,
        }.get(clock, time.CLOCK_BOOTTIME)
        if number not in self._clock_offsets:
            self._clock_offsets[number] = time.time_ns() - time.clock_gettime_ns(number)
        return nanoseconds + self._clock_offsets[number]

    @cached_property
    def _usernames(self) -> dict[int, str]:
        import pwd

        return {entry.pw_uid: entry.pw_name for entry in reversed(pwd.getpwall())}

    @cached_property
    def _cgroup_paths(self) -> dict[int, str]:
        return {}

    @cached_property
    def _clock_offsets(self) -> dict[int, int]:
        return {}


def hexadecimal(address: int) -> str:
    return f"0x{address:x}" if address else "0"


def as_signed(word: int) -> int:
    """The low 32 bits as an int."""
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >= 1 << 31 else word


def _comm_of(pid: int) -> bytes:
    """The name that a process has now; b"" when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_bytes().removesuffix(b"\n")
    except OSError:
        return b""


def signal_text(number: int) -> str:
    """As strsignal() says it: "Killed"."""
    try:
        return signal.strsignal(number) or f"Unknown signal {number}"
    except ValueError:
        return f"Unknown signal {number}" if number == 0 else "N/A"


def format_time(template: str, nanoseconds: int) -> str:
    """strftime() of a calendar time, in the local zone; %f is microseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime(template.replace("%f", f"{rest // 1000:06d}"), time.localtime(seconds))


def error_text(number: int) -> str:
    """As strerror() says it; errors come out of the kernel negative."""
    text = os.strerror(abs(number))
    return "Unknown error" if text.startswith("Unknown error") else text


def _find_cgroup(cgroup_id: int) -> str:
    """ "unified:/path"; the root's id is the same in every hierarchy, and all of them are named."""
    found = []
    for name, root in _cgroup_mounts():
        if cgroup_id == 1:
            found.append(f"{name}:/")
        elif name == "unified":
            found += [f"{name}:/{folder.relative_to(root)}" for folder in _folders_with_inode(root, cgroup_id)]
    return ",".join(found)


def _cgroup_mounts() -> list[tuple[str, Path]]:
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return []
    mounts = {}
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        if kind in ("cgroup", "cgroup2") and place.startswith("/sys/fs/cgroup"):
            mounts["unified" if kind == "cgroup2" else Path(place).name] = Path(place)
    return sorted(mounts.items(), key=lambda item: (item[0] != "unified", item[0]))


def _folders_with_inode(root: Path, inode: int) -> list[Path]:
    for folder, _, _ in os.walk(root):
        try:
            if Path(folder).stat().st_ino == inode:
                return [Path(folder)]
        except OSError:
            continue
    return []
