"""pcapng (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html): sections of blocks, each with its length at both ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...warehouse.errors import UnsupportedFormat
from ..content import Content, Window
from .base import BATCH_BYTES, BATCH_PACKETS, NO_TIME, Interface, PacketBatch, Problem, ReaderState
from .link_types import NO_LINK_TYPE, largest_packet
from .pcapng_times import MICROSECONDS, nanoseconds, resolution_ns
from .records import Bytes, Int64
from .registry import Format

Int32 = npt.NDArray[np.int32]

SECTION_HEADER = 0x0A0D0D0A
INTERFACE, OBSOLETE_PACKET, SIMPLE_PACKET, NAME_RESOLUTION, STATISTICS, ENHANCED_PACKET = range(1, 7)
SYSTEMD_JOURNAL = 9
CUSTOM, CUSTOM_NOT_COPIED = 0x0BAD, 0x4000_0BAD

SECTION_HEADER_BYTES = b"\n\r\r\n"
BYTE_ORDERS = {struct.pack(order + "I", 0x1A2B3C4D): order for order in "<>"}
LARGEST_BLOCK_BYTES = 16 << 20
"""A longer block is taken for damage, as Wireshark does."""
LARGEST_WIRE_LENGTH = (1 << 31) - 1
"""See `pcap`."""
HEAD_BYTES = 28
"""Bytes before the data of an enhanced packet block, the longest head of all."""
NO_INTERFACE = -1
UNKNOWN_DROPS = 0xFFFF
DESCRIBING = (INTERFACE, STATISTICS)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of one section that lie completely in a window.

    Attributes:
        starts: int64[n], where in the window each begins.
        stop: Where the walk ended.
        missing: Bytes from `stop` on that a window must hold so that the walk can go on; 0 where it ended for another reason.
        damage: What is wrong at `stop`, or None.
    """

    starts: Int64
    stop: int
    missing: int = 0
    damage: str | None = None


@dataclass(slots=True)
class _Packets:
    """Packets of some blocks; arrays as in `PacketBatch`."""

    offset: Int64
    captured_length: Int64
    wire_length: Int64
    ts_ns: Int64
    interface_id: Int32
    link_type: Int32
    record_offset: Int64


