"""Classic pcap (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html) in all its variants, for which see `pcap_variants`."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial

import numpy as np

from ...warehouse.errors import UnsupportedFormat
from ..content import Content, Window
from .base import Interface, PacketBatch, Problem, ReaderState
from .chained import chained_batches
from .gather import Heads
from .link_types import largest_packet
from .pcap_variants import FILE_HEADER_BYTES, VARIANTS, choose_variant, read_file_header
from .pseudo_headers import ERF, ERF_TS_RESOLUTION_NS, ErfPorts, has_pseudo_header, without_pseudo_headers
from .records import Int64, Layout
from .registry import Format

PROBE_BYTES = 1 << 20
"""Bytes in which the variant is looked for: three records of the usual largest size."""


class PcapReader:
    """Reads classic pcap; see `base.Reader`."""

    def __init__(self, content: Content) -> None:
        window = content.window(FILE_HEADER_BYTES, PROBE_BYTES)
        self.format = "pcap"
        self.state = ReaderState()
        self._content = content
        self._layout: Layout | None = None
        if window.size < FILE_HEADER_BYTES:
            self.state.problems.append(Problem(0, "the file ends inside its header", kind="cut-short"))
            return
        header = read_file_header(window.buffer[:FILE_HEADER_BYTES].tobytes())
        if header.major < 2:
            raise UnsupportedFormat(f"pcap version {header.major}.{header.minor} is not read", source=content.name, offset=4)
        if header.network & 0x03FF_0000:  # Wireshark refuses it, too: what the link type is cannot be known
            reason = f"pcap whose reserved link-type bits are not zero (0x{header.network:08x}) is not read"
            raise UnsupportedFormat(reason, source=content.name, offset=20)
        variant = choose_variant(header, window.buffer[FILE_HEADER_BYTES : window.size], whole=window.last)
        self.format = variant.name
        self._variant = variant
        self._link_type = header.link_type
        code = header.order + "u4"
        self._record = np.dtype(
            {
                "names": ["seconds", "fraction", "captured", "wire"],
                "formats": [code] * 4,
                "offsets": [0, 4, variant.captured_at, variant.wire_at],
                "itemsize": 16,
            }
        )
        self._layout = Layout(
            header.order + "I",
            variant.captured_at,
            variant.record_header_bytes,
            variant.record_header_bytes,
            variant.record_header_bytes + largest_packet(self._link_type),
            or_length_at=variant.wire_at if variant.either else None,
            guess=partial(_like, order=header.order, unit_ns=variant.unit_ns),
        )
        self._ports = ErfPorts(self.state.interfaces, ERF_TS_RESOLUTION_NS) if self._link_type == ERF else None
        if self._ports is None:
            self.state.interfaces.append(Interface(self._link_type, header.snap_length, float(variant.unit_ns)))

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        if self._layout is None:
            return
        self._content.advance(FILE_HEADER_BYTES + self._variant.extra_header_bytes)
        yield from chained_batches(self._content, self._layout, self.state.problems, self._batch)

    def _batch(self, window: Window, starts: Int64, first_frame: int) -> PacketBatch:
        buffer, variant = window.buffer, self._variant
        heads = Heads.of_records(buffer, starts, variant.record_header_bytes)
        rows = heads.record_headers(self._record)
        captured, wire = rows["captured"].astype(np.int64), rows["wire"].astype(np.int64)
        if variant.either:
            captured, wire = np.minimum(captured, wire), np.maximum(captured, wire)
        padding = np.minimum(captured, variant.padding)
        batch = PacketBatch(
            buffer=buffer,
            offset=starts + variant.record_header_bytes + padding,
            captured_length=captured - padding,
            wire_length=np.maximum(wire - padding, 0),
            # A fraction of a second or more carries over: the sum is what the two numbers say.
            ts_ns=rows["seconds"].astype(np.int64) * 1_000_000_000 + rows["fraction"].astype(np.int64) * variant.unit_ns,
            interface_id=np.zeros(len(starts), dtype=np.int32),
            link_type=np.full(len(starts), self._link_type, dtype=np.int32),
            record_offset=starts + window.position,
            first_frame=first_frame,
            heads=None if variant.padding else heads,
        )
        if self._ports is not None:
            batch.interface_id = self._ports.interface_ids(buffer, batch.offset, batch.captured_length)
        return without_pseudo_headers(batch) if has_pseudo_header(self._link_type) else batch


def _like(record: bytes, *, order: str, unit_ns: int) -> tuple[re.Pattern[bytes], int]:
    """What records look like near `record`, see `Layout.guess`: within hours of its time, and with lengths below 5 * 2**16."""
    if order == "<":
        fraction = rb"..[\0-\x0f]\0" if unit_ns > 1 else rb"...[\0-\x3b]"
        return re.compile(re.escape(record[2:4]) + fraction + rb"..[\0-\4]\0" * 2, re.DOTALL), 2
    fraction = rb"\0[\0-\x0f].." if unit_ns > 1 else rb"[\0-\x3b]..."
    return re.compile(re.escape(record[:2]) + b".." + fraction + rb"\0[\0-\4].." * 2, re.DOTALL), 0


FORMATS = tuple(Format("pcap", PcapReader, struct.pack(order + "I", magic)) for magic in VARIANTS for order in "<>")
