"""The target predicate: what stands before the user's own in every probe that runs in task context.

Comes in: CompileOptions.scope; goes out: an early return for tasks outside the target. Targets are in maps, so that the
byte code doesn't depend on them and a running session can change them.
"""

from __future__ import annotations

from tracelang.codegen import maps, tasks
from tracelang.codegen.values import CodegenError
from tracelang.codegen.writer import Writer
from tracelang.plan import Counter, MapRole


def guard(writer: Writer, *, counts: bool) -> None:
    """Leaves the program when the task isn't in scope. counts: those tasks are an expense to be told."""
    if writer.module.options.scope.kind == "none":
        return
    if not counts or not writer.module.options.count_hits:
        writer.emit(f"if (!{test(writer)}) {writer.leave}")
        return
    with writer.block(f"if (!{test(writer)})"):
        maps.count_up(writer, Counter.OUTSIDE)
        writer.emit(writer.leave)


def test(writer: Writer) -> str:
    """The C text of a condition: is the current task in scope."""
    options = writer.module.options.scope
    match options.kind:
        case "none":
            return "1"
        case "cgroups" if options.hierarchy:
            writer.module.role_macro(MapRole.SCOPE_CGROUP_IDS)
            return f"{writer.module.need('in_scope_cgroups_v1')}()"
        case "cgroups":
            for role in (MapRole.SCOPE_CGROUPS, MapRole.SCOPE_KNOWN, MapRole.CONSTANTS):
                writer.module.role_macro(role)
            return f"{writer.module.need('in_scope_cgroups')}()"
        case "pids":
            macro = writer.module.role_macro(MapRole.SCOPE_PIDS)
            pid = writer.temp_of("u32", tasks.process(writer), "tgid")
            return f"bpf_map_lookup_elem({macro}, &{pid})"
    raise CodegenError(f"no scope of kind {options.kind}")
