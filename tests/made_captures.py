"""Capture files made byte by byte, by the formats' specifications and without our own code, and what a reader makes of them."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from caphouse.ingest.content import Content, open_content
from caphouse.ingest.formats import open_reader
from caphouse.ingest.formats.base import NO_TIME, PADDING_BYTES, Reader

SECOND = 1_000_000_000


class Frame(NamedTuple):
    """One frame as a reader gives it."""

    ts_ns: int | None
    wire_length: int
    captured_length: int
    data: bytes
    interface_id: int
    link_type: int
    record_offset: int


@dataclass
class Read:
    """A capture that was read to its end."""

    frames: list[Frame]
    reader: Reader
    content: Content
    digest: str

    @property
    def data(self) -> list[bytes]:
        return [frame.data for frame in self.frames]

    @property
    def times(self) -> list[int | None]:
        return [frame.ts_ns for frame in self.frames]

    @property
    def kinds(self) -> list[str]:
        return [problem.kind for problem in self.reader.state.problems]

    @property
    def unread(self) -> int:
        return sum(problem.unread_records for problem in self.reader.state.problems)


class Pipe(io.BytesIO):
    """Bytes that come without a size, as from a pipe, and a few at a time."""

    def __init__(self, data: bytes, most: int = 1 << 20) -> None:
        super().__init__(data)
        self._most = most

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return super().readinto(memoryview(buffer)[: self._most])


def read(source: bytes | Path, *, most: int = 1 << 20) -> Read:
    """Read a capture; checks what must hold for every batch of every format."""
    with open_content(Pipe(source, most) if isinstance(source, bytes) else source, name="made") as content:
        reader = open_reader(content)
        frames = list(_frames(reader))
        return Read(frames, reader, content, content.digest())


def _frames(reader: Reader) -> Iterator[Frame]:
    number = 1
    for batch in reader.batches():
        assert len(batch) > 0
        assert batch.first_frame == number
        number += len(batch)
        arrays = (batch.captured_length, batch.wire_length, batch.ts_ns, batch.interface_id, batch.link_type, batch.record_offset)
        assert {len(array) for array in arrays} == {len(batch)}
        for row in range(len(batch)):
            start, size = int(batch.offset[row]), int(batch.captured_length[row])
            assert start >= 0
            assert size >= 0
            assert start + size + PADDING_BYTES <= len(batch.buffer)
            time = int(batch.ts_ns[row])
            interface = int(batch.interface_id[row])
            assert interface < len(reader.state.interfaces)
            yield Frame(
                None if time == NO_TIME else time,
                int(batch.wire_length[row]),
                size,
                batch.buffer[start : start + size].tobytes(),
                interface,
                int(batch.link_type[row]),
                int(batch.record_offset[row]),
            )


class TsharkFrame(NamedTuple):
    """One frame by tshark."""

    ts_ns: int | None
    wire_length: int
    captured_length: int


def tshark(path: Path) -> list[TsharkFrame]:
    """The frames that tshark reads before it gives up."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"})
    rows = [line.split("\t") for line in lines.stdout.splitlines()]
    return [TsharkFrame(int(Decimal(time) * SECOND) if time else None, int(wire or 0), int(captured or 0)) for time, wire, captured in rows]


@dataclass(frozen=True)
class Packet:
    """A packet to write."""

    seconds: int = 1_600_000_000
    fraction: int = 0
    data: bytes = bytes(range(60))
    wire: int | None = None

    @property
    def wire_length(self) -> int:
        return len(self.data) if self.wire is None else self.wire


PACKETS = (
    Packet(1_600_000_000, 1, bytes(range(60))),
    Packet(1_600_000_000, 999_999, b"\xff" * 61, 1500),
    Packet(1_600_000_007, 5, b""),
    Packet(1_599_999_999, 4, b"zeroes" + bytes(99)),
)


def pcap(
    packets: Sequence[Packet] = PACKETS,
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    network: int = 1,
    snap_length: int = 65535,
    after_header: bytes = b"",
    record_extra: bytes = b"",
    swapped: bool = False,
) -> bytes:
    """A classic pcap file; `record_extra` follows each record's four numbers, of which the lengths may stand the other way round."""
    parts = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap_length, network), after_header]
    for packet in packets:
        lengths = (len(packet.data), packet.wire_length)
        parts.append(struct.pack(order + "IIII", packet.seconds, packet.fraction, *(reversed(lengths) if swapped else lengths)))
        parts += [record_extra, packet.data]
    return b"".join(parts)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


