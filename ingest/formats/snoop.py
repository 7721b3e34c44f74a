"""snoop, the captures of Solaris (RFC 1761), and what Shomiti's and Finisar's Surveyor made of it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np

from ...warehouse.errors import UnsupportedFormat
from ..content import Content, Window
from .base import Interface, PacketBatch, Problem, ReaderState
from .chained import chained_batches, without_rows
from .gather import gather
from .link_types import LARGEST_PACKET_BYTES, NO_LINK_TYPE
from .pseudo_headers import has_pseudo_header, without_pseudo_headers
from .records import Int64, Layout, Walk
from .registry import Format

MAGIC = b"snoop\0\0\0"
FILE_HEADER_BYTES = 16
RECORD_HEADER_BYTES = 24
VERSIONS = range(2, 6)
"""2 is RFC 1761's, the others are Surveyor's; the layout is the same."""
LINK_TYPES = {0: 1, 2: 6, 4: 1, 8: 10, 9: 0, 14: 0, 16: 122, 18: 123, 26: 242}
"""snoop's data link types, with the LINKTYPE_ number of each."""
SURVEYOR_LINK_TYPES = LINK_TYPES | {10: 1, 11: 6, 12: 1, 13: 6, 14: 6}
"""Surveyor's: its Ethernet and token ring adapters have numbers of their own."""
SURVEYOR_PADDING_BYTES = 16
"""Surveyor puts more than this behind a packet, snoop at most what fills a word up."""
LARGEST_RECORD_BYTES = 1 << 24

_HEAD = np.dtype([(name, ">u4") for name in ("wire", "captured", "record", "drops", "seconds", "microseconds")])


def _like(record: bytes) -> tuple[re.Pattern[bytes], int]:
    """What records look like near `record`; see `Layout.guess`: searched by the time, which is rarer than the lengths before it."""
    lengths = rb"\0[\0-\4].." * 3
    return re.compile(re.escape(record[16:18]) + rb"..\0[\0-\x0f]..(?<=" + lengths + b"." * 12 + b")", re.DOTALL), 16


_LAYOUT = Layout(">I", 8, 0, RECORD_HEADER_BYTES, LARGEST_RECORD_BYTES, guess=_like)


class SnoopReader:
    """Reads snoop; see `base.Reader`."""

    format = "snoop"

    def __init__(self, content: Content) -> None:
        window = content.window(FILE_HEADER_BYTES, FILE_HEADER_BYTES + RECORD_HEADER_BYTES)
        self.state = ReaderState()
        self._content = content
        if window.size < FILE_HEADER_BYTES:
            self.state.problems.append(Problem(0, "the file ends inside its header", kind="cut-short"))
            return
        version, data_link = struct.unpack_from(">II", window.buffer.data, len(MAGIC))
        if version not in VERSIONS:
            raise UnsupportedFormat(f"snoop version {version} is not read", source=content.name, offset=len(MAGIC))
        link_types = LINK_TYPES
        if window.size == FILE_HEADER_BYTES + RECORD_HEADER_BYTES:
            _wire, captured, record = struct.unpack_from(">III", window.buffer.data, FILE_HEADER_BYTES)
            if record - RECORD_HEADER_BYTES - captured >= SURVEYOR_PADDING_BYTES:
                self.format = "shomiti"
                link_types = SURVEYOR_LINK_TYPES
        self._link_type = link_types.get(data_link, NO_LINK_TYPE)
        self.state.interfaces.append(Interface(self._link_type, ts_resolution_ns=1000.0))

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        if self.state.interfaces:
            self._content.advance(FILE_HEADER_BYTES)
            yield from chained_batches(self._content, _LAYOUT, self.state.problems, self._batch, _check)

    def _batch(self, window: Window, starts: Int64, first_frame: int) -> PacketBatch:
        heads = _heads(window, starts)
        captured = heads["captured"].astype(np.int64)
        too_long = (captured > heads["record"].astype(np.int64) - RECORD_HEADER_BYTES) | (captured > LARGEST_PACKET_BYTES)
        keep = without_rows(self.state.problems, window, starts, too_long, "a packet longer than its record, or than is possible")
        interface = self.state.interfaces[0]
        interface.dropped_packets = max(interface.dropped_packets or 0, int(heads["drops"].max()))
        heads, starts, captured = heads[keep], starts[keep], captured[keep]
        batch = PacketBatch(
            buffer=window.buffer,
            offset=starts + RECORD_HEADER_BYTES,
            captured_length=captured,
            wire_length=heads["wire"].astype(np.int64),
            ts_ns=heads["seconds"].astype(np.int64) * 1_000_000_000 + heads["microseconds"].astype(np.int64) * 1000,
            interface_id=np.zeros(len(starts), dtype=np.int32),
            link_type=np.full(len(starts), self._link_type, dtype=np.int32),
            record_offset=starts + window.position,
            first_frame=first_frame,
        )
        return without_pseudo_headers(batch) if has_pseudo_header(self._link_type) else batch


def _heads(window: Window, starts: Int64) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return gather(window.buffer, starts, _HEAD)


def _check(window: Window, walked: Walk) -> Walk:
    """The walk up to a record that is shorter than its header."""
    return walked.cut(_heads(window, walked.starts)["record"] != walked.sizes, "a record shorter than its header")


FORMATS = (Format("snoop", SnoopReader, MAGIC),)
