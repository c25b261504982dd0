"""The task's cgroup in a v1 hierarchy, for which no BPF helper exists: read through the kernel's type information.

    task->cgroups->subsys[controller] -> cgroup -> kn -> id        the cgroup's id, which is its directory's inode
                                      -> parent (up to the root)   the cgroups above it

Comes in: the hierarchy's controller; goes out: the offsets that the runtime pieces are laid out with. They depend on
the kernel only, as all offsets do; the targets' ids are in a map.
"""

from __future__ import annotations

from tracelang.codegen.module import Module
from tracelang.codegen.values import CodegenError
from tracelang.structs import Struct

_NAMES = {"blkio": "io"}
"""Controllers that v1 calls otherwise than the kernel's own list."""


class V1Offsets(Struct, frozen=True):
    """Bytes. controller: for the comment; state: of the hierarchy's pointer in struct css_set.

    is_direct: loads need no helper (bpf_get_current_task_btf is there, since 5.11): a task five cgroups deep takes
    a quarter of the time.
    """

    controller: str
    is_direct: bool
    css_set: int
    state: int
    cgroup: int
    parent: int
    node: int
    id: int


def offsets(module: Module) -> V1Offsets | None:
    """None on cgroup v2, which has helpers."""
    controller = module.options.scope.hierarchy
    if not controller:
        return None
    name = f"{_NAMES.get(controller, controller)}_cgrp_id"
    found = module.facts.enum_value(name)
    if found is None:
        raise CodegenError(f"this kernel's type information has no {name}")
    return V1Offsets(
        controller=controller,
        is_direct=module.has_helper("bpf_get_current_task_btf"),
        css_set=module.offset_of("struct task_struct", "cgroups"),
        state=module.offset_of("struct css_set", "subsys") + 8 * found[0],
        cgroup=module.offset_of("struct cgroup_subsys_state", "cgroup"),
        parent=module.offset_of("struct cgroup_subsys_state", "parent"),
        node=module.offset_of("struct cgroup", "kn"),
        id=module.offset_of("struct kernfs_node", "id"),
    )
