"""Microsoft Network Monitor 1.x and 2.x: frames wherever a table says, which mostly stands at the end of the file.

Source: "Network Monitor capture file format", in the help of Network Monitor 3; versions before 2.1 by what Wireshark makes of them.
"""

from __future__ import annotations

import calendar
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...warehouse.errors import UnsupportedFormat
from ..content import Content
from .base import BATCH_BYTES, BATCH_PACKETS, NO_TIME, PADDING_BYTES, Interface, PacketBatch, Problem, ReaderState
from .gather import gather
from .link_types import LARGEST_PACKET_BYTES, NETMON_802_11, NO_LINK_TYPE
from .records import Bytes, Int64
from .registry import Format
from .spill import mapped_copy

FILE_HEADER_BYTES = 128
LEAST_FILE_HEADER_BYTES = 32
"""Up to the length of the frame table; what follows is not needed."""

LINK_TYPES = {0: 1, 1: 1, 2: 6, 3: 10, 6: NETMON_802_11, 7: 101, 8: 101, 9: 101}
"""Media types, with the LINKTYPE_ number of each."""
ATM = 4
ATM_HEADER_BYTES = 16
"""Before ATM cells, up to version 2.0: addresses and circuit, which Wireshark does not count as part of the packet."""
PCAP_MEDIA = 0xE000
"""Media types from here on are LINKTYPE_ numbers plus this."""
NOT_FRAMES = (0xFFFC, 0xFFFD, 0xFFFE)
"""Media types of what Network Monitor stores about a capture among its frames and Wireshark leaves out."""

EPOCH_OF_FILETIME_SECONDS = 11_644_473_600
"""From 1601 to 1970."""
LONGEST_CAPTURE_NS = 10 * 366 * 86_400 * 1_000_000_000
"""A frame that is later than this is none; only where frames must be found without their table."""


class Version(NamedTuple):
    """What differs between versions.

    Attributes:
        name: Wireshark's name of the format.
        head: Structure of a frame's header: time since the start, lengths on the wire and captured.
        unit_ns: Nanoseconds that this time counts in.
        trailer_bytes: Bytes behind a frame's data: from 2.1 on a media type, from 2.2 a process, from 2.3 its time and time zone.
    """

    name: str
    head: np.dtype[np.void]
    unit_ns: int
    trailer_bytes: int = 0


def version_of(major: int, minor: int) -> Version | None:
    """The version; None for one that is not known."""
    if major == 1:
        return Version("netmon1", np.dtype([("delta", "<u4"), ("wire", "<u2"), ("captured", "<u2")]), 1_000_000)
    if major == 2:
        head = np.dtype([("delta", "<i8"), ("wire", "<u4"), ("captured", "<u4")])
        return Version("netmon2", head, 1000, (0, 2, 6, 15)[min(minor, 3)])
    return None


