"""Classic pcap in all its variants (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html, and what became of it elsewhere).

A file header of 24 bytes, then records: seconds, fraction, captured length, length on the wire, and in some variants more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...warehouse.errors import UnsupportedFormat
from ..content import Content, Window
from .base import BATCH_BYTES, BATCH_PACKETS, Interface, PacketBatch, Problem, ReaderState
from .link_types import largest_packet
from .pseudo_headers import has_pseudo_header, without_pseudo_headers
from .records import Int64, Layout, walk
from .registry import Format

FILE_HEADER_BYTES = 24
LARGEST_WIRE_LENGTH = (1 << 31) - 1
"""A length on the wire beyond this is damage; Wireshark counts this many bytes for it, and so do we."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A kind of classic pcap.

    Attributes:
        name: Wireshark's name of it (`editcap -F`).
        magic: The number that its files begin with, in their byte order.
        record_header_bytes: Bytes before each packet.
        unit_ns: Nanoseconds that the fraction of a time counts in.
        extra_header_bytes: Bytes between the file header and the first record.
    """

    name: str
    magic: int
    record_header_bytes: int = 16
    unit_ns: int = 1000
    extra_header_bytes: int = 0


VARIANTS = (
    Variant("pcap", 0xA1B2C3D4),
    Variant("nsecpcap", 0xA1B23C4D, unit_ns=1),
    Variant("modpcap", 0xA1B2CD34, record_header_bytes=24),
)


class PcapReader:
    """Reads classic pcap; see `base.Reader`."""

    def __init__(self, content: Content, variant: Variant, order: str) -> None:
        window = content.window(FILE_HEADER_BYTES, FILE_HEADER_BYTES)
        self.format = variant.name
        self.state = ReaderState()
        self._content = content
        self._variant = variant
        if window.size < FILE_HEADER_BYTES:
            self.state.problems.append(Problem(0, "the file ends inside its header", kind="cut-short"))
            return
        major, _minor, _zone, _accuracy, snap_length, network = struct.unpack_from(order + "HHiIII", window.buffer, 4)
        if major < 2:
            raise UnsupportedFormat(f"pcap version {major} is not read", source=content.name, offset=4)
        if network & 0x03FF_0000:
            raise UnsupportedFormat(
                f"the reserved bits of pcap's link type are not zero (0x{network:08x})", source=content.name, offset=20
            )
        self._link_type = network & 0xFFFF
        most = variant.record_header_bytes + largest_packet(self._link_type)
        guess = partial(_like, order=order, unit_ns=variant.unit_ns)
        self._layout = Layout(order + "I", 8, variant.record_header_bytes, variant.record_header_bytes, most, guess=guess)
        self._record = np.dtype([("sec", order + "u4"), ("frac", order + "u4"), ("captured", order + "u4"), ("wire", order + "u4")])
        self.state.interfaces.append(Interface(self._link_type, snap_length, float(variant.unit_ns)))

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        if not self.state.interfaces:
            return
        self._content.advance(FILE_HEADER_BYTES + self._variant.extra_header_bytes)
        first_frame = 1
        least = self._layout.least
        while True:
            window = self._content.window(least, max(least, BATCH_BYTES))
            found = walk(window.buffer, 0, window.size, self._layout)
            for begin in range(0, len(found.starts), BATCH_PACKETS):
                starts = found.starts[begin : begin + BATCH_PACKETS]
                batch = self._batch(window, starts, first_frame)
                yield without_pseudo_headers(batch) if has_pseudo_header(self._link_type) else batch
                first_frame += len(starts)
            offset = window.position + found.stop
            if found.damage is not None:
                self.state.problems.append(Problem(offset, found.damage, unread_records=1))
                return
            if window.last:
                if found.stop < window.size:
                    self.state.problems.append(Problem(offset, "the file ends inside a packet", kind="cut-short", unread_records=1))
                return
            self._content.advance(found.stop)
            least = found.missing

    def _batch(self, window: Window, starts: Int64, first_frame: int) -> PacketBatch:
        buffer = window.buffer
        rows = np.ndarray((len(buffer) - 15,), "V16", buffer=buffer, strides=(1,))[starts].view(self._record)
        size = len(starts)
        return PacketBatch(
            buffer=buffer,
            offset=starts + self._layout.base,
            captured_length=rows["captured"].astype(np.int64),
            wire_length=np.minimum(rows["wire"].astype(np.int64), LARGEST_WIRE_LENGTH),
            # A fraction of a second or more carries over: the sum is what the two numbers say.
            ts_ns=rows["sec"].astype(np.int64) * 1_000_000_000 + rows["frac"].astype(np.int64) * self._variant.unit_ns,
            interface_id=np.zeros(size, dtype=np.int32),
            link_type=np.full(size, self._link_type, dtype=np.int32),
            record_offset=starts + window.position,
            first_frame=first_frame,
        )


def _like(record: bytes, *, order: str, unit_ns: int) -> tuple[re.Pattern[bytes], int]:
    """What records look like near `record`; see `Layout.guess`: within hours of its time, with lengths below 5 * 2**16."""
    if order == "<":
        fraction = rb"..[\0-\x0f]\0" if unit_ns > 1 else rb"...[\0-\x3b]"
        return re.compile(re.escape(record[2:4]) + fraction + rb"..[\0-\4]\0" * 2, re.DOTALL), 2
    fraction = rb"\0[\0-\x0f].." if unit_ns > 1 else rb"[\0-\x3b]..."
    return re.compile(re.escape(record[:2]) + b".." + fraction + rb"\0[\0-\4].." * 2, re.DOTALL), 0


def _formats() -> Iterator[Format]:
    for variant in VARIANTS:
        for order in "<>":
            magic = struct.pack(order + "I", variant.magic)
            yield Format("pcap", magic, lambda content, variant=variant, order=order: PcapReader(content, variant, order))


FORMATS = tuple(_formats())