class PcapngReader:
    """Reads pcapng; see `base.Reader`. Interfaces are numbered through all sections."""

    format = "pcapng"

    def __init__(self, content: Content) -> None:
        head = content.window(12, 12)
        if head.size == 12 and head.buffer[8:12].tobytes() not in BYTE_ORDERS:
            raise UnsupportedFormat("pcapng without a byte-order magic in its section header", source=content.name, offset=8)
        self.state = ReaderState()
        self._content = content
        self._order = "<"
        self._first_interface = 0  # of this section
        self._resolutions: list[int] = []
        self._offsets: list[int] = []

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        first_frame = 1
        least = 12
        while True:
            window = self._content.window(least, max(least, BATCH_BYTES))
            position = 0
            parts: list[_Packets] = []
            count = 0
            while True:
                blocks = self._walk(window, position, BATCH_PACKETS - count)
                part = self._packets(window, blocks.starts)
                parts.append(part)
                count += len(part.offset)
                position = blocks.stop
                ended = bool(blocks.missing) or blocks.damage is not None
                if count and (ended or count >= BATCH_PACKETS):
                    yield _batch(window, parts, first_frame)
                    first_frame += count
                    parts, count = [], 0
                if ended:
                    break
            offset = window.position + position
            if blocks.damage is not None:
                self.state.problems.append(Problem(offset, blocks.damage))
                return
            if window.last:
                if position < window.size:
                    self._cut_short(window, position)
                return
            self._content.advance(position)
            least = blocks.missing

    def _walk(self, window: Window, position: int, limit: int) -> Blocks:
        """Blocks from `position` on up to the next section header; one that stands at `position` is read and changes the section."""
        buffer, end = window.buffer, window.size
        if position + 12 <= end and buffer[position : position + 4].tobytes() == SECTION_HEADER_BYTES:
            order = BYTE_ORDERS.get(buffer[position + 8 : position + 12].tobytes())
            if order is None:
                return Blocks(np.empty(0, dtype=np.int64), position, damage="a section header without a byte-order magic")
            header = walk_blocks_plainly(buffer, position, end, order, 1, sections=True)
            if len(header.starts) == 0:
                return header
            self._begin_section(buffer[position : header.stop], order)
            position = header.stop
        return walk_blocks_plainly(buffer, position, end, self._order, limit)

    def _begin_section(self, block: Bytes, order: str) -> None:
        self._order = order
        self._first_interface = len(self.state.interfaces)
        info = self.state.info
        for code, value in _options(block[24:-4].tobytes(), order):
            if code == 1:
                info.comment = info.comment or _text(value)
            elif code == 2:
                info.hardware = info.hardware or _text(value)
            elif code == 3:
                info.operating_system = info.operating_system or _text(value)
            elif code == 4:
                info.capture_application = info.capture_application or _text(value)

    def _packets(self, window: Window, starts: Int64) -> _Packets:
        """The packets of blocks; blocks that describe interfaces are taken notice of."""
        u4 = self._order + "u4"
        layout = np.dtype([("type", u4), ("total", u4), ("a", u4), ("b", u4), ("c", u4), ("d", u4), ("e", u4)])
        rows = np.ndarray((len(window.buffer) - HEAD_BYTES + 1,), f"V{HEAD_BYTES}", buffer=window.buffer, strides=(1,))[starts].view(layout)
        types = rows["type"]
        defined = self._first_interface + np.cumsum(types == INTERFACE)
        defined += len(self.state.interfaces) - self._first_interface
        for row in np.flatnonzero(np.isin(types, DESCRIBING)):
            start = int(starts[row])
            body = window.buffer[start + 8 : start + _padded(int(rows["total"][row])) - 4].tobytes()
            if types[row] == INTERFACE:
                self._describe_interface(body, window.position + start)
            else:
                self._take_statistics(body)

        enhanced, obsolete, simple = types == ENHANCED_PACKET, types == OBSOLETE_PACKET, types == SIMPLE_PACKET
        custom, journal = (types == CUSTOM) | (types == CUSTOM_NOT_COPIED), types == SYSTEMD_JOURNAL
        with_time = enhanced | obsolete
        frames = with_time | simple | custom | journal
        total = (rows["total"].astype(np.int64) + 3) & ~3

        interface = rows["a"].astype(np.int64)
        if obsolete.any():
            high, low = interface >> 16, interface & 0xFFFF
            number, drops = (high, low) if self._order == ">" else (low, high)
            interface = np.where(obsolete, number, interface)
        interface = np.where(simple, 0, interface) + self._first_interface
        captured = np.where(with_time, rows["d"], np.where(simple, rows["a"], total - np.where(custom, 16, 12))).astype(np.int64)
        wire = np.where(with_time, rows["e"], np.where(simple, rows["a"], captured)).astype(np.int64)
        head = np.where(with_time, 28, np.where(journal, 8, 12))
        of_interface = with_time | simple
        links, snap_lengths = self._interface_columns()
        known = of_interface & (interface < defined)
        safe = np.where(known, interface, 0)
        if simple.any():
            limit = np.where(snap_lengths[safe] > 0, snap_lengths[safe], total)
            captured = np.where(simple, np.minimum(np.minimum(captured, limit), total - 16), captured)
        good = frames & (known | ~of_interface) & (captured <= total - head - 4) & (captured >= 0)
        for row in np.flatnonzero(frames & ~good):
            reason = "a packet of an interface that is not described" if of_interface[row] and not known[row] else "a packet longer than its block"
            self.state.problems.append(Problem(window.position + int(starts[row]), reason, unread_records=1))

        keep = np.flatnonzero(good)
        interface = np.where(known, interface, NO_INTERFACE)[keep]
        counts = (rows["b"][keep].astype(np.uint64) << np.uint64(32)) | rows["c"][keep]
        return _Packets(
            offset=(starts + head)[keep],
            captured_length=captured[keep],
            wire_length=np.minimum(wire[keep], LARGEST_WIRE_LENGTH),
            ts_ns=self._times(counts, interface, with_time[keep]),
            interface_id=interface.astype(np.int32),
            link_type=np.where(interface >= 0, links[np.maximum(interface, 0)], NO_LINK_TYPE).astype(np.int32),
            record_offset=starts[keep] + window.position,
        )

    def _times(self, counts: npt.NDArray[np.uint64], interface: Int64, with_time: npt.NDArray[np.bool_]) -> Int64:
        times = np.full(len(counts), NO_TIME, dtype=np.int64)
        units = list(zip(self._resolutions, self._offsets, strict=True))
        distinct = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
        if len(distinct) == 1 and with_time.all():
            ((resolution, offset),) = distinct
            return nanoseconds(counts, resolution, offset)
        unit_of = np.array([distinct[unit] for unit in units] or [0])[np.maximum(interface, 0)]
        for (resolution, offset), number in distinct.items():
            rows = np.flatnonzero(with_time & (unit_of == number))
            if len(rows):
                times[rows] = nanoseconds(counts[rows], resolution, offset)
        return times

    def _interface_columns(self) -> tuple[Int64, Int64]:
        """Link type and snapshot length of each interface; one row where there is none, so that there is something to index."""
        interfaces = self.state.interfaces or [Interface(NO_LINK_TYPE)]
        return (
            np.array([interface.link_type for interface in interfaces], dtype=np.int64),
            np.array([interface.snap_length or 0 for interface in interfaces], dtype=np.int64),
        )

    def _describe_interface(self, body: bytes, offset: int) -> None:
        if len(body) < 8:
            self.state.problems.append(Problem(offset, "an interface description that is too short"))
            body = body.ljust(8, b"\0")
        link_type, _reserved, snap_length = struct.unpack_from(self._order + "HHI", body)
        interface = Interface(link_type, snap_length)
        resolution, seconds = MICROSECONDS, 0
        for code, value in _options(body[8:], self._order):
            if code == 2:
                interface.name = _text(value)
            elif code == 3:
                interface.description = _text(value)
            elif code == 9 and len(value) >= 1:
                resolution = value[0]
            elif code == 11 and value[:1] == b"\0":  # a filter in text; 1 would be BPF code
                interface.capture_filter = _text(value[1:])
            elif code == 14 and len(value) == 8:
                (seconds,) = struct.unpack(self._order + "q", value)
        interface.ts_resolution_ns = resolution_ns(resolution)
        self.state.interfaces.append(interface)
        self._resolutions.append(resolution)
        self._offsets.append(seconds)

    def _take_statistics(self, body: bytes) -> None:
        """An interface statistics block; its counts run from the beginning of the capture, so the last one holds."""
        if len(body) < 12:
            return
        number = self._first_interface + int(struct.unpack_from(self._order + "I", body)[0])
        if number >= len(self.state.interfaces):
            return
        interface = self.state.interfaces[number]
        counts = {code: struct.unpack(self._order + "Q", value)[0] for code, value in _options(body[12:], self._order) if len(value) == 8}
        if 4 in counts:
            interface.received_packets = counts[4]
        if 5 in counts or 7 in counts:
            interface.dropped_packets = counts.get(5, 0) + counts.get(7, 0)

    def _cut_short(self, window: Window, position: int) -> None:
        """Note what was lost at the end of the content."""
        rest = window.size - position
        (kind,) = struct.unpack_from(self._order + "I", window.buffer, position) if rest >= 4 else (0,)
        packet = kind in {ENHANCED_PACKET, OBSOLETE_PACKET, SIMPLE_PACKET}
        self.state.problems.append(
            Problem(window.position + position, "the file ends inside a block", kind="cut-short", unread_records=int(packet))
        )


