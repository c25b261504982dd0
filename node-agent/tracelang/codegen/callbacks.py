"""Small callbacks of the generator's own: counting a map's entries.

Comes in: a map's name; goes out: a call of bpf_for_each_map_elem whose result is the number.
"""

from __future__ import annotations

from tracelang.codegen.writer import Line, Writer, WrittenFunction
from tracelang.source import NOWHERE


def count_entries(writer: Writer, name: str) -> str:
    """len(@map): how many entries the kernel visits."""
    program = writer.program
    callback = f"{program.probe.function}_visit"
    if callback not in program.callbacks:
        program.callbacks.append(callback)
        program.functions.append(
            WrittenFunction(
                name=callback,
                head=f"int {callback}(void *map, void *key, void *entry, void *data)",
                comment="",
                lines=(Line(1, "return 0;", NOWHERE),),
            )
        )
    macro = writer.module.user_macro(name)
    number = program.callbacks.index(callback)
    return f"bpf_for_each_map_elem({macro}, (void *)bpf_pseudo_fd(4, {number}), (void *)0, 0)"
