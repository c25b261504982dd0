"""The request's side of a running session: new targets, stop, restarts, the CPU budget, SIGTERM."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.errors import TargetError
from tracejob_agent.output.pooling import shows_kubernetes_names
from tracejob_agent.request_file import RequestFile
from tracejob_agent.sink import End
from tracejob_agent.stop_signal import StopSignal
from tracejob_agent.target.cgroups import CgroupTree
from tracejob_agent.target.kubernetes_names import KubernetesNames
from tracejob_agent.target.pods import Resolution, process_match, resolve
from tracejob_agent.target.scope import ProcessScope, TargetScope, target_scope
from tracejob_agent.target.symbol_target import Cgroups
from tracejob_api.records import TargetReport
from tracejob_api.request import AgentRequest
from tracelang.plan import MapRole

_LOOK_SECONDS = 0.5
_GONE_SECONDS = 3.0  # a pod may be replaced: the operator then sends a new target


class AgentController:
    """trees: where the targets may be, the first that has any of them is used; none: the whole node is the target."""

    def __init__(
        self,
        request: AgentRequest,
        file: RequestFile,
        *,
        stop: StopSignal,
        trees: Sequence[CgroupTree] = (),
        names: KubernetesNames,
        report: Callable[[tuple[TargetReport, ...]], None],
    ) -> None:
        self.request = request
        self.resolution = Resolution((), ())
        self._file = file
        self._trees = tuple(trees)
        self._names = names
        self._report = report
        self._match = process_match(request.process)
        self._cgroups: TargetScope | None = None
        self._processes: ProcessScope | None = None
        self._stop = stop
        self._is_new = False
        self._shows_names = False
        self._next_look = 0.0
        self._gone_since = 0.0

    def look(self) -> Resolution:
        """Finds the targets as they are now, before there is a session."""
        for tree in self._trees:
            self.resolution = resolve(self.request.targets, tree)
            if self.resolution.places:
                # The programs will be made for this hierarchy: no other one is looked at any more.
                self._trees = (tree,)
                break
        self._names.places = self.resolution.places
        return self.resolution

    @property
    def hierarchy(self) -> str:
        """That of CgroupTree, of the tree with the targets."""
        return self._trees[0].hierarchy if self._trees else ""

    def symbol_target(self) -> Cgroups | None:
        """None: the whole node."""
        if not self._trees:
            return None
        return Cgroups(lambda: self.resolution.folders, self._pids)

    def _pids(self) -> list[int]:
        return self.resolution.pids()

    # --- called by the session --------------------------------------------------------------------------------

    def loaded(self, loaded: LoadedPlan) -> None:
        self._shows_names = shows_kubernetes_names(loaded.plan)
        self._cgroups = target_scope(loaded)
        processes = loaded.by_role(MapRole.SCOPE_PIDS)
        self._processes = ProcessScope(processes) if processes else None
        self._apply()

    def attached(self) -> None:
        pass

    def poll(self) -> End | None:
        now = time.monotonic()
        if self._stop.is_set:
            return End.SIGNAL
        changed = self._file.changed(now)
        if changed is not None:
            self.request = changed
            self._is_new = True
            self._next_look = 0.0
        if self.request.stop:
            return End.STOPPED
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._follow()
            if self._are_gone(now):
                return End.TARGETS_GONE
        return None

    # --- inside -----------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Targets that came, went or restarted."""
        if not self._trees:
            return
        if self._shows_names:
            self._names.look_through()
        before = self.resolution
        # Walking the whole tree takes milliseconds: only when something can have changed.
        if self._is_new or not before.is_complete or not all(folder.is_dir() for folder in before.folders):
            self._is_new = False
            self.look()
        if self.resolution.folders != before.folders or not self._match.is_empty:
            self._apply()
        if self.resolution.reports != before.reports:
            self._report(self.resolution.reports)

    def _apply(self) -> None:
        if self._processes is not None:
            self._processes.update(self.resolution.pids(self._match))
        if self._cgroups is not None:
            with suppress(TargetError):  # more than there is room for: those that fit are traced, the report says
                self._cgroups.update(self.resolution.folders[: self._cgroups.room])

    def _are_gone(self, now: float) -> bool:
        if not self._trees or self.resolution.places:
            self._gone_since = 0.0
            return False
        self._gone_since = self._gone_since or now
        return now - self._gone_since >= _GONE_SECONDS
