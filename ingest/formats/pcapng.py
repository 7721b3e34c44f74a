"""pcapng (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html): sections of blocks, each with its length at both ends."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from ...warehouse.errors import UnsupportedFormat
from ..content import Content, Window
from .base import BATCH_BYTES, BATCH_PACKETS, Interface, PacketBatch, Problem, ReaderState
from .link_types import NO_LINK_TYPE, largest_packet
from .pcapng_frames import PACKET_KINDS, Blocks, Frames, InterfaceColumns, concatenate, frames_of, heads_of
from .pcapng_options import options, text
from .pcapng_resume import find_blocks
from .pcapng_times import MICROSECONDS, resolution_ns
from .pseudo_headers import has_pseudo_header, without_pseudo_headers
from .records import Layout, Walk, walk
from .registry import Format

SECTION_MAGIC = b"\n\r\r\n"
"""Type of a section header block, the same in either byte order."""
SECTION_HEADER, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS = 0x0A0D_0D0A, 1, 5
BYTE_ORDER_MAGIC = 0x1A2B_3C4D
BYTE_ORDERS = {struct.pack(order + "I", BYTE_ORDER_MAGIC): order for order in "<>"}
LEAST_BLOCK_BYTES = 12
LEAST_SECTION_HEADER_BYTES = 28
LARGEST_BLOCK_BYTES = (128 << 20) + (128 << 10) + 32
"""A longer block is taken for damage, as Wireshark does: the largest packet of any link type, and some options."""
MOST_PROBLEMS = 1000
"""After so many places with damage the rest is not read; there is more damage than capture."""

_CURRENT_VERSION = 1


class PcapngReader:
    """Reads pcapng; see `base.Reader`. Interfaces are numbered through all sections.

    Behind damage, reading goes on where `find_blocks` finds sound blocks. Only a section header will do in a section of which no
    packet was read yet. Interfaces that are described behind damage, in the same section, are not trusted to have the number that
    they seem to have, because another description may be among what was lost: their packets are not read.
    """

    format = "pcapng"

    def __init__(self, content: Content) -> None:
        head = content.window(16, 16)
        order = BYTE_ORDERS.get(head.buffer[8:12].tobytes())
        if head.size >= 12 and order is None:
            raise UnsupportedFormat("pcapng whose section header has no byte-order magic", source=content.name, offset=8)
        if order is not None and head.size >= 14:
            (version,) = struct.unpack_from(order + "H", head.buffer.data, 12)
            if version != _CURRENT_VERSION:
                raise UnsupportedFormat(f"pcapng version {version} is not read", source=content.name, offset=12)
        self.state = ReaderState()
        self._content = content
        self._order = order or "<"
        self._lost = False  # behind damage, and not at a block yet
        self._doubtful = False  # behind damage in this section: interfaces may be missing
        self._packets_seen = False  # in this section
        self._first_interface = 0  # of this section
        self._time_units: list[tuple[int, int]] = []  # if_tsresol and if_tsoffset of each interface

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        first_frame = 1
        least = LEAST_BLOCK_BYTES
        while least:
            window = self._content.window(least, max(least, BATCH_BYTES))
            frames, position, least = self._read_window(window)
            self._content.advance(position)  # others may read on from now on
            pseudo_headers = any(has_pseudo_header(interface.link_type) for interface in self.state.interfaces)
            for begin in range(0, len(frames), BATCH_PACKETS):
                batch = _batch(window, frames.select(slice(begin, begin + BATCH_PACKETS)), first_frame)
                first_frame += len(batch)
                yield without_pseudo_headers(batch) if pseudo_headers else batch
                del batch  # or its window would take memory while the next one is looked at

    def _read_window(self, window: Window) -> tuple[Frames, int, int]:
        """The window's frames, where in it reading goes on, and how many bytes are needed there; 0 for an end of reading."""
        parts: list[Frames] = []
        position = 0
        while True:
            if self._lost:
                position = self._find_blocks(window, position)
                if self._lost:
                    return concatenate(parts), position, 0 if window.last else LEAST_BLOCK_BYTES
            walked, heads = _walk(window, position, self._order)
            parts.append(self._frames(window, walked, heads))
            position = walked.stop
            if self._order_changes(window, position):
                continue
            damage = walked.damage
            if damage is None:
                if not window.last:
                    return concatenate(parts), position, walked.missing
                if position == window.size:
                    return concatenate(parts), position, 0
                if find_blocks(window, position + 1, self._order if self._packets_seen else None).order is None:
                    reason = "the file ends inside a block"
                    self._problem(window, position, reason, "cut-short", _packets_at(window, position, self._order))
                    return concatenate(parts), position, 0
                damage = "a block that seems to go on beyond the end of the file"
            self._problem(window, position, damage, "damaged", _packets_at(window, position, self._order))
            if len(self.state.problems) >= MOST_PROBLEMS:
                self._problem(window, position, "there is too much damage to go on", "damaged", 0)
                return concatenate(parts), position, 0
            self._lost = True
            self._packets_seen &= not damage.startswith(_BAD_SECTION)
            position += 1

    def _find_blocks(self, window: Window, position: int) -> int:
        """Where sound blocks go on; `_lost` stays true where that is not in this window, and the search goes on there."""
        found = find_blocks(window, position, self._order if self._packets_seen else None)
        if found.order is not None:
            self._order = found.order
            self._lost = False
            self._doubtful = True
        return found.position

    def _order_changes(self, window: Window, position: int) -> bool:
        """Whether a section of the other byte order begins here."""
        head = window.buffer[position : min(position + 12, window.size)].tobytes()
        order = BYTE_ORDERS.get(head[8:12]) if head.startswith(SECTION_MAGIC) else None
        if order is None or order == self._order:
            return False
        self._order = order
        return True

    def _frames(self, window: Window, walked: Walk, heads: npt.NDArray[np.void]) -> Frames:
        """The frames of the blocks; those that describe sections and interfaces are taken notice of on the way."""
        starts = walked.starts
        types = heads["type"]
        changed, first_interface, interfaces_end = [-1], [self._first_interface], [len(self.state.interfaces)]
        for row in np.flatnonzero(_describing(types)).tolist():
            start = int(starts[row])
            stop = int(starts[row + 1]) if row + 1 < len(starts) else walked.stop
            body = window.buffer[start + 8 : stop - 4].tobytes()
            if types[row] == SECTION_HEADER:
                self._begin_section(body)
            elif types[row] == INTERFACE_DESCRIPTION:
                self._describe_interface(body, window.position + start)
            else:
                self._take_statistics(body)
            changed.append(row)
            first_interface.append(self._first_interface)
            interfaces_end.append(len(self.state.interfaces))
        state = np.searchsorted(changed, np.arange(len(starts)), side="right") - 1 if len(changed) > 1 else np.zeros(len(starts), np.int64)
        blocks = Blocks(
            window,
            self._order,
            starts,
            walked.sizes,
            heads,
            np.array(first_interface)[state],
            np.array(interfaces_end)[state],
        )
        frames, unread = frames_of(blocks, self._interface_columns())
        for block in unread:
            self._problem(window, int(block.starts[0]), block.reason, "damaged", len(block.starts))
        self._packets_seen |= len(frames) > 0
        return frames

    def _begin_section(self, body: bytes) -> None:
        self._first_interface = len(self.state.interfaces)
        self._packets_seen = self._doubtful = False
        info = self.state.info
        for code, value in options(body[16:], self._order):
            if code == 1:
                info.comment = info.comment or text(value)
            elif code == 2:
                info.hardware = info.hardware or text(value)
            elif code == 3:
                info.operating_system = info.operating_system or text(value)
            elif code == 4:
                info.capture_application = info.capture_application or text(value)

    def _describe_interface(self, body: bytes, offset: int) -> None:
        if self._doubtful:
            return
        if len(body) < 8:
            self.state.problems.append(Problem(offset, "an interface description that is too short"))
            link_type, snap_length = NO_LINK_TYPE, 0
        else:
            link_type, snap_length = struct.unpack_from(self._order + "HxxI", body)
        interface = Interface(link_type, snap_length)
        resolution, offset_seconds = MICROSECONDS, 0
        for code, value in options(body[8:], self._order):
            if code == 2:
                interface.name = text(value)
            elif code == 3:
                interface.description = text(value)
            elif code == 9 and value:
                resolution = value[0]
            elif code == 11 and value[:1] == b"\0":  # a filter as text; 1 would be BPF instructions
                interface.capture_filter = text(value[1:])
            elif code == 14 and len(value) == 8:
                (offset_seconds,) = struct.unpack(self._order + "q", value)
        interface.ts_resolution_ns = resolution_ns(resolution)
        self.state.interfaces.append(interface)
        self._time_units.append((resolution, offset_seconds))

    def _take_statistics(self, body: bytes) -> None:
        """Interface statistics (section 4.5): they count from the beginning of the capture, so the last block holds."""
        if len(body) < 12:
            return
        number = self._first_interface + int(struct.unpack_from(self._order + "I", body)[0])
        if number >= len(self.state.interfaces):
            return
        interface = self.state.interfaces[number]
        counts = {code: struct.unpack(self._order + "Q", value)[0] for code, value in options(body[12:], self._order) if len(value) == 8}
        interface.received_packets = counts.get(4, interface.received_packets)
        if 5 in counts or 7 in counts:
            interface.dropped_packets = counts.get(5, 0) + counts.get(7, 0)

    def _interface_columns(self) -> InterfaceColumns:
        interfaces = self.state.interfaces or [Interface(NO_LINK_TYPE)]
        units = list(dict.fromkeys(self._time_units)) or [(MICROSECONDS, 0)]
        numbers = {unit: number for number, unit in enumerate(units)}
        return InterfaceColumns(
            link_type=np.array([interface.link_type for interface in interfaces], dtype=np.int64),
            snap_length=np.array([interface.snap_length or 0 for interface in interfaces], dtype=np.int64),
            largest_packet=np.array([largest_packet(interface.link_type) for interface in interfaces], dtype=np.int64),
            unit=np.array([numbers[unit] for unit in self._time_units] or [0], dtype=np.int64),
            units=units,
        )

    def _problem(self, window: Window, position: int, reason: str, kind: str, unread_records: int) -> None:
        self.state.problems.append(Problem(window.position + position, reason, kind, unread_records))


