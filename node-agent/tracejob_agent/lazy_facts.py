"""What a running session asks of the machine's facts, found when it is first asked: most sessions never do."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tracelang.facts import Layout

if TYPE_CHECKING:
    from tracejob_agent.kernel.host_facts import HostFacts


class LazyFacts:
    """Layouts for the output, BTF ids for the loader. The compiler's own facts live in a child."""

    @cached_property
    def _facts(self) -> HostFacts:
        from tracejob_agent.kernel.host_facts import HostFacts

        return HostFacts()

    def struct(self, name: str) -> Layout | None:
        return self._facts.struct(name)

    def attach_btf_id(self, function: str, module: str = "") -> int | None:
        return self._facts.attach_btf_id(function, module)
