"""Kernel objects made from plain numbers: maps, programs, one run of a program. Descriptors come out.

The verifier's refusal keeps its whole log. The log is asked for only when the first try failed, as it costs time.
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import errno
import os
import struct

from tracejob_agent.bpf.func_info import RECORD_SIZE, btf_blob, func_info
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.errors import LoadError, LogSpaceError, NotPermittedError, VerifierError

_LOG_SIZE = 4 << 20
_LOG_STATS = 1
_NO_PREALLOC = 1
_DETAILS = ("processed ", "verification time", "stack depth", "mark_precise", "peak_states")


def create_map(name: str, *, kind: int, key_size: int, value_size: int, max_entries: int, flags: int) -> int:
    """Raises OSError."""
    numbers = (kind, key_size, value_size, max_entries, flags, 0, 0)
    descriptor = bpf(Command.MAP_CREATE, struct.pack("<IIIIIII16s", *numbers, name.encode()[:15]))
    if flags & _NO_PREALLOC:
        _warm_up(descriptor, key_size, value_size)
    return descriptor


def _warm_up(descriptor: int, key_size: int, value_size: int) -> None:
    """Of a map whose entries are allocated when they are needed: has the kernel set some aside on every processor.

    It begins with one each (alloc_bulk in kernel/bpf/memalloc.c), and gets more only after that is taken, and not while
    an interrupt is served: the first sample of a profile that keeps two stacks would lose the second one. Where this
    fails they are lost, and counted.
    """
    key, value = bytes(key_size), bytes(value_size)
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in allowed:
            os.sched_setaffinity(0, (cpu,))
            write_element(descriptor, key, value)
            delete_element(descriptor, key)
    except OSError:
        return
    finally:
        os.sched_setaffinity(0, allowed)


def delete_element(map_descriptor: int, key: bytes) -> None:
    buffer = Buffer(key)
    bpf(Command.MAP_DELETE_ELEM, struct.pack("<IIQ", map_descriptor, 0, buffer.address))


def write_element(map_descriptor: int, key: bytes, value: bytes, flags: int = 0) -> None:
    key_buffer, value_buffer = Buffer(key), Buffer(value)
    attribute = struct.pack("<IIQQQ", map_descriptor, 0, key_buffer.address, value_buffer.address, flags)
    bpf(Command.MAP_UPDATE_ELEM, attribute)


def load_program(
    code: bytes,
    *,
    name: str,
    type_: int,
    license_text: str = "GPL",
    attach_type: int = 0,
    attach_btf_id: int = 0,
    attach_types_of: int = 0,
    functions: tuple[tuple[int, str], ...] = (),
    label: str = "",
    log_size: int = 0,
) -> int:
    """The descriptor of a loaded program. `label` is what messages call it.

    Raises LoadError, VerifierError, NotPermittedError; LogSpaceError when the verifier's log is asked for and its
    `log_size` bytes are too few. 0: the log is asked for only when the kernel refuses the program.
    attach_types_of: the descriptor of the types that attach_btf_id belongs to; 0 for the kernel's own.
    """
    label = label or name
    instructions, license_buffer = Buffer(code), Buffer(license_text.encode() + b"\0")
    btf = -1
    try:
        info = Buffer(func_info([start for start, _ in functions]))
        if len(functions) > 1:
            btf = _load_btf([function for _, function in functions])

        def attempt(log: Buffer | None) -> int:
            with_info = btf >= 0
            return bpf(
                Command.PROG_LOAD,
                struct.pack(
                    "<IIQQIIQII16sIIIIQIIQIII",
                    type_,
                    len(code) // 8,
                    instructions.address,
                    license_buffer.address,
                    _LOG_STATS if log else 0,
                    log.size if log else 0,
                    log.address if log else 0,
                    0,
                    0,
                    name.encode()[:15],
                    0,
                    attach_type,
                    btf if with_info else 0,
                    RECORD_SIZE if with_info else 0,
                    info.address if with_info else 0,
                    len(functions) if with_info else 0,
                    0,
                    0,
                    0,
                    attach_btf_id,
                    attach_types_of,
                ),
            )

        try:
            return attempt(Buffer(log_size) if log_size else None)
        except OSError as first:
            if log_size and first.errno == errno.ENOSPC:
                raise LogSpaceError(log_size) from first
            if first.errno in (errno.EPERM, errno.EMFILE):
                from tracejob_agent.kernel.refusals import refusal_hint

                hint = refusal_hint(first.errno)
                raise NotPermittedError(f"{label} can't be loaded: {first.strerror}{hint}") from first
            if first.errno == errno.E2BIG:
                # Older kernels keep the log's beginning, which doesn't say so.
                raise LoadError(
                    f"the kernel's verifier gave up on {label}: it is too long, or its loops have too many turns"
                ) from first
            log = Buffer(_LOG_SIZE)
            try:
                return attempt(log)
            except OSError as error:
                raise _refusal(name, error, log.text(), label=label) from error
    finally:
        if btf >= 0:
            os.close(btf)


def test_run(descriptor: int, context: bytes = b"") -> int:
    """Runs a raw tracepoint program once, here and now, with `context` as its arguments; what it returned."""
    context_buffer = Buffer(context)
    attribute = bytearray(
        struct.pack(
            "<IIIIQQIIIIQQIII",
            descriptor,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            len(context),
            0,
            context_buffer.address if context else 0,
            0,
            0,
            0,
            0,
        )
    )
    bpf(Command.PROG_TEST_RUN, attribute)
    return int(struct.unpack_from("<I", attribute, 4)[0])


def open_raw_tracepoint(program: int, name: str, cookie: int) -> int:
    """The link's descriptor. Raises OSError."""
    text = Buffer(name.encode() + b"\0")
    try:
        return bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QIIQ", text.address, program, 0, cookie))
    except OSError as error:
        # Cookies since 6.10 (commit 68ca5d4eebb8); a program that asks for its cookie didn't load before that.
        if error.errno not in (errno.EINVAL, errno.E2BIG) or not cookie:
            raise
        return bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QII", text.address, program, 0))


def _load_btf(names: list[str]) -> int:
    blob = Buffer(btf_blob(names))
    return bpf(Command.BTF_LOAD, struct.pack("<QQIIII", blob.address, 0, blob.size, 0, 0, 0))


def _refusal(name: str, error: OSError, log: str, *, label: str) -> LoadError:
    if not log.strip():
        return LoadError(f"the kernel refused {label}: {error.strerror}")
    import re

    numbers = re.findall(r"^(\d+): \(", log, re.MULTILINE)
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(_DETAILS)]
    complaint = lines[-1].strip() if lines else ""
    return VerifierError(
        f"the kernel's verifier refused {label}: {complaint}",
        program=name,
        log=log,
        instruction=int(numbers[-1]) if numbers else -1,
        complaint=complaint,
    )
