"""Kernel maps as objects: made from a MapSpec, read as (key, values by CPU), written, closed.

Values are raw bytes: what they mean is the output layer's business. Large maps are read in batches.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

from tracejob_agent.bpf.objects import create_map, write_element
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.errors import MapError, NotPermittedError
from tracejob_agent.kernel.cpus import possible_cpus
from tracejob_agent.kernel.refusals import refusal_hint
from tracelang.plan import BpfMapKind, MapSpec

ANY = 0
_PER_CPU = frozenset({BpfMapKind.PERCPU_HASH, BpfMapKind.PERCPU_ARRAY, BpfMapKind.LRU_PERCPU_HASH})
_HASHES = frozenset(
    {BpfMapKind.HASH, BpfMapKind.PERCPU_HASH, BpfMapKind.LRU_HASH, BpfMapKind.LRU_PERCPU_HASH, BpfMapKind.STACK_TRACE}
)
_BATCHED = frozenset({BpfMapKind.HASH, BpfMapKind.PERCPU_HASH, BpfMapKind.LRU_HASH, BpfMapKind.LRU_PERCPU_HASH})
_BATCH_BYTES = 1 << 20

RawEntry = tuple[bytes, tuple[bytes, ...]]
"""A key, and its value: one for a shared map, one per CPU for a per-CPU map."""


class BpfMap:
    """One kernel map, owned: closing it releases it. key_size 0 (ring buffer) has no entries."""

    __slots__ = ("_stride", "descriptor", "spec")

    def __init__(self, spec: MapSpec, descriptor: int = -1) -> None:
        """descriptor: of the map, when it has been made already."""
        self.spec = spec
        # Per-CPU values are padded to eight bytes each.
        self._stride = (spec.value_size + 7) // 8 * 8 if self.is_per_cpu else spec.value_size
        self.descriptor = descriptor if descriptor >= 0 else _create(spec)

    @property
    def is_per_cpu(self) -> bool:
        return self.spec.kind in _PER_CPU

    @property
    def value_bytes(self) -> int:
        """Bytes that a look-up returns: for a per-CPU map the values of all CPUs."""
        return self._stride * possible_cpus() if self.is_per_cpu else self.spec.value_size

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def lookup(self, key: bytes) -> tuple[bytes, ...] | None:
        """The value, one per CPU for a per-CPU map; None without such a key."""
        key_buffer, value = Buffer(key), Buffer(self.value_bytes)
        try:
            bpf(Command.MAP_LOOKUP_ELEM, self._attribute(key_buffer.address, value.address))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return struct.unpack(self._copies, value.bytes())

    def update(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """`value`: of a per-CPU map, all CPUs' values, each padded to eight bytes."""
        write_element(self.descriptor, key, value, flags)

    def set(self, key: bytes, value: bytes) -> None:
        """One value for the key, on every CPU."""
        if self.is_per_cpu:
            value = value.ljust(self._stride, b"\0") * possible_cpus()
        self.update(key, value)

    def delete(self, key: bytes) -> bool:
        """Whether it was there."""
        key_buffer = Buffer(key)
        try:
            bpf(Command.MAP_DELETE_ELEM, self._attribute(key_buffer.address, 0))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
        return True

    def keys(self) -> Iterator[bytes]:
        """All keys; while programs write, one may be missed or come twice, as the kernel's own walk does."""
        size = self.spec.key_size
        current, following = Buffer(size), Buffer(size)
        address = 0
        while True:
            try:
                bpf(Command.MAP_GET_NEXT_KEY, self._attribute(address, following.address))
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                raise
            key = following.bytes()
            yield key
            current.view()[:] = key
            address = current.address

    def entries(self) -> list[RawEntry]:
        """All of the map at once."""
        if self.spec.kind in _BATCHED:
            try:
                return self._entries_in_batches()
            except OSError as error:
                # Before 5.6 there are no batches (ENOTSUPP is the kernel's own number 524).
                if error.errno not in (errno.EINVAL, 524, errno.EOPNOTSUPP):
                    raise
        found: dict[bytes, tuple[bytes, ...]] = {}
        for key in list(self.keys()):
            value = self.lookup(key)
            if value is not None:
                found[key] = value
        return list(found.items())

    def clear(self) -> None:
        """Removes every key; sets the values of an array to zero."""
        if self.spec.kind in _HASHES:
            for key in list(self.keys()):
                self.delete(key)
        else:
            for key in list(self.keys()):
                self.update(key, bytes(self.value_bytes))

    def zero(self) -> None:
        """Sets every value to zero bytes, keeping the keys, and of a map without keys whether it was set."""
        presence = self.spec.user.presence if self.spec.user else 0
        for key in list(self.keys()):
            kept = [value[presence:] for value in self.lookup(key) or ()] if presence else []
            self.update(key, b"".join(bytes(presence) + word for word in kept) or bytes(self.value_bytes))

    def length(self) -> int:
        return sum(1 for _ in self.keys())

    def _entries_in_batches(self) -> list[RawEntry]:
        key_size, value_bytes = self.spec.key_size, self.value_bytes
        capacity = min(self.spec.max_entries, max(64, _BATCH_BYTES // (key_size + value_bytes)))
        position = Buffer(max(8, key_size))
        key, copies = struct.Struct(f"{key_size}s"), struct.Struct(self._copies)
        first = True
        found: dict[bytes, tuple[bytes, ...]] = {}
        while True:
            keys, values = Buffer(capacity * key_size), Buffer(capacity * value_bytes)
            attribute = bytearray(
                struct.pack(
                    "<QQQQIIQQ",
                    0 if first else position.address,
                    position.address,
                    keys.address,
                    values.address,
                    capacity,
                    self.descriptor,
                    0,
                    0,
                )
            )
            finished = False
            try:
                bpf(Command.MAP_LOOKUP_BATCH, attribute)
            except OSError as error:
                if error.errno == errno.ENOSPC and capacity < self.spec.max_entries * 2:
                    capacity *= 2  # one bucket of the hash holds more than the batch
                    continue
                if error.errno != errno.ENOENT:
                    raise
                finished = True
            (count,) = struct.unpack_from("<I", attribute, 32)
            some_keys = key.iter_unpack(keys.view()[: count * key_size])
            some_values = copies.iter_unpack(values.view()[: count * value_bytes])
            found.update(zip((item for (item,) in some_keys), some_values, strict=True))
            if finished:
                return list(found.items())
            first = False

    @property
    def _copies(self) -> str:
        """How a value's copies lie in what a look-up returns, as the struct module spells it."""
        size, count = self.spec.value_size, possible_cpus() if self.is_per_cpu else 1
        return f"{size}s{self._stride - size}x" * count

    def _attribute(self, key: int, value: int) -> bytes:
        return struct.pack("<IIQQQ", self.descriptor, 0, key, value, 0)


def _create(spec: MapSpec) -> int:
    try:
        return create_map(
            spec.name,
            kind=spec.kind.value,
            key_size=spec.key_size,
            value_size=spec.value_size,
            max_entries=spec.max_entries,
            flags=spec.flags,
        )
    except OSError as error:
        what = f"map {spec.user.name if spec.user else spec.name}"
        if error.errno in (errno.EPERM, errno.EMFILE):
            hint = refusal_hint(error.errno)
            raise NotPermittedError(f"{what} can't be made: {error.strerror}{hint}") from error
        raise MapError(f"the kernel refused {what} of {spec.max_entries} entries: {error.strerror}") from error


def sum_of_cpus(values: tuple[bytes, ...]) -> int:
    """Of per-CPU u64 counters."""
    return sum(int.from_bytes(value[:8], "little") for value in values)
