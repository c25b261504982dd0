"""What an agent is asked to do: the operator writes it into the agent pod's annotation, the agent reads it as a file.

The text is zlib over JSON in base64, so that 64 KiB of program and a hundred targets stay below what an annotation
holds.
A running agent reads it again when it changes: new targets and `stop` come that way.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import msgspec

ENCODED_LIMIT = 200 * 1024
"""Characters that an encoded request may take (all annotations of an object together: 256 KiB)."""

DECODED_LIMIT = 4 * 1024 * 1024
"""Bytes of JSON that a request may unpack to, so that a forged one can't fill an agent's memory."""


class RequestError(Exception):
    """A request that can't be encoded or read."""


class RequestTooLarge(RequestError):
    """More than an annotation may hold; `size` is what it would have taken, in characters."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the agent's request takes {size} characters, {ENCODED_LIMIT} are possible")
        self.size = size


class JobRef(msgspec.Struct, frozen=True, rename="camel"):
    """The job that an agent works for. `namespace` is empty for a ClusterTraceJob."""

    name: str
    uid: str
    namespace: str = ""
    kind: str = "TraceJob"


class ProgramText(msgspec.Struct, frozen=True, rename="camel"):
    """The program as the user wrote it, and its positional parameters. `name` is what diagnostics call it."""

    text: str
    args: tuple[str, ...] = ()
    name: str = "program"


class ContainerTarget(msgspec.Struct, frozen=True, rename="camel"):
    """A container to trace: its name, and the runtime's id without the `containerd://` in front."""

    name: str
    id: str
    image: str = ""


class PodTarget(msgspec.Struct, frozen=True, rename="camel"):
    """A pod of this node.

    all_containers: the pod's whole cgroup is the target (restarted and ephemeral containers are inside); otherwise
    `containers` are. Either way `containers` names those that run now. qos is status.qosClass.
    """

    uid: str
    name: str
    namespace: str
    containers: tuple[ContainerTarget, ...] = ()
    all_containers: bool = True
    qos: str = ""
    workload: str = ""


class ProcessFilter(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Narrows a target to some of its processes. pid: in the container's PID namespace; cmdline: a glob."""

    pid: int | None = None
    comm: str | None = None
    exe: str | None = None
    cmdline: str | None = None


class AgentLimits(msgspec.Struct, frozen=True, rename="camel"):
    """Bounds of one agent. 0: none. What is over a limit is counted in `losses`."""

    events_per_second: int = 10_000
    map_entries: int = 4096
    output_bytes: int = 10 << 20
    cpu_percent: int = 0
    kernel_memory: int = 0


class AgentRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One agent's work. Times are in seconds; `duration` counts from the agent's own `attached`.

    host: the whole node is the target (`targets` is empty then). A change of `targets` or `stop` is followed by a
    running agent; nothing else may change.
    """

    id: str
    job: JobRef
    node: str
    program: ProgramText
    duration: float
    start_timeout: float
    interval: float
    limits: AgentLimits = AgentLimits()
    targets: tuple[PodTarget, ...] = ()
    process: ProcessFilter = ProcessFilter()
    host: bool = False
    unsafe: bool = False
    stop: bool = False
    v: int = 1


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AgentRequest)


def encode(request: AgentRequest) -> str:
    """The annotation's text; RequestTooLarge when it is over ENCODED_LIMIT. The same request gives the same text."""
    text = base64.b64encode(zlib.compress(_ENCODER.encode(request), 9)).decode()
    if len(text) > ENCODED_LIMIT:
        raise RequestTooLarge(len(text))
    return text


def decode(text: str | bytes) -> AgentRequest:
    """The request in an annotation's text; RequestError when it isn't one."""
    try:
        packed = base64.b64decode(text.strip(), validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, DECODED_LIMIT)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise RequestError("the request is cut short, or unpacks to more than an agent takes")
        return _DECODER.decode(data)
    except (binascii.Error, zlib.error, ValueError, msgspec.MsgspecError) as error:
        raise RequestError(f"not an agent's request: {error}") from error
