"""The command line's side of a running session: signals, the traced process, the command of -c."""

from __future__ import annotations

import signal
import struct
import sys
from pathlib import Path
from types import FrameType

from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.cli.child import Child
from tracejob_agent.cli.trials import ErrorCount, Trials
from tracejob_agent.notices import NOTIFICATION
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.sink import End
from tracejob_agent.target.unwind_tables import UnwindTables
from tracelang.plan import MapRole

_OFTEN, _SELDOM = 10, 50  # polls
SELF_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGCONT)
"""What `self` probes wait for. Held back until they are attached: such a signal would end us before."""


class NoErrors:
    errors = 0


class LocalController:
    """Ends the session on SIGINT or SIGTERM, with the process of -p, with the command of -c, or at once: for a dry run,
    and for a program that only begins and ends."""

    def __init__(
        self,
        *,
        pid: int = 0,
        child: Child | None = None,
        symbols: UserSymbols | None = None,
        dry_run: bool = False,
        trials: Trials | None = None,
        unwound: tuple[int, ...] = (),
    ) -> None:
        """unwound: processes that dw_ustack() knows the binaries of, besides the traced one."""
        self._pid = pid
        self._child = child
        self._symbols = symbols
        self._dry_run = dry_run
        self._trials = trials
        self._unwound = unwound
        self._tables: UnwindTables | None = None
        self.sink: ErrorCount = NoErrors()
        self.announces = False  # on stdout, as the results go somewhere else
        self._signalled = False
        self._polls = 0
        self._nothing_to_wait_for = False

    def watch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note_signal)
        # They may be held back since the program was attached.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))

    def loaded(self, loaded: LoadedPlan) -> None:
        """Fill the scope of -p."""
        providers = {item.provider for program in loaded.programs for item in program.spec.attachments}
        self._nothing_to_wait_for = self._child is None and providers <= {"begin", "end"}
        if self._trials is not None:
            self._trials.prepare(loaded)
        self._tables = UnwindTables(loaded)
        if self._child is not None:
            self._tables.expect(self._child.pid, self._child.path)
        for pid in (*self._unwound, self._pid):
            self._tables.refresh(pid)
        pids = loaded.by_role(MapRole.SCOPE_PIDS)
        if pids is not None and self._pid:
            pids.update(struct.pack("<I", self._pid), b"\1".ljust(pids.spec.value_size, b"\0"))

    def attached(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SELF_SIGNALS)
        if self.announces:
            sys.stdout.write(f"{NOTIFICATION}\n")
            sys.stdout.flush()
        if self._child is not None and not self._dry_run:
            self._child.let_go()

    def poll(self) -> End | None:
        self._remember_symbols()
        if self._signalled:
            return End.SIGNAL
        if self._dry_run:
            return End.STOPPED
        if self._nothing_to_wait_for and self._trials is None:
            return End.EXIT
        if self._trials is not None and not self._trials.step(self.sink):
            return End.STOPPED
        if self._child is not None and self._child.has_ended():
            return End.CHILD
        if self._pid and not Path(f"/proc/{self._pid}").exists():
            return End.TARGETS_GONE
        return None

    def _remember_symbols(self) -> None:
        """What the process maps, often at first and then about every second: its end may come at any time."""
        target = self._child.pid if self._child else self._pid
        if self._symbols and (self._polls < _OFTEN or self._polls % _SELDOM == 0):
            if target and (self._child is None or self._child.runs_its_command()):
                self._symbols.remember(target)
                if self._tables is not None:
                    self._tables.refresh(target)
        self._polls += 1

    def is_signalled(self) -> bool:
        return self._signalled

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
