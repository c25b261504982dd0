"""The current task: its numbers as the agent's /proc shows them and as its own container does, and its parent.

Comes in: which number; goes out: helper calls and reads through the kernel's type information. At level 0 of the PID
namespaces the helper's own number is right; below, task->thread_pid->numbers[level].nr is (bpf_get_ns_current_pid_tgid
refuses tasks of child namespaces, as every container's are).
"""

from __future__ import annotations

from tracelang.codegen import places
from tracelang.codegen.values import Place
from tracelang.codegen.writer import Writer
from tracelang.types import U32, U64, AddressSpace


def process(writer: Writer, *, inner: bool = False) -> str:
    """What userspace calls the PID."""
    if _is_host(writer) and not inner:
        return "bpf_get_current_pid_tgid() >> 32"
    return _number(writer, _member(writer, _current(writer), "group_leader"), inner=inner)


def thread(writer: Writer, *, inner: bool = False) -> str:
    if _is_host(writer) and not inner:
        return "(u32)bpf_get_current_pid_tgid()"
    return _number(writer, _current(writer), inner=inner)


def parent(writer: Writer) -> str:
    task = _member(writer, _current(writer), "real_parent")
    if _is_host(writer):
        return _field(writer, task, "tgid")
    return _number(writer, _member(writer, task, "group_leader"), inner=False)


def comm_of(writer: Writer, relative: str) -> Place:
    """The name of another task that the current one knows."""
    task = _member(writer, _current(writer), relative)
    return Place(AddressSpace.KERNEL, task, writer.module.offset_of("struct task_struct", "comm"))


def _is_host(writer: Writer) -> bool:
    return writer.module.options.pid_namespace_level == 0


def _current(writer: Writer) -> str:
    return writer.temp_of("u64", "bpf_get_current_task()", "task")


def _member(writer: Writer, task: str, name: str) -> str:
    """A pointer member of a task."""
    source = Place(AddressSpace.KERNEL, task, writer.module.offset_of("struct task_struct", name))
    return places.load_at(writer, source, U64, access=f"task->{name}")


def _field(writer: Writer, task: str, name: str) -> str:
    source = Place(AddressSpace.KERNEL, task, writer.module.offset_of("struct task_struct", name))
    return places.load_at(writer, source, U32, access=f"task->{name}")


def _number(writer: Writer, task: str, *, inner: bool) -> str:
    """task->thread_pid->numbers[level].nr; inner: of the deepest level."""
    module = writer.module
    pid = _member(writer, task, "thread_pid")
    numbers = module.offset_of("struct pid", "numbers")
    number = module.offset_of("struct upid", "nr")
    size = _size_of_upid(writer)
    at = Place(AddressSpace.KERNEL, pid, module.offset_of("struct pid", "level"))
    depth = places.load_at(writer, at, U32, access="thread_pid->level")
    if not inner:
        level = module.options.pid_namespace_level
        source = Place(AddressSpace.KERNEL, pid, numbers + level * size + number)
        loaded = places.load_at(writer, source, U32, access=f"thread_pid->numbers[{level}].nr")
        # A task from further out has no number here: the agent's /proc doesn't show it.
        return writer.temp_of("u32", f"{depth} >= {level} ? {loaded} : 0", "number")
    where = writer.temp_of("u64", f"{pid} + (u64){depth} * {size}", "innermost")
    source = Place(AddressSpace.KERNEL, where, numbers + number)
    return places.load_at(writer, source, U32, access="thread_pid->numbers[level].nr")


def _size_of_upid(writer: Writer) -> int:
    layout = writer.module.facts.struct("struct upid")
    return layout.size if layout is not None else 16
