"""Walking chains of records: each begins with a header that holds its length, so that only the record before tells where one begins."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """How records of a chain follow each other.

    Attributes:
        header_bytes: Bytes of a record's header.
        length_at: Where in it the unsigned 32-bit number of bytes that follow it stands.
        order: '<' or '>', its byte order.
        most: A greater length is impossible.
    """

    header_bytes: int
    length_at: int
    order: str
    most: int


@dataclass(frozen=True, slots=True)
class Walk:
    """Records that lie completely in a window.

    Attributes:
        starts: int64[n], where in the window each begins.
        stop: Where the walk ended: the beginning of the first record that is not among them.
        missing: Bytes from `stop` on that a window must hold so that the walk can go on; 0 where it ended at `limit` records.
        impossible: The length stated at `stop` where that is too great, else None.
    """

    starts: Int64
    stop: int
    missing: int
    impossible: int | None = None


def walk(buffer: Bytes, begin: int, end: int, layout: Layout, limit: int) -> Walk:
    """Find the records of `buffer[begin:end]`, `limit` of them at most."""
    return walk_plainly(buffer, begin, end, layout, limit)


def walk_plainly(buffer: Bytes, begin: int, end: int, layout: Layout, limit: int) -> Walk:
    """`walk`, record by record."""
    read = struct.Struct(layout.order + "I").unpack_from
    view = memoryview(buffer)
    header_bytes, length_at, most = layout.header_bytes, layout.length_at, layout.most
    starts: list[int] = []
    position = begin
    missing = 0
    impossible = None
    while len(starts) < limit:
        if position + header_bytes > end:
            missing = header_bytes
            break
        (length,) = read(view, position + length_at)
        if length > most:
            impossible = length
            break
        following = position + header_bytes + length
        if following > end:
            missing = header_bytes + length
            break
        starts.append(position)
        position = following
    return Walk(np.array(starts, dtype=np.int64), position, missing, impossible)
