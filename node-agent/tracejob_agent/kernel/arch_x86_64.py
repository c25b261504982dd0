"""What only x86-64 is like: its registers as assembly text writes them."""

from __future__ import annotations

_LEGACY = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")


def _names() -> dict[str, str]:
    """Assembly spelling -> field of the kernel's pt_regs."""
    names = {"rip": "ip", "eip": "ip", "eflags": "flags", "rflags": "flags"}
    for field in _LEGACY:
        names[f"r{field}"] = names[f"e{field}"] = names[field] = field
        names[f"{field}l" if field in ("si", "di", "bp", "sp") else f"{field[0]}l"] = field
    for number in range(8, 16):
        for suffix in ("", "d", "w", "b"):
            names[f"r{number}{suffix}"] = f"r{number}"
    return names


REGISTER_FIELDS = _names()


def register_field(name: str) -> str | None:
    """ "%eax" or "eax" -> "ax"; None for what pt_regs doesn't hold (vector registers)."""
    return REGISTER_FIELDS.get(name.removeprefix("%"))