_BAD_SECTION = "a section header"


def _describing(types: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which blocks (bool[n]) tell about sections and interfaces, by their types (uint32[n])."""
    return np.asarray((types == SECTION_HEADER) | (types == INTERFACE_DESCRIPTION) | (types == INTERFACE_STATISTICS))


def _walk(window: Window, position: int, order: str) -> tuple[Walk, npt.NDArray[np.void]]:
    """Blocks of one byte order from `position` on, section headers among them, up to one that cannot be understood; and their heads."""
    layout = Layout(order + "I", 4, 0, LEAST_BLOCK_BYTES, LARGEST_BLOCK_BYTES, align=4, guess=partial(_like, order=order))
    walked = walk(window.buffer, position, window.size, layout)
    heads, trailers = heads_of(window.buffer, walked.starts, walked.stop, order)
    walked = walked.cut(trailers != heads["total"], "a block whose length at its end is not the one at its beginning")
    # A length below that of its own two copies: the walk went on by the least that a block can have.
    walked = walked.cut(heads["total"][: len(walked.starts)] < LEAST_BLOCK_BYTES, "a block of no length")
    for row in np.flatnonzero(heads["type"][: len(walked.starts)] == SECTION_HEADER).tolist():
        start = int(walked.starts[row])
        magic, version = struct.unpack_from(order + "IH", window.buffer.data, start + 8)
        if int(heads["total"][row]) < LEAST_SECTION_HEADER_BYTES or magic != BYTE_ORDER_MAGIC:
            damage = f"{_BAD_SECTION} without a byte-order magic"
        elif version != _CURRENT_VERSION:
            damage = f"{_BAD_SECTION} of pcapng version {version}, which is not read"
        else:
            continue
        walked = Walk(walked.starts[:row], start, damage=damage)
        break
    return walked, heads[: len(walked.starts)]


def _like(_block: bytes, *, order: str) -> tuple[re.Pattern[bytes], int]:
    """What enhanced packet blocks look like; see `Layout.guess`."""
    return re.compile(rb"\x06\0\0\0..[\0-\4]\0" if order == "<" else rb"\0\0\0\x06\0[\0-\4]..", re.DOTALL), 0


def _packets_at(window: Window, position: int, order: str) -> int:
    """1 where a block of packets begins, else 0."""
    kind = window.buffer[position : min(position + 4, window.size)].tobytes()
    return int(kind in {struct.pack(order + "I", packet) for packet in PACKET_KINDS})


def _batch(window: Window, frames: Frames, first_frame: int) -> PacketBatch:
    return PacketBatch(
        buffer=window.buffer,
        offset=frames.offset,
        captured_length=frames.captured_length,
        wire_length=frames.wire_length,
        ts_ns=frames.ts_ns,
        interface_id=frames.interface_id,
        link_type=frames.link_type,
        record_offset=frames.record_offset,
        first_frame=first_frame,
    )


FORMATS = (Format("pcapng", PcapngReader, SECTION_MAGIC),)
