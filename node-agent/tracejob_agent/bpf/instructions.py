"""Byte code as the compiler left it, made loadable: descriptors, callbacks and kernel functions are put in. Pure.

LD_IMM64 src=1 imm=i    map number i         -> src=1, imm=descriptor
LD_IMM64 src=4 imm=i    callback number i    -> src=4, imm=distance to its code, appended behind the program
CALL src=0 imm=BASE+i   kernel function i    -> src=2, imm=BTF id

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import struct

from tracelang.pseudo import KFUNC_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIZE = 8
_LD_IMM64 = 0x18
_CALL = 0x85
_PSEUDO_MAP_FD = 1
_PSEUDO_KFUNC_CALL = 2
_PSEUDO_FUNC = 4
_WORDS = struct.Struct("<BBhi")


class LinkedCode:
    """functions: (index of the first instruction, name) of the program and of each callback, in order."""

    __slots__ = ("code", "functions")

    def __init__(self, code: bytes, functions: tuple[tuple[int, str], ...]) -> None:
        self.code = code
        self.functions = functions

    @property
    def instruction_count(self) -> int:
        return len(self.code) // SIZE


def link(
    *,
    function: str,
    callbacks: "Sequence[str]",
    kfuncs: "Sequence[int]",
    functions: "Mapping[str, bytes]",
    map_descriptors: "Mapping[int, int]",
) -> LinkedCode:
    """The program `function` with the callbacks behind it that it refers to, every reference resolved."""
    starts: dict[str, int] = {}
    code = bytearray()
    reached = [function]
    for name in reached:
        starts[name] = len(code) // SIZE
        code += functions[name]
        # What the compiler saw to be dead is left out: the verifier stumbles over a function that nobody calls.
        reached += [found for found in _referred(functions[name], callbacks) if found not in reached]
    position = 0
    while position < len(code):
        opcode, registers, offset, immediate = _WORDS.unpack_from(code, position)
        source = registers >> 4
        if opcode == _LD_IMM64:
            if source == _PSEUDO_MAP_FD:
                _WORDS.pack_into(code, position, opcode, registers, offset, map_descriptors[immediate])
            elif source == _PSEUDO_FUNC:
                distance = starts[callbacks[immediate]] - position // SIZE - 1
                _WORDS.pack_into(code, position, opcode, registers, offset, distance)
            position += SIZE  # the second half holds the upper 32 bits
        elif opcode == _CALL and source == 0 and immediate >= KFUNC_BASE:
            target = registers & 0x0F | _PSEUDO_KFUNC_CALL << 4
            _WORDS.pack_into(code, position, opcode, target, 0, kfuncs[immediate - KFUNC_BASE])
        position += SIZE
    return LinkedCode(bytes(code), tuple((start, name) for name, start in starts.items()))


def _referred(code: bytes, callbacks: "Sequence[str]") -> tuple[str, ...]:
    """The callbacks whose address the function takes, each once."""
    found = []
    position = 0
    while position < len(code):
        opcode, registers, _, immediate = _WORDS.unpack_from(code, position)
        if opcode == _LD_IMM64:
            if registers >> 4 == _PSEUDO_FUNC:
                found.append(callbacks[immediate])
            position += SIZE
        position += SIZE
    return tuple(dict.fromkeys(found))


def instruction(opcode: int, *, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """One instruction, for the few programs that are written by hand."""
    return _WORDS.pack(opcode, src << 4 | dst, offset, immediate)
