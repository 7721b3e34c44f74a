"""From pcapng's blocks to frames: where in each kind of block the data, its lengths, time and interface stand.

Wireshark counts a few blocks as frames that hold no packet of an interface (custom blocks, systemd journal entries, sysdig events).
So do we, because frame numbers would differ otherwise; such a frame has no interface.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..content import Window
from .base import NO_TIME
from .gather import gather
from .link_types import NO_LINK_TYPE, SYSDIG_EVENT, SYSTEMD_JOURNAL
from .pcapng_times import nanoseconds
from .records import Bytes, Int64

Int32 = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 2, 3, 6
JOURNAL = 9
CUSTOM, CUSTOM_NOT_COPIED = 0x0BAD, 0x4000_0BAD
SYSDIG, SYSDIG_V2, SYSDIG_V2_LARGE = 0x204, 0x216, 0x221

PACKET_KINDS = frozenset({OBSOLETE_PACKET, SIMPLE_PACKET, ENHANCED_PACKET})
NO_INTERFACE = -1
NETFLIX = 10949
"""Private enterprise number of Netflix, whose custom blocks 1 and 2 count as frames without bytes, and others not at all."""
UNKNOWN_INTERFACE = "a packet of an interface that is not described"
LONGER_THAN_BLOCK = "a packet longer than its block"
_REALTIME = re.compile(rb"__REALTIME_TIMESTAMP=[ \t]*(\d{1,19})")


@dataclass(slots=True, eq=False, repr=False)
class Frames:
    """Frames of some blocks; arrays of one length as in `PacketBatch`."""

    offset: Int64
    captured_length: Int64
    wire_length: Int64
    ts_ns: Int64
    interface_id: Int32
    link_type: Int32
    record_offset: Int64

    def __len__(self) -> int:
        return len(self.offset)

    def select(self, rows: Int64 | slice) -> Frames:
        """The frames of these rows."""
        return Frames(*(getattr(self, field.name)[rows] for field in fields(self)))


def concatenate(parts: list[Frames]) -> Frames:
    """All frames of all parts."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none, none_32 = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
        return Frames(none, none, none, none, none_32, none_32, none)
    return Frames(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Frames)))


class Unread(NamedTuple):
    """Blocks that should be frames and cannot be; `starts` is where in the window they begin."""

    reason: str
    starts: Int64


class InterfaceColumns(NamedTuple):
    """What frames need of the interfaces that are described so far; int64[interfaces], and at least one row, so that indices hold."""

    link_type: Int64
    snap_length: Int64
    largest_packet: Int64
    unit: Int64
    """Index into `units`."""
    units: list[tuple[int, int]]
    """Distinct (if_tsresol, if_tsoffset)."""


class Blocks(NamedTuple):
    """Blocks of one byte order in a window, and the interfaces that each may refer to.

    Attributes:
        window: Where they lie.
        order: '<' or '>'.
        starts: int64[n], where in the window each begins.
        size: int64[n], bytes of each with padding.
        heads: Structured[n] of `head_type`.
        first_interface: int64[n], the interface that the block calls 0.
        interfaces_end: int64[n], one more than the last interface that is described before the block.
    """

    window: Window
    order: str
    starts: Int64
    size: Int64
    heads: npt.NDArray[np.void]
    first_interface: Int64
    interfaces_end: Int64

    def select(self, rows: Int64) -> Blocks:
        """The blocks of these rows."""
        return Blocks(
            self.window,
            self.order,
            self.starts[rows],
            self.size[rows],
            self.heads[rows],
            self.first_interface[rows],
            self.interfaces_end[rows],
        )

    def gather(self, at: int, code: str) -> npt.NDArray[np.unsignedinteger]:
        """The unsigned number of NumPy type `code` at byte `at` of each block."""
        return gather(self.window.buffer, self.starts + at, np.dtype(code))


def heads_of(buffer: Bytes, starts: Int64, stop: int, order: str) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint32]]:
    """The first bytes of blocks that follow each other, and the lengths at their ends.

    Args:
        buffer: Where they lie, with 28 bytes at least behind the last.
        starts: int64[n], where each begins.
        stop: Where the last ends.
        order: '<' or '>'.

    Returns:
        Structured[n]: type and total length, then what an enhanced packet block has there (other blocks have other things): interface
        number, upper and lower half of the time, captured length and length on the wire, all uint32. And uint32[n].
    """
    names = ("trailer", "type", "total", "interface", "high", "low", "captured", "wire")
    row = np.dtype([(name, order + "u4") for name in names])
    # The length at a block's end lies right before the next block's head: one look at memory for both.
    ends = np.append(starts[1:], stop)[: len(starts)]
    rows = gather(buffer, ends - 4, row)
    heads = np.empty_like(rows)
    heads[1:] = rows[:-1]
    if len(starts):
        heads[:1] = np.frombuffer(bytes(4) + buffer[starts[0] : starts[0] + row.itemsize - 4].tobytes(), dtype=row)
    return heads, rows["trailer"]


