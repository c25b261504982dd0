"""Constants of Linux's user-space headers that programs get from `#include`, and that BTF doesn't know.

Only those that are the same number on every architecture that we run on, and the numbers of system calls. Enums (TCP
states, IPPROTO_*, capabilities of BPF) aren't here: BTF has them. Source: the kernel's include/uapi, by value.
"""

from __future__ import annotations

# Not `signal`, which takes 0.5 ms to make enums of this.
import _signal
import errno
import stat

from tracelang.syscalls import syscall_number

SIGNALS: dict[str, int] = {
    name: number for name, number in vars(_signal).items() if name.startswith("SIG") and not name.startswith("SIG_")
}
"""SIGHUP, SIGINT and so on."""


def _counted(start: int, names: str) -> dict[str, int]:
    """Consecutive numbers from `start`."""
    return {name: start + index for index, name in enumerate(names.split())}


def _families() -> dict[str, int]:
    names = _counted(
        0,
        """UNSPEC UNIX INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK
        PACKET ASH ECONET ATMSVC RDS SNA IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET
        IEEE802154 CAIF ALG NFC VSOCK KCM QIPCRTR SMC XDP MCTP MAX""",
    ) | {"LOCAL": 1, "ROUTE": 16, "FILE": 1}
    families = {f"AF_{name}": value for name, value in names.items() if name != "FILE"}
    return families | {f"PF_{name}": value for name, value in names.items() if name != "FILE"}


_SOCKETS = {
    **_counted(1, "SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET SOCK_DCCP"),
    "SOCK_PACKET": 10,
    "SOL_IP": 0,
    "SOL_SOCKET": 1,
    "SOL_TCP": 6,
    "SOL_UDP": 17,
    "SOL_IPV6": 41,
    "SHUT_RD": 0,
    "SHUT_WR": 1,
    "SHUT_RDWR": 2,
    "INET_ADDRSTRLEN": 16,
    "INET6_ADDRSTRLEN": 48,
    "ETH_ALEN": 6,
    "ETH_P_IP": 0x0800,
    "ETH_P_ARP": 0x0806,
    "ETH_P_IPV6": 0x86DD,
    "IFNAMSIZ": 16,
}

_FILES = {
    "O_ACCMODE": 3,
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_RDWR": 2,
    "O_CREAT": 0o100,
    "O_EXCL": 0o200,
    "O_NOCTTY": 0o400,
    "O_TRUNC": 0o1000,
    "O_APPEND": 0o2000,
    "O_NONBLOCK": 0o4000,
    "O_DSYNC": 0o10000,
    "O_CLOEXEC": 0o2000000,
    "AT_FDCWD": -100,
    "AT_SYMLINK_NOFOLLOW": 0x100,
    "AT_REMOVEDIR": 0x200,
    "AT_EMPTY_PATH": 0x1000,
    "SEEK_SET": 0,
    "SEEK_CUR": 1,
    "SEEK_END": 2,
    "R_OK": 4,
    "W_OK": 2,
    "X_OK": 1,
    "F_OK": 0,
    "PATH_MAX": 4096,
    "NAME_MAX": 255,
    "DNAME_INLINE_LEN": 32,
    "TASK_COMM_LEN": 16,
    **{
        name: getattr(stat, name)
        for name in dir(stat)
        if name.startswith(("S_IF", "S_IR", "S_IW", "S_IX", "S_IS")) and isinstance(getattr(stat, name), int)
    },
}

_PROCESSES = {
    "CLONE_VM": 0x100,
    "CLONE_FS": 0x200,
    "CLONE_FILES": 0x400,
    "CLONE_SIGHAND": 0x800,
    "CLONE_PTRACE": 0x2000,
    "CLONE_VFORK": 0x4000,
    "CLONE_PARENT": 0x8000,
    "CLONE_THREAD": 0x10000,
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
    "TASK_RUNNING": 0,
    "TASK_INTERRUPTIBLE": 1,
    "TASK_UNINTERRUPTIBLE": 2,
    "PROT_NONE": 0,
    "PROT_READ": 1,
    "PROT_WRITE": 2,
    "PROT_EXEC": 4,
    "MAP_SHARED": 1,
    "MAP_PRIVATE": 2,
    "MAP_FIXED": 0x10,
    "MAP_ANONYMOUS": 0x20,
}

_LIMITS = {
    "CHAR_BIT": 8,
    "INT8_MAX": (1 << 7) - 1,
    "INT16_MAX": (1 << 15) - 1,
    "INT32_MAX": (1 << 31) - 1,
    "INT64_MAX": (1 << 63) - 1,
    "UINT8_MAX": (1 << 8) - 1,
    "UINT16_MAX": (1 << 16) - 1,
    "UINT32_MAX": (1 << 32) - 1,
    "UINT64_MAX": (1 << 64) - 1,
    "INT_MAX": (1 << 31) - 1,
    "UINT_MAX": (1 << 32) - 1,
    "LONG_MAX": (1 << 63) - 1,
    "ULONG_MAX": (1 << 64) - 1,
    "NSEC_PER_USEC": 1_000,
    "NSEC_PER_MSEC": 1_000_000,
    "NSEC_PER_SEC": 1_000_000_000,
    "USEC_PER_SEC": 1_000_000,
}

_CAPABILITIES = _counted(
    0,
    """CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP
    CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
    CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
    CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
    CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
    CAP_CHECKPOINT_RESTORE""",
)

KNOWN_CONSTANTS: dict[str, int] = {
    **_families(),
    **_SOCKETS,
    **_FILES,
    **_PROCESSES,
    **_LIMITS,
    **_CAPABILITIES,
    **{name: number for number, name in errno.errorcode.items()},
    **SIGNALS,
}
"""By name. Errors and signals are taken from Python, which has the numbers of the system it runs on."""


def known_constant(name: str) -> int | None:
    """What system headers define the name as; of system calls' numbers too: __NR_read, SYS_read."""
    if name.startswith(("__NR_", "SYS_")):
        return syscall_number(name.removeprefix("__NR_").removeprefix("SYS_"))
    return KNOWN_CONSTANTS.get(name)
