"""The one file that says both a tracepoint's number and its record: name in, (number, record) out.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

_EVENTS = ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events")


def tracepoint_record(name: str) -> tuple[int, str] | None:
    """`name` is category/event. The record as text, without the number, which changes from boot to boot."""
    for folder in _EVENTS:
        try:
            with open(f"{folder}/{name}/format", "rb", buffering=0) as file:
                head, _, rest = file.read().decode(errors="replace").partition("\nID: ")
            number, _, record = rest.partition("\n")
            return int(number), f"{head}\n{record}"
        except (OSError, ValueError):
            continue
    return None
