"""printf's %gr: how the kernel is asked for memory, as the names of its gfp flags.

The numbers are those of Linux 5.10 to 7.2, where bits 9 and above 22 have had several meanings; of these, the latest.
"""

from __future__ import annotations

_COMBINED = {
    0x1C24CA: "GFP_TRANSHUGE",
    0x1C20CA: "GFP_TRANSHUGE_LIGHT",
    0x100CCA: "GFP_HIGHUSER_MOVABLE",
    0x100CC2: "GFP_HIGHUSER",
    0x100CC0: "GFP_USER",
    0x400CC0: "GFP_KERNEL_ACCOUNT",
    0xCC0: "GFP_KERNEL",
    0xC40: "GFP_NOFS",
    0x820: "GFP_ATOMIC",
    0xC00: "GFP_NOIO",
    0x2800: "GFP_NOWAIT",
}
"""What the kernel's code says, from what has the most flags to what has the fewest."""

_BITS = (
    "GFP_DMA", "__GFP_HIGHMEM", "GFP_DMA32", "__GFP_MOVABLE", "__GFP_RECLAIMABLE", "__GFP_HIGH", "__GFP_IO", "__GFP_FS",
    "__GFP_ZERO", "", "__GFP_DIRECT_RECLAIM", "__GFP_KSWAPD_RECLAIM", "__GFP_WRITE", "__GFP_NOWARN",
    "__GFP_RETRY_MAYFAIL", "__GFP_NOFAIL", "__GFP_NORETRY", "__GFP_MEMALLOC", "__GFP_COMP", "__GFP_NOMEMALLOC",
    "__GFP_HARDWALL", "__GFP_THISNODE", "__GFP_ACCOUNT", "__GFP_ZEROTAGS", "__GFP_SKIP_ZERO", "__GFP_SKIP_KASAN",
    "__GFP_NO_OBJ_EXT",
)  # fmt: skip


def gfp_text(flags: int) -> str:
    """GFP_KERNEL|__GFP_ZERO; bits without a name as a number."""
    names, left = [], flags
    for mask, name in _COMBINED.items():
        if left & mask == mask:
            names.append(name)
            left &= ~mask
    for bit, name in enumerate(_BITS):
        if name and left >> bit & 1:
            names.append(name)
            left &= ~(1 << bit)
    if left or not names:
        names.append(f"0x{left:x}" if left else "0")
    return "|".join(names)