def walk_blocks_plainly(buffer: Bytes, begin: int, end: int, order: str, limit: int, *, sections: bool = False) -> Blocks:
    """Find the blocks of `buffer[begin:end]`, block by block: `limit` of them at most, and none beyond a section header.

    Args:
        buffer: The window's bytes.
        begin: Where the first block begins.
        end: Where the content of the window ends.
        order: '<' or '>'.
        limit: Blocks to find at most.
        sections: Whether section headers are blocks like others.
    """
    read_head = struct.Struct(order + "II").unpack_from
    read_total = struct.Struct(order + "I").unpack_from
    view = memoryview(buffer)
    starts: list[int] = []
    position = begin
    missing = 0
    damage = None
    while len(starts) < limit:
        if position + 12 > end:
            missing = 12
            break
        kind, total = read_head(view, position)
        if kind == SECTION_HEADER and not sections:
            break
        if not 12 <= total <= LARGEST_BLOCK_BYTES:
            damage = f"a block of {total:,} bytes, which is impossible"
            break
        following = position + _padded(total)
        if following > end:
            missing = _padded(total)
            break
        if read_total(view, following - 4)[0] != total:
            damage = f"a block that states {total:,} bytes at its beginning and {read_total(view, following - 4)[0]:,} at its end"
            break
        starts.append(position)
        position = following
    return Blocks(np.array(starts, dtype=np.int64), position, missing, damage)


def _batch(window: Window, parts: list[_Packets], first_frame: int) -> PacketBatch:
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _Packets.__slots__}
    return PacketBatch(buffer=window.buffer, first_frame=first_frame, **columns)


def _padded(size: int) -> int:
    """Sizes are multiples of four; some writers state one without the padding that they wrote."""
    return size + 3 & ~3


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option, up to the end or the first that does not fit."""
    position = 0
    while position + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, position)
        if code == 0 or position + 4 + size > len(data):
            return
        yield code, data[position + 4 : position + 4 + size]
        position += 4 + _padded(size)


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode("utf-8", errors="replace")


FORMATS = (Format("pcapng", SECTION_HEADER_BYTES, PcapngReader),)
