"""dw_ustack(): the stack of user space by call frame information, walked in the kernel by the engine's tables.

The registers are those that the task entered the kernel with. bpf_loop() calls back for each frame.
"""

from __future__ import annotations

from tracelang.codegen import tasks
from tracelang.codegen.values import Place
from tracelang.codegen.writer import Line, Writer, WrittenFunction
from tracelang.plan import MapRole
from tracelang.source import NOWHERE

_REGISTERS = ("ip", "sp", "bp")


def is_known(writer: Writer) -> str:
    """A condition: the process has tables."""
    macro = writer.module.role_macro(MapRole.UNWIND_PROCESSES)
    pid = writer.temp_of("u32", tasks.process(writer), "pid")
    return f"(bpf_map_lookup_elem({macro}, &{pid}) != 0)"


def keep(writer: Writer, *, stacks: str, frames: Place, depth: int) -> str:
    """The key of the stack, an expression."""
    module = writer.module
    module.need("unwind_frame")
    number = _callback(writer, depth)
    pid = writer.temp_of("u32", tasks.process(writer), "pid")
    at = writer.fresh("unwinding")
    writer.emit(f"struct unwinding {at} = {{}};")
    writer.emit(f"{at}.frames = (u64 *){frames.address};")
    registers = writer.temp_of("u64", "(u64)bpf_task_pt_regs(bpf_get_current_task_btf())", "registers")
    for name in _REGISTERS:
        offset = module.offset_of("struct pt_regs", name)
        writer.emit(f"bpf_probe_read_kernel(&{at}.{name}, 8, (void *)({registers} + {offset}));")
    writer.emit(f"{at}.process = bpf_map_lookup_elem({module.role_macro(MapRole.UNWIND_PROCESSES)}, &{pid});")
    writer.emit(f"if ({at}.process) bpf_loop({depth}, (void *)bpf_pseudo_fd(4, {number}), &{at}, 0);")
    keep_frames = module.need("keep_frames")
    module.role_macro(MapRole.COUNTERS)
    return f"{keep_frames}({writer.program.slot}, {stacks}, (u64 *){frames.address}, {depth * 8}, {at}.count)"


def _callback(writer: Writer, depth: int) -> int:
    """The number of the callback that walks one frame, made when first asked for."""
    program = writer.program
    name = f"{program.probe.function}_unwind_{depth}"
    if name not in program.callbacks:
        program.callbacks.append(name)
        rows = writer.module.role_macro(MapRole.UNWIND_ROWS)
        program.functions.append(
            WrittenFunction(
                name=name,
                head=f"int {name}(u64 turn, void *data)",
                comment="",
                lines=(Line(1, f"return unwind_frame(data, {rows}, {depth});", NOWHERE),),
            )
        )
    return program.callbacks.index(name)