class NetMonReader:
    """Reads Network Monitor's captures; see `base.Reader`.

    The start of the capture is stated without a time zone and taken as UTC; captures of version 2.3 state every frame's time in UTC.
    """

    def __init__(self, content: Content) -> None:
        window = content.window(FILE_HEADER_BYTES, FILE_HEADER_BYTES)
        header = window.buffer[: window.size].tobytes()
        self.format = "netmon1" if header.startswith(b"RTSS") else "netmon2"
        self.state = ReaderState()
        self._content = content
        self._version: Version | None = None
        self._interfaces: dict[int, int] = {}
        if len(header) < LEAST_FILE_HEADER_BYTES:
            self.state.problems.append(Problem(0, "the file ends inside its header", kind="cut-short"))
            return
        minor, major, self._media = struct.unpack_from("<BBH", header, 4)
        self._version = version_of(major, minor)
        if self._version is None:
            raise UnsupportedFormat(f"Network Monitor capture version {major}.{minor} is not read", source=content.name, offset=4)
        self.format = self._version.name
        self._start_ns = _start(struct.unpack_from("<8H", header, 8))
        self._table_offset, self._table_bytes = struct.unpack_from("<II", header, 24)
        if self._start_ns == NO_TIME and self._version.trailer_bytes < 15:
            self.state.problems.append(Problem(8, "the start of the capture is not a date, so that no frame has a time"))

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        if self._version is None:
            return
        with mapped_copy(self._content) as (buffer, size):
            first_frame = 1
            frames = self._frame_offsets(buffer, size, self._version)
            begin = 0
            while begin < len(frames):
                batch, taken = self._batch(buffer, size, frames[begin : begin + BATCH_PACKETS], first_frame, self._version)
                if len(batch):
                    yield batch
                first_frame += len(batch)
                begin += taken

    def _frame_offsets(self, buffer: Bytes, size: int, version: Version) -> Int64:
        """Where frames begin, by the table, or by their own lengths where that is not in the file."""
        begin, length = self._table_offset, self._table_bytes
        if length % 4:
            self.state.problems.append(Problem(28, "the length of the frame table is not a number of frames"))
        if begin + length <= size:
            return buffer[begin : begin + length // 4 * 4].view("<u4").astype(np.int64)
        self.state.problems.append(Problem(min(begin, size), "the file ends before or inside its frame table", kind="cut-short"))
        return np.array(_frames_without_table(buffer, min(begin, size), version), dtype=np.int64)

    def _batch(self, buffer: Bytes, size: int, starts: Int64, first_frame: int, version: Version) -> tuple[PacketBatch, int]:
        """The first of the frames at `starts`, as many as a batch may hold, and how many that are."""
        head_bytes = version.head.itemsize
        in_file = starts + head_bytes <= size
        heads = gather(buffer, np.where(in_file, starts, 0), version.head)
        captured = heads["captured"].astype(np.int64)
        ends = starts + head_bytes + captured
        possible = captured <= LARGEST_PACKET_BYTES
        whole = in_file & possible & (ends <= size)
        taken = max(int(np.searchsorted(np.cumsum(np.where(whole, captured, 0)), BATCH_BYTES, side="right")), 1)
        self._note(starts[:taken], in_file[:taken] & ~possible[:taken], "a frame longer than is possible", "damaged")
        self._note(starts[:taken], (~in_file | (possible & ~whole))[:taken], "the file ends inside or before a frame", "cut-short")
        keep = np.flatnonzero(whole[:taken])
        media = self._media_of(buffer, size, ends[keep], version)
        frame = ~np.isin(media, NOT_FRAMES) if version.trailer_bytes else np.ones(len(keep), dtype=np.bool_)
        keep, media = keep[frame], media[frame]
        starts, heads, captured, ends = starts[keep], heads[keep], captured[keep], ends[keep]
        atm = self._media == ATM and not version.trailer_bytes
        skipped = np.minimum(captured, ATM_HEADER_BYTES if atm else 0)
        link_type = _link_types(media)
        low = int(starts.min()) if len(starts) else 0
        high = int(ends.max()) if len(ends) else 0
        batch = PacketBatch(
            buffer=buffer[low : high + PADDING_BYTES],
            offset=starts + head_bytes + skipped - low,
            captured_length=captured - skipped,
            wire_length=np.maximum(heads["wire"].astype(np.int64) - skipped, 0),
            ts_ns=self._times(buffer, size, heads["delta"], ends, version),
            interface_id=self._interface_ids(link_type, version),
            link_type=link_type,
            record_offset=starts,
            first_frame=first_frame,
        )
        return batch, taken

    def _media_of(self, buffer: Bytes, size: int, ends: Int64, version: Version) -> Int64:
        """The media type of each frame (int64[m]), given where its data ends."""
        media = np.full(len(ends), self._media, dtype=np.int64)
        if version.trailer_bytes:
            stated = np.flatnonzero(ends + 2 <= size)
            media[stated] = gather(buffer, ends[stated], np.dtype("<u2"))
        return media

    def _times(self, buffer: Bytes, size: int, delta: Int64, ends: Int64, version: Version) -> Int64:
        """Nanoseconds since the epoch (int64[m]) of frames `delta` (integers[m]) after the start, whose data ends at `ends` (int64[m])."""
        times = np.full(len(ends), NO_TIME, dtype=np.int64)
        if version.trailer_bytes >= 15:
            stated = np.flatnonzero(ends + 14 <= size)
            ticks = gather(buffer, ends[stated] + 6, np.dtype("<u8"))
            seconds = (ticks // 10_000_000).astype(np.int64) - EPOCH_OF_FILETIME_SECONDS
            known = np.abs(seconds) < _MOST_SECONDS
            times[stated[known]] = seconds[known] * 1_000_000_000 + (ticks[known] % 10_000_000).astype(np.int64) * 100
        elif self._start_ns != NO_TIME:
            delta = delta.astype(np.int64)
            known = np.abs(delta // (1_000_000_000 // version.unit_ns) + self._start_ns // 1_000_000_000) < _MOST_SECONDS
            times[known] = self._start_ns + delta[known] * version.unit_ns
        return times

    def _interface_ids(
        self, link_type: np.ndarray[tuple[int], np.dtype[np.int32]], version: Version
    ) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """One interface for each link type, in the order in which they come up."""
        numbers = np.zeros(len(link_type), dtype=np.int32)
        present, first = np.unique(link_type, return_index=True)
        for number in present[np.argsort(first)].tolist():
            if number not in self._interfaces:
                self._interfaces[number] = len(self.state.interfaces)
                resolution = 100.0 if version.trailer_bytes >= 15 else float(version.unit_ns)
                self.state.interfaces.append(Interface(number, ts_resolution_ns=resolution))
            numbers[link_type == number] = self._interfaces[number]
        return numbers

    def _note(self, starts: Int64, bad: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: str, kind: str) -> None:
        rows = np.flatnonzero(bad)
        if len(rows):
            self.state.problems.append(Problem(int(starts[rows[0]]), reason, kind, len(rows)))


_MOST_SECONDS = (1 << 63) // 1_000_000_000


def _start(fields: tuple[int, ...]) -> int:
    """Nanoseconds since the epoch of a SYSTEMTIME: year, month, day of the week, day, hour, minute, second, millisecond."""
    year, month, _weekday, day, hour, minute, second, millisecond = fields
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61 and 1601 <= year <= 2261):
        return NO_TIME
    return calendar.timegm((year, month, day, hour, minute, second)) * 1_000_000_000 + millisecond * 1_000_000


def _link_types(media: Int64) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """LINKTYPE_ numbers (int32[m]) of media types (int64[m])."""
    link_types = np.where((media >= PCAP_MEDIA) & (media < PCAP_MEDIA + 0x1000), media - PCAP_MEDIA, NO_LINK_TYPE).astype(np.int32)
    for number, link_type in LINK_TYPES.items():
        link_types[media == number] = link_type
    return link_types


def _frames_without_table(buffer: Bytes, end: int, version: Version) -> list[int]:
    """Where frames begin that follow each other from the file header on, as far as that makes sense and at most up to `end`."""
    offsets: list[int] = []
    position = FILE_HEADER_BYTES
    head_bytes = version.head.itemsize
    read = struct.Struct("<qII" if head_bytes == 16 else "<IHH").unpack_from
    view = buffer.data
    while position + head_bytes <= end:
        delta, wire, captured = read(view, position)
        following = position + head_bytes + captured + version.trailer_bytes
        sound = 0 <= delta * version.unit_ns < LONGEST_CAPTURE_NS and captured <= min(wire, LARGEST_PACKET_BYTES)
        if not sound or following - version.trailer_bytes > end:
            break
        offsets.append(position)
        position = following
    return offsets


FORMATS = (Format("Microsoft Network Monitor 1.x", NetMonReader, b"RTSS"), Format("Microsoft Network Monitor 2.x", NetMonReader, b"GMBU"))
