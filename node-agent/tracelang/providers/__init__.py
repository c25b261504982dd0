"""The table of probe types: by name and by every alias."""

from __future__ import annotations

from tracelang.providers.base import Provider
from tracelang.providers.events import BEGIN, BENCH, END, SELF, TEST
from tracelang.providers.kernel_functions import FENTRY, FEXIT, ITER, KPROBE, KRETPROBE, RAWTRACEPOINT
from tracelang.providers.perf_events import HARDWARE, SOFTWARE
from tracelang.providers.timers import INTERVAL, PROFILE
from tracelang.providers.tracepoint import TRACEPOINT
from tracelang.providers.user_functions import UPROBE, URETPROBE, USDT
from tracelang.providers.watchpoint import ASYNCWATCHPOINT, WATCHPOINT

PROVIDERS: tuple[Provider, ...] = (
    BEGIN,
    END,
    SELF,
    TEST,
    BENCH,
    INTERVAL,
    PROFILE,
    SOFTWARE,
    HARDWARE,
    TRACEPOINT,
    RAWTRACEPOINT,
    KPROBE,
    KRETPROBE,
    FENTRY,
    FEXIT,
    UPROBE,
    URETPROBE,
    USDT,
    WATCHPOINT,
    ASYNCWATCHPOINT,
    ITER,
)
BY_NAME: dict[str, Provider] = {name: provider for provider in PROVIDERS for name in (provider.name, *provider.aliases)}


def find_provider(name: str) -> Provider | None:
    """The provider that is written `name`."""
    return BY_NAME.get(name)