class Pcapng:
    """Blocks of pcapng in one byte order."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def block(self, kind: int, body: bytes, *, total: int | None = None, trailer: int | None = None) -> bytes:
        body = padded(body)
        total = 12 + len(body) if total is None else total
        trailer = total if trailer is None else trailer
        return struct.pack(self.order + "II", kind, total) + body + struct.pack(self.order + "I", trailer)

    def options(self, options: Sequence[tuple[int, bytes]]) -> bytes:
        if not options:
            return b""
        parts = [struct.pack(self.order + "HH", code, len(value)) + padded(value) for code, value in options]
        return b"".join([*parts, bytes(4)])

    def section(self, *options: tuple[int, bytes], version: tuple[int, int] = (1, 0), length: int = -1) -> bytes:
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, *version, length) + self.options(options))

    def interface(self, link_type: int = 1, snap_length: int = 0, *options: tuple[int, bytes]) -> bytes:
        return self.block(1, struct.pack(self.order + "HHI", link_type, 0, snap_length) + self.options(options))

    def packet(
        self,
        data: bytes = bytes(range(20)),
        *,
        interface: int = 0,
        counts: int = 1_600_000_000_000_000,
        wire: int | None = None,
        captured: int | None = None,
        options: Sequence[tuple[int, bytes]] = (),
    ) -> bytes:
        numbers = (
            interface,
            counts >> 32,
            counts & 0xFFFFFFFF,
            len(data) if captured is None else captured,
            len(data) if wire is None else wire,
        )
        return self.block(6, struct.pack(self.order + "5I", *numbers) + padded(data) + self.options(options))

    def obsolete_packet(
        self, data: bytes, *, interface: int = 0, counts: int = 1_600_000_000_000_000, drops: int = 0, wire: int | None = None
    ) -> bytes:
        numbers = (interface, drops, counts >> 32, counts & 0xFFFFFFFF, len(data), len(data) if wire is None else wire)
        return self.block(2, struct.pack(self.order + "HH4I", *numbers) + data)

    def simple_packet(self, data: bytes, *, wire: int | None = None) -> bytes:
        return self.block(3, struct.pack(self.order + "I", len(data) if wire is None else wire) + data)

    def statistics(self, interface: int, *options: tuple[int, bytes]) -> bytes:
        return self.block(5, struct.pack(self.order + "III", interface, 0, 0) + self.options(options))

    def count(self, number: int) -> bytes:
        return struct.pack(self.order + "Q", number)


def snoop(
    packets: Sequence[Packet] = PACKETS, *, version: int = 2, data_link: int = 4, padding: int | None = None, drops: int = 0
) -> bytes:
    parts = [b"snoop\0\0\0", struct.pack(">II", version, data_link)]
    for packet in packets:
        fill = -len(packet.data) % 4 if padding is None else padding
        size = 24 + len(packet.data) + fill
        parts.append(struct.pack(">6I", packet.wire_length, len(packet.data), size, drops, packet.seconds, packet.fraction))
        parts += [packet.data, bytes(fill)]
    return b"".join(parts)


def erf_record(
    data: bytes,
    *,
    seconds: int = 1_600_000_000,
    fraction: int = 0,
    kind: int = 2,
    flags: int = 4,
    wire: int | None = None,
    extensions: bytes = b"",
) -> bytes:
    """One ERF record; Ethernet (2) has two bytes before the frame."""
    body = extensions + (bytes(2) if kind & 0x7F == 2 else b"") + data
    kind |= 0x80 if extensions else 0
    head = struct.pack("<II", fraction, seconds) + struct.pack(
        ">BBHHH", kind, flags, 16 + len(body), 0, len(data) if wire is None else wire
    )
    return head + body


@dataclass(frozen=True)
class NetMonFrame:
    """A frame to write: time since the start in the version's unit, media type and FILETIME where the version has them."""

    delta: int = 0
    data: bytes = bytes(range(60))
    wire: int | None = None
    media: int = 1
    filetime: int = 0


START = (2010, 7, 4, 1, 12, 34, 56, 789)
START_NS = 1_277_987_696_789_000_000
"""2010-07-01 12:34:56.789 UTC."""


def netmon(
    frames: Sequence[NetMonFrame],
    *,
    version: tuple[int, int] = (2, 0),
    media: int = 1,
    start: tuple[int, ...] = START,
    table_order: Sequence[int] | None = None,
    table_offset: int | None = None,
    table_bytes: int | None = None,
    gap: bytes = b"",
) -> bytes:
    """A Network Monitor capture."""
    major, minor = version
    content = bytearray(128)
    offsets = []
    for frame in frames:
        offsets.append(len(content))
        wire = len(frame.data) if frame.wire is None else frame.wire
        content += struct.pack("<IHH" if major == 1 else "<qII", frame.delta, wire, len(frame.data)) + frame.data
        if major == 2 and minor >= 1:
            content += struct.pack("<H", frame.media)
        if major == 2 and minor >= 2:
            content += struct.pack("<I", 0xFFFFFFFF)
        if major == 2 and minor >= 3:
            content += struct.pack("<QB", frame.filetime, 0)
        content += gap
    table = len(content) if table_offset is None else table_offset
    listed = offsets if table_order is None else [offsets[number] for number in table_order]
    content += b"".join(struct.pack("<I", offset) for offset in listed)
    header = (b"RTSS" if major == 1 else b"GMBU") + struct.pack("<BBH", minor, major, media) + struct.pack("<8H", *start)
    header += struct.pack("<II", table, 4 * len(listed) if table_bytes is None else table_bytes)
    content[: len(header)] = header
    return bytes(content)
