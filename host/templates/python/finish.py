"""Takes away what componentize-py leaves of its own in a component: the export `exports`, through which it set up the app during the
build. A module of Enact exports one interface. Usage: python3 finish.py COMPONENT"""

import sys

EXPORT_SECTION = 11
INSTANCE = 5


def number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def leb(value: int) -> bytes:
    """An unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def export(body: bytes) -> tuple[bytes, bytes, int, bytes] | None:
    """The one export of a section: how its name begins, the name, the instance, and what follows; None for anything else."""
    count, at = number(body, 0)
    size, start = number(body, at + 1)
    end = start + size
    if count != 1 or body[end] != INSTANCE:
        return None
    instance, rest = number(body, end + 1)
    return body[:start], body[start:end], instance, body[rest:]


def finish(data: bytes) -> bytes:
    out, at, removed = bytearray(data[:8]), 8, None
    while at < len(data):
        section, start = data[at], at
        size, body = number(data, at + 1)
        at = body + size
        found = export(data[body:at]) if section == EXPORT_SECTION else None
        if found is not None and found[1] == b"exports":
            removed = found[2]
            continue
        if found is not None and removed is not None and found[2] > removed:
            # An export is an instance of its own, so those behind the removed one move up.
            head, name, instance, rest = found
            text = head + name + bytes([INSTANCE]) + leb(instance - 1) + rest
            out += bytes([section]) + leb(len(text)) + text
            continue
        out += data[start:at]
    return bytes(out)


with open(sys.argv[1], "rb") as file:
    component = finish(file.read())
with open(sys.argv[1], "wb") as file:
    file.write(component)