def frames_of(blocks: Blocks, interfaces: InterfaceColumns) -> tuple[Frames, list[Unread]]:
    """The frames of `blocks` in order, and the blocks that are none although they should be.

    Args:
        blocks: n blocks.
        interfaces: The interfaces, those that are described among the blocks included.
    """
    unread: list[Unread] = []
    types = blocks.heads["type"]
    enhanced = types == ENHANCED_PACKET
    if enhanced.all():
        return _enhanced(blocks, interfaces, unread), unread
    parts = [_enhanced(blocks.select(np.flatnonzero(enhanced)), interfaces, unread)]
    # `np.unique` would load NumPy's masked arrays, which takes longer than many a capture.
    kinds = [kind for kind in sorted(_READ) if (types == kind).any()]
    parts += [_READ[kind](blocks.select(np.flatnonzero(types == kind)), interfaces, unread) for kind in kinds]
    frames = concatenate(parts)
    if len(parts) > 1:
        frames = frames.select(np.argsort(frames.record_offset, kind="stable"))
    return frames, unread


def _enhanced(blocks: Blocks, interfaces: InterfaceColumns, unread: list[Unread]) -> Frames:
    """Enhanced packet blocks (section 4.3)."""
    return _timed(blocks, blocks.heads["interface"].astype(np.int64), interfaces, unread)


def _obsolete(blocks: Blocks, interfaces: InterfaceColumns, unread: list[Unread]) -> Frames:
    """Packet blocks (appendix A): as enhanced ones, but for a shorter interface number."""
    return _timed(blocks, blocks.gather(8, blocks.order + "u2").astype(np.int64), interfaces, unread)


def _timed(blocks: Blocks, number: Int64, interfaces: InterfaceColumns, unread: list[Unread]) -> Frames:
    captured = blocks.heads["captured"].astype(np.int64)
    interface = number + blocks.first_interface
    known = interface < blocks.interfaces_end
    fits = captured <= blocks.size - 32
    if not known.all() or not fits.all():
        keep = _without(blocks, [(UNKNOWN_INTERFACE, ~known), (LONGER_THAN_BLOCK, ~fits)], unread)
        blocks, captured, interface = blocks.select(keep), captured[keep], interface[keep]
    if (too_long := captured > interfaces.largest_packet[interface]).any():
        keep = _without(blocks, [("a packet longer than is possible", too_long)], unread)
        blocks, captured, interface = blocks.select(keep), captured[keep], interface[keep]
    counts = (blocks.heads["high"].astype(np.uint64) << np.uint64(32)) | blocks.heads["low"]
    return Frames(
        offset=blocks.starts + 28,
        captured_length=captured,
        wire_length=blocks.heads["wire"].astype(np.int64),
        ts_ns=_times(counts, interface, interfaces),
        interface_id=interface.astype(np.int32),
        link_type=interfaces.link_type[interface].astype(np.int32),
        record_offset=blocks.starts + blocks.window.position,
    )


def _times(counts: npt.NDArray[np.uint64], interface: Int64, interfaces: InterfaceColumns) -> Int64:
    if len(interfaces.units) == 1:
        return nanoseconds(counts, *interfaces.units[0])
    times = np.empty(len(counts), dtype=np.int64)
    unit = interfaces.unit[interface]
    for number in np.flatnonzero(np.bincount(unit)).tolist():
        rows = np.flatnonzero(unit == number)
        times[rows] = nanoseconds(counts[rows], *interfaces.units[number])
    return times


def _simple(blocks: Blocks, interfaces: InterfaceColumns, unread: list[Unread]) -> Frames:
    """Simple packet blocks (section 4.4): of the section's first interface, cut at its snapshot length, at no time."""
    if not (known := blocks.first_interface < blocks.interfaces_end).all():
        blocks = blocks.select(_without(blocks, [(UNKNOWN_INTERFACE, ~known)], unread))
    wire = blocks.heads["interface"].astype(np.int64)
    snap_length = interfaces.snap_length[blocks.first_interface]
    captured = np.where(snap_length > 0, np.minimum(wire, snap_length), wire)
    if not (fits := captured <= blocks.size - 16).all():
        keep = _without(blocks, [(LONGER_THAN_BLOCK, ~fits)], unread)
        blocks, wire, captured = blocks.select(keep), wire[keep], captured[keep]
    interface = blocks.first_interface
    return Frames(
        offset=blocks.starts + 12,
        captured_length=captured,
        wire_length=wire,
        ts_ns=np.full(len(wire), NO_TIME, dtype=np.int64),
        interface_id=interface.astype(np.int32),
        link_type=interfaces.link_type[interface].astype(np.int32),
        record_offset=blocks.starts + blocks.window.position,
    )


