"""The head of a program that serves many system calls: which place this call is, and away with those not asked for.

Comes in: the raw tracepoint's arguments, (registers, number) at the entry and (registers, result) at the return; goes
out: the C variable that stands for the attach cookie.
"""

from __future__ import annotations

from tracelang import arch
from tracelang.codegen import context, places
from tracelang.codegen.values import Place
from tracelang.codegen.writer import Writer
from tracelang.plan import MapRole
from tracelang.types import U32, U64, AddressSpace


def find_place(writer: Writer) -> None:
    """Leaves the program when the call isn't one of the probe's."""
    program = writer.program
    macro = writer.module.role_macro(MapRole.PLACES, program.slot)
    program.places_map = writer.module.roles[MapRole.PLACES, program.slot]
    key = writer.temp_of("u32", f"(u32){_number(writer)}", "call")
    found = writer.temp_of("u64 *", f"bpf_map_lookup_elem({macro}, &{key})", "found")
    program.place = writer.temp_of("u64", f"{found} ? *{found} : 0", "place")
    writer.emit(f"if (!{program.place}) {writer.leave}")
    writer.emit(f"if ({_status(writer)} & {arch.COMPAT_STATUS}) {writer.leave}")


def _number(writer: Writer) -> str:
    if writer.program.probe.shared == "sys_enter":
        return context.raw_load(offset=8, kind="u64")
    registers = writer.temp_of("u64", context.raw_load(offset=0, kind="u64"), "registers")
    source = Place(AddressSpace.KERNEL, registers, arch.register_offset(arch.SYSTEM_CALL_NUMBER))
    return places.load_at(writer, source, U64, access="registers->orig_ax")


def _status(writer: Writer) -> str:
    module = writer.module
    task = writer.temp_of("u64", "bpf_get_current_task()", "task")
    offset = module.offset_of("struct task_struct", "thread_info") + module.offset_of("struct thread_info", "status")
    return places.load_at(writer, Place(AddressSpace.KERNEL, task, offset), U32, access="thread_info.status")
