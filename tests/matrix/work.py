"""Events for the tools, each by its name. Plain Python, to start fast, and standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

PAGEOUT = 21  # of madvise(2), since Linux 5.4
# linux/raid/md_u.h
SET_ARRAY_INFO, ADD_NEW_DISK, RUN_ARRAY, STOP_ARRAY = 0x40480923, 0x40140921, 0x400C0930, 0x0932
ACTIVE_AND_IN_SYNC = 0b110


def tcp() -> None:
    """A connection to ourselves with 5000 bytes on it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = threading.Thread(target=send, args=(server.getsockname(),))
        client.start()
        connection, _ = server.accept()
        with connection:
            while connection.recv(4096):
                pass
        client.join()


def send(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"x" * 5000)


def unix() -> None:
    """A message through a socket of the machine's own."""
    one, other = socket.socketpair()
    one.sendall(b"hello")
    other.recv(100)


def unanswered() -> None:
    """A connection to a listener whose queue is full: the first packet is sent again after a second."""
    with contextlib.ExitStack() as sockets:
        address = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)).getsockname()
        sockets.enter_context(socket.create_connection(address))
        late = sockets.enter_context(socket.socket())
        late.settimeout(2.5)
        with contextlib.suppress(TimeoutError):
            late.connect(address)


def swap() -> None:
    """Pages of our own that are sent to the swap device, and read back."""
    size = 64 * mmap.PAGESIZE
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = b"x" * size
        memory.madvise(PAGEOUT)
        assert memory[:] == b"x" * size


def oom() -> None:
    """The kernel is out of memory, it is told, and it takes the process that asks to be taken."""
    child = os.fork()
    if child == 0:
        Path("/proc/self/oom_score_adj").write_text("1000")
        time.sleep(60)
    time.sleep(0.5)
    Path("/proc/sysrq-trigger").write_text("f")
    os.waitpid(child, 0)


def flush() -> None:
    """A striped array of two RAM disks, without a superblock, which is told to write everything down."""
    number = 127
    Path("/sys/module/md_mod/parameters/new_array").write_text(f"md{number}")
    array = os.open(f"/dev/md{number}", os.O_RDWR)
    version, kind, disks, chunk = (0, 90, 3), 0, 2, 65536
    fcntl.ioctl(
        array, SET_ARRAY_INFO, struct.pack("18i", *version, 0, kind, 0, disks, disks, number, 1, *[0] * 7, chunk)
    )
    for place in range(disks):
        device = Path(f"/dev/ram{place + 1}").stat().st_rdev
        disk = struct.pack("5i", place, os.major(device), os.minor(device), place, ACTIVE_AND_IN_SYNC)
        fcntl.ioctl(array, ADD_NEW_DISK, disk)
    fcntl.ioctl(array, RUN_ARRAY, bytes(12))
    os.fsync(array)
    fcntl.ioctl(array, STOP_ARRAY)
    os.close(array)


if __name__ == "__main__":
    WORK = {"tcp": tcp, "unix": unix, "unanswered": unanswered, "swap": swap, "oom": oom, "flush": flush}
    WORK[sys.argv[1]]()