def _custom(blocks: Blocks, _interfaces: InterfaceColumns, unread: list[Unread]) -> Frames:
    """Custom blocks (section 4.7)."""
    if not (whole := blocks.size >= 16).all():
        blocks = blocks.select(_without(blocks, [("a custom block without a number of who made it", ~whole)], unread))
    length = blocks.size - 16
    if (netflix := blocks.heads["interface"] == NETFLIX).any():
        kind = np.where(length >= 4, blocks.gather(12, "<u4"), 0)
        keep = np.flatnonzero(~netflix | (kind == 1) | (kind == 2))
        blocks, length = blocks.select(keep), np.where(netflix, 0, length)[keep]
    return _without_interface(blocks, 12, length, length, NO_LINK_TYPE)


def _journal(blocks: Blocks, _interfaces: InterfaceColumns, _unread: list[Unread]) -> Frames:
    """Systemd journal export blocks (section 4.6): text, whose end is where the padding begins, and whose time stands somewhere in it."""
    buffer = blocks.window.buffer
    length = blocks.size - 12
    times = np.full(len(length), NO_TIME, dtype=np.int64)
    for row, (start, size) in enumerate(zip((blocks.starts + 8).tolist(), length.tolist(), strict=True)):
        text = buffer[start : start + size].tobytes().rstrip(b"\0")
        length[row] = len(text)
        if (found := _REALTIME.search(text)) is not None and (nanos := int(found[1]) * 1000) < 1 << 63:
            times[row] = nanos
    frames = _without_interface(blocks, 8, length, length, SYSTEMD_JOURNAL)
    frames.ts_ns = times
    return frames


def _sysdig(blocks: Blocks, unread: list[Unread], head: int) -> Frames:
    if not (whole := blocks.size >= head + 4).all():
        blocks = blocks.select(_without(blocks, [("a sysdig event that is too short", ~whole)], unread))
    frames = _without_interface(blocks, head, blocks.size - head - 4, blocks.gather(26, blocks.order + "u4").astype(np.int64), SYSDIG_EVENT)
    times = blocks.gather(10, blocks.order + "u8")
    frames.ts_ns = np.where(times < 1 << 63, times, 0).astype(np.int64)
    frames.ts_ns[times >= 1 << 63] = NO_TIME
    return frames


def _without_interface(blocks: Blocks, head: int, captured: Int64, wire: Int64, link_type: int) -> Frames:
    count = len(blocks.starts)
    return Frames(
        offset=blocks.starts + head,
        captured_length=captured,
        wire_length=wire,
        ts_ns=np.full(count, NO_TIME, dtype=np.int64),
        interface_id=np.full(count, NO_INTERFACE, dtype=np.int32),
        link_type=np.full(count, link_type, dtype=np.int32),
        record_offset=blocks.starts + blocks.window.position,
    )


def _without(blocks: Blocks, wrong: list[tuple[str, Mask]], unread: list[Unread]) -> Int64:
    """Rows of the blocks with which nothing is wrong; the others go to `unread` with the first reason that holds."""
    good = np.ones(len(blocks.starts), dtype=np.bool_)
    for reason, mask in wrong:
        rows = np.flatnonzero(good & mask)
        if len(rows):
            unread.append(Unread(reason, blocks.starts[rows]))
            good[rows] = False
    return np.flatnonzero(good)


_READ: dict[int, Callable[[Blocks, InterfaceColumns, list[Unread]], Frames]] = {
    OBSOLETE_PACKET: _obsolete,
    SIMPLE_PACKET: _simple,
    JOURNAL: _journal,
    CUSTOM: _custom,
    CUSTOM_NOT_COPIED: _custom,
    SYSDIG: lambda blocks, _interfaces, unread: _sysdig(blocks, unread, 32),
    SYSDIG_V2: lambda blocks, _interfaces, unread: _sysdig(blocks, unread, 36),
    SYSDIG_V2_LARGE: lambda blocks, _interfaces, unread: _sysdig(blocks, unread, 36),
}
