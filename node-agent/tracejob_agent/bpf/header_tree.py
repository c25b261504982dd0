"""The header tree that bcc compiles against: a dozen typedefs, no kernel headers. Text in, a folder out.

bcc looks for `include/linux/kconfig.h` below BCC_KERNEL_SOURCE and includes a handful of headers of its own choice;
those are empty here. The generated C brings offsets, not structs, so that the tree is the same on every kernel.
"""

import os
import zlib

from tracejob_agent.bpf.helpers import GUARDS, declarations
from tracejob_agent.errors import UnsupportedError
from tracejob_agent.kernel.cache import cache_folder

# Included before everything else, and all that a program sees: bcc's own headers are shut out (bpf/helpers.py).
KCONFIG = """\
#pragma once
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef __u16 __be16, __le16, __sum16;
typedef __u32 __be32, __le32, __wsum;
typedef __u64 __be64, __le64;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
typedef _Bool bool;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
#define true 1
#define false 0
#define __bitwise
#define __always_inline inline __attribute__((always_inline))
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_64BIT 1
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
"""

FILES = {
    "include/linux/kconfig.h": KCONFIG + declarations(),
    "include/linux/version.h": (
        "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))\n"
        "#define LINUX_VERSION_CODE KERNEL_VERSION(6, 1, 0)\n"
    ),
    "include/linux/log2.h": "#define roundup_pow_of_two(n) (n)\n",
    "include/asm/page.h": "",
    "include/uapi/linux/bpf.h": "",
    "include/uapi/linux/if_packet.h": "",
    "include/uapi/linux/ptrace.h": "",
    "include/uapi/linux/bpf_perf_event.h": "struct bpf_perf_event_data { int unused; };\n",
    "include/linux/types.h": "",
    "include/linux/bpf_common.h": "",
    "include/linux/sched.h": "",
    # Bound over /proc/kallsyms in the compiler child: bcc reads it whole (145 ms) to look up two names. Without them it
    # would turn every read into the old bpf_probe_read(), which guesses from the address whose memory is meant.
    "kallsyms": "ffffffff81000000 T bpf_probe_read_kernel\nffffffff81000010 T bpf_probe_read_user\n",
}


# bcc asks for debugging information, which nobody reads here.
FLAGS = (b"-O2", b"-g0", b"-Werror=implicit-function-declaration", *GUARDS)


def tree_version() -> str:
    """Changes whenever the tree or the flags do."""
    return f"{zlib.crc32(repr((sorted(FILES.items()), FLAGS)).encode()):08x}"


def header_tree() -> tuple[str, bool]:
    """The folder, complete, and whether it is a temporary one that the caller removes."""
    cache = cache_folder()
    if cache is not None:
        folder = f"{cache}/headers-{tree_version()}"
        if os.path.exists(f"{folder}/complete"):
            return folder, False
        try:
            _write_aside(folder, cache)
        except OSError:
            pass  # a full or read-only disk: a temporary folder may still work
        else:
            return folder, False
    import shutil
    import tempfile

    for place in _places():
        try:
            temporary = tempfile.mkdtemp(prefix=_prefix(os.getpid()), dir=place)
        except OSError:
            continue
        try:
            _write(temporary)
        except OSError:  # full
            shutil.rmtree(temporary, ignore_errors=True)
            continue
        return temporary, True
    raise UnsupportedError("no folder can be written here: the compiler needs 20 kB in /tmp, /run or /dev/shm")


def remove_trees_of(pid: int) -> None:
    """Temporary folders of a process that was killed and couldn't remove them."""
    import glob
    import shutil

    for place in _places():
        for folder in glob.glob(f"{glob.escape(place)}/{_prefix(pid)}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _places() -> tuple[str, ...]:
    return tuple(dict.fromkeys((os.environ.get("TMPDIR") or "/tmp", "/var/tmp", "/run", "/dev/shm")))


def _prefix(pid: int) -> str:
    return f"tracejob-headers-{pid}-"


def _write_aside(folder: str, parent: str) -> None:
    """Whole or not at all, with other agents doing the same at once."""
    import tempfile

    aside = tempfile.mkdtemp(prefix=".new-headers-", dir=parent)
    try:
        _write(aside)
        os.rename(aside, folder)
    except OSError:
        import shutil

        shutil.rmtree(aside, ignore_errors=True)
        if not os.path.exists(f"{folder}/complete"):
            raise


def _write(folder: str) -> None:
    for name, text in (*FILES.items(), ("complete", "")):
        path = f"{folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
