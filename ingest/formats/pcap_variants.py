"""The kinds of classic pcap and how they are told apart.

The magic number names the byte order and the unit of the times, but several programs put more into the record headers and kept it. So
the first records are read in each way that there is, and the way that makes sense of them is taken, as Wireshark does.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from .link_types import largest_packet
from .records import Bytes

FILE_HEADER_BYTES = 24
RECORDS_TRIED = 3
MOST_LIKELY_SECONDS = 366 * 86_400
"""Between one record and the next."""
LARGEST_LIKELY_WIRE_LENGTH = 128 << 20
AIX_LINK_TYPES = {6: 1, 9: 6, 15: 10, 24: 0}
"""AIX states interface types of RFC 1573: Ethernet, token ring, FDDI and loopback, here with the LINKTYPE_ number of each."""
FDDI = 10
SECOND = 1_000_000_000
ENDIAN: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
AIX_FDDI_PADDING = 3


class Variant(NamedTuple):
    """A kind of classic pcap.

    Attributes:
        name: Wireshark's name of it (`editcap -F`).
        record_header_bytes: Bytes before each packet.
        unit_ns: Nanoseconds that the fraction of a time counts in.
        extra_header_bytes: Bytes between the file header and the first record.
        captured_at: Where in the record header the captured length stands.
        wire_at: Where the length on the wire stands.
        either: Whether those two may have changed places; the greater one is that on the wire then.
        padding: Bytes at the beginning of each packet that are none of it.
    """

    name: str
    record_header_bytes: int = 16
    unit_ns: int = 1000
    extra_header_bytes: int = 0
    captured_at: int = 8
    wire_at: int = 12
    either: bool = False
    padding: int = 0


VARIANTS = {
    0xA1B2C3D4: (Variant("pcap"), Variant("rh6_1pcap", record_header_bytes=24), Variant("nokiapcap", record_header_bytes=20)),
    0xA1B23C4D: (Variant("nsecpcap", unit_ns=1),),
    0xA1B2CD34: (Variant("modpcap", record_header_bytes=24), Variant("suse6_3pcap", record_header_bytes=28)),
    0x1C0001AB: (Variant("pcap", extra_header_bytes=4),),
    0x1C0001AC: (Variant("pcap", extra_header_bytes=4),),
}
"""By magic number. rh6_1, suse6_3 and mod are stages of Alexey Kuznetzov's patches, which added interface, protocol and packet type; the
last two are Ixia's, whose file header ends with the number of bytes that follow."""


class FileHeader(NamedTuple):
    """What the first 24 bytes say.

    Attributes:
        order: '<' or '>'.
        magic: Key of `VARIANTS`.
        major: Version; 2 everywhere but in DG/UX, which writes 543.
        minor: 4 since 1998; before 3 the two lengths stood the other way round, and in 3 either way.
        snap_length: Snapshot length.
        network: Link type, and in the upper bits the length of the frame check sequence.
    """

    order: str
    magic: int
    major: int
    minor: int
    snap_length: int
    network: int

    @property
    def link_type(self) -> int:
        """LINKTYPE_ number of all packets."""
        return AIX_LINK_TYPES[self.network] if self.is_aix else self.network & 0xFFFF

    @property
    def is_aix(self) -> bool:
        """Whether AIX wrote it: an old version, and an interface type that the systems of that time did not use."""
        return self.magic == 0xA1B2C3D4 and (self.major, self.minor) == (2, 2) and self.network in AIX_LINK_TYPES


def read_file_header(data: bytes) -> FileHeader:
    """Read a file header of 24 bytes that begins with a magic number of `VARIANTS` in either byte order."""
    order = "<" if int.from_bytes(data[:4], "little") in VARIANTS else ">"
    magic, major, minor, _zone, _accuracy, snap_length, network = struct.unpack_from(order + "IHHiIII", data)
    return FileHeader(order, magic, major, minor, snap_length, network)


def choose_variant(header: FileHeader, records: Bytes, *, whole: bool) -> Variant:
    """The variant that makes sense of the first records.

    Args:
        header: The file header.
        records: uint8[n], what follows it.
        whole: Whether the file ends with `records`.
    """
    candidates = VARIANTS[header.magic]
    if header.is_aix:
        padding = AIX_FDDI_PADDING if header.link_type == FDDI else 0
        candidates = (Variant("aixpcap", unit_ns=1, padding=padding),)
    if (header.major, header.minor) == (2, 3):
        candidates = tuple(variant._replace(either=True) for variant in candidates)
    elif header.minor < 3 and header.major in {2, 543}:
        candidates = tuple(variant._replace(captured_at=12, wire_at=8) for variant in candidates)
    # The ordinary one, unless it makes no sense and another makes all the sense in the world: damage alone is no reason for another.
    ordinary = candidates[0]
    if _is_sound(header, ordinary, records, may_be_cut=True):
        return ordinary
    return next((variant for variant in candidates[1:] if _is_sound(header, variant, records, may_be_cut=not whole)), ordinary)


def _is_sound(header: FileHeader, variant: Variant, records: Bytes, *, may_be_cut: bool) -> bool:
    """Whether there is nothing odd about the first records; `records` may end inside one where it `may_be_cut`."""
    largest = largest_packet(header.link_type)
    position = variant.extra_header_bytes
    before: int | None = None
    for _ in range(RECORDS_TRIED):
        rest = records[position : position + variant.record_header_bytes].tobytes()
        if before is not None and len(rest) >= 4 and abs(int.from_bytes(rest[:4], ENDIAN[header.order]) - before) > MOST_LIKELY_SECONDS:
            return False
        if len(rest) < variant.record_header_bytes:
            # Where the file ends inside a header, what there is of it has to make sense.
            sound = len(rest) < 8 or int.from_bytes(rest[4:8], ENDIAN[header.order]) * variant.unit_ns < SECOND
            return sound and (may_be_cut or position == len(records))
        before, fraction = struct.unpack_from(header.order + "II", rest)
        (captured,) = struct.unpack_from(header.order + "I", rest, variant.captured_at)
        (wire,) = struct.unpack_from(header.order + "I", rest, variant.wire_at)
        if variant.either:
            captured, wire = min(captured, wire), max(captured, wire)
        if captured > min(wire, largest) or wire > LARGEST_LIKELY_WIRE_LENGTH or fraction * variant.unit_ns >= SECOND:
            return False
        position += variant.record_header_bytes + captured
    return may_be_cut or position <= len(records)
