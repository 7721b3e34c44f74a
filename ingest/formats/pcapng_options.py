"""Options of pcapng's blocks (section 3.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option up to the end or to the first that does not fit."""
    position = 0
    while position + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, position)
        if code == 0 or position + 4 + size > len(data):
            return
        yield code, data[position + 4 : position + 4 + size]
        position += 4 + (size + 3 & ~3)


def text(value: bytes) -> str:
    """An option's text: UTF-8 that some writers end with a zero."""
    return value.split(b"\0", 1)[0].decode("utf-8", errors="replace")
