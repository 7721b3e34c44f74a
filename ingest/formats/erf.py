"""ERF, Endace's Extensible Record Format: records without a file header, and so without a magic number.

Source: "Endace Extensible Record Format", EDM11-01; the header's parts are read by `pseudo_headers`, because other formats hold ERF
records, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np

from ..content import Content, Window
from .base import PacketBatch, ReaderState
from .chained import chained_batches
from .gather import gather
from .pseudo_headers import ERF, ERF_TS_RESOLUTION_NS, ErfPorts, erf_header_lengths, erf_times
from .records import Int64, Layout, Walk
from .registry import Format

HEADER_BYTES = 16
PADDING_TYPE = 48
TYPES = frozenset({*range(1, 32), PADDING_TYPE})
EXTENSION = 0x80
"""Bit of the type that announces an extension header."""
RECORDS_TRIED = 20
RECORDS_BEFORE_CUT = 3
"""A file that ends inside a record must hold so many whole ones to be taken for ERF."""
MOST_SECONDS_BACK, MOST_SECONDS_ON = 1, 7 * 24 * 3600
"""Times of one record and the next in a file that is ERF."""

_HEAD = np.dtype([("time", "<u8"), ("type", "u1"), ("flags", "u1"), ("record", ">u2"), ("lost", ">u2"), ("wire", ">u2")])


def _like(record: bytes) -> tuple[re.Pattern[bytes], int]:
    """What records look like near `record`, see `Layout.guess`: within hours of its time and of its type."""
    return re.compile(re.escape(record[6:9]), re.DOTALL), 6


_LAYOUT = Layout(">H", 10, 0, HEADER_BYTES, (1 << 16) - 1, guess=_like)


class ErfReader:
    """Reads ERF files; see `base.Reader`. Records that only fill up space are no frames."""

    format = "erf"

    def __init__(self, content: Content) -> None:
        self.state = ReaderState()
        self._content = content
        self._ports = ErfPorts(self.state.interfaces, ERF_TS_RESOLUTION_NS)

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        return chained_batches(self._content, _LAYOUT, self.state.problems, self._batch, _check)

    def _batch(self, window: Window, starts: Int64, first_frame: int) -> PacketBatch:
        buffer = window.buffer
        heads = _heads(window, starts)
        keep = np.flatnonzero((heads["type"] & ~np.uint8(EXTENSION)) != PADDING_TYPE)
        heads, starts = heads[keep], starts[keep]
        sizes = heads["record"].astype(np.int64)
        length = erf_header_lengths(buffer, starts, sizes)
        wire = heads["wire"].astype(np.int64)
        return PacketBatch(
            buffer=buffer,
            offset=starts + length,
            captured_length=np.minimum(sizes - length, wire),  # cards fill records up to a multiple of eight bytes
            wire_length=wire,
            ts_ns=erf_times(buffer, starts),
            interface_id=self._ports.interface_ids(buffer, starts, sizes),
            link_type=np.full(len(starts), ERF, dtype=np.int32),
            record_offset=starts + window.position,
            first_frame=first_frame,
            pseudo_header=length,
        )


def _heads(window: Window, starts: Int64) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return gather(window.buffer, starts, _HEAD)


def _check(window: Window, walked: Walk) -> Walk:
    """The walk up to a record that is shorter than its header."""
    return walked.cut(_heads(window, walked.starts)["record"] != walked.sizes, "a record shorter than its header")


def looks_like_erf(head: bytes, *, whole: bool) -> bool:
    """Whether a file that begins with `head`, and is no longer where `whole`, is ERF: types, lengths and times all make sense."""
    position = 0
    before = None
    for number in range(RECORDS_TRIED):
        if position == len(head) and whole:
            return number > 0
        if position + HEADER_BYTES > len(head):
            return number >= RECORDS_BEFORE_CUT
        time, kind, _flags, size = struct.unpack_from("<QBB", head, position) + struct.unpack_from(">H", head, position + 10)
        if kind & ~EXTENSION not in TYPES or size < HEADER_BYTES:
            return False
        if kind & ~EXTENSION != PADDING_TYPE:
            seconds = time >> 32
            if before is not None and not -MOST_SECONDS_BACK <= seconds - before <= MOST_SECONDS_ON:
                return False
            before = seconds
        if position + size > len(head) and whole:
            return number >= RECORDS_BEFORE_CUT
        position += size
    return True


FORMATS = (Format("erf", ErfReader, recognise=looks_like_erf),)
