"""Where to go on behind damage in pcapng: at blocks that nothing but blocks looks like."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from ..content import Window

LARGEST_BLOCK_BYTES = 1 << 19
"""Longer blocks are not gone on with; what seems to be one is more likely a part of something else."""
SEARCHED_AGAIN_BYTES = 4 * LARGEST_BLOCK_BYTES
"""The end of a window in which blocks may not be complete enough to be told."""
CONSECUTIVE_BLOCKS = 3
"""So many in a row, or up to the end of the file, are no chance, even though packets may hold parts of a pcapng file."""

_SECTION = rb"\n\r\r\n....(?:\x1a\x2b\x3c\x4d|\x4d\x3c\x2b\x1a)"
_BLOCK = {"<": rb"[\1-\6]\0\0\0..[\0-\x08]\0", ">": rb"\0\0\0[\1-\6]\0[\0-\x08].."}
_PATTERNS: dict[str | None, re.Pattern[bytes]] = {
    None: re.compile(b"(?=" + _SECTION + b")", re.DOTALL),
    **{order: re.compile(b"(?=" + _SECTION + b"|" + block + b")", re.DOTALL) for order, block in _BLOCK.items()},
}


class Found(NamedTuple):
    """Where blocks go on.

    Attributes:
        position: Where in the window the first sound block begins, or from where the search must go on in the next window.
        order: Its byte order; None where there is none.
    """

    position: int
    order: str | None


def find_blocks(window: Window, position: int, order: str | None) -> Found:
    """Search a window for sound blocks.

    Args:
        window: The window.
        position: Where the search begins.
        order: Byte order of the section that is being read; None if only a new section will do.
    """
    view = window.buffer.data
    for match in _PATTERNS[order].finditer(view, position, window.size):
        start = match.start()
        if (section := _section_order(view, start, window.size)) is not None:
            return Found(start, section)
        if order is not None and _follow_each_other(view, start, window, order):
            return Found(start, order)
    return Found(window.size if window.last else max(position, window.size - SEARCHED_AGAIN_BYTES), None)


def _section_order(view: memoryview, start: int, end: int) -> str | None:
    """Byte order of the section header at `start`; None if there is no sound one."""
    order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(bytes(view[start + 8 : start + 12]))
    if bytes(view[start : start + 4]) != b"\n\r\r\n" or order is None or start + 28 > end:
        return None
    (version,) = struct.unpack_from(order + "H", view, start + 12)
    return order if version == 1 and _sound_size(view, start, end, order) >= 28 else None


def _follow_each_other(view: memoryview, start: int, window: Window, order: str) -> bool:
    """Whether enough sound blocks of known types begin here."""
    position = start
    for _ in range(CONSECUTIVE_BLOCKS):
        if position == window.size and window.last and position > start:
            return True
        if position + 12 > window.size:
            return False
        (kind,) = struct.unpack_from(order + "I", view, position)
        size = _sound_size(view, position, window.size, order)
        if not size or not (1 <= kind <= 6 or _section_order(view, position, window.size) is not None):
            return False
        position += size
    return True


def _sound_size(view: memoryview, start: int, end: int, order: str) -> int:
    """Size of the block at `start` if that stands at both its ends and is likely; 0 otherwise."""
    (size,) = struct.unpack_from(order + "I", view, start + 4)
    if size % 4 or not 12 <= size <= LARGEST_BLOCK_BYTES or start + size > end:
        return 0
    return int(size) if struct.unpack_from(order + "I", view, start + size - 4)[0] == size else 0
