"""Every format that is read here, one case a line, beside the tshark that is installed: frames, times and both lengths."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import wireshark
from made_captures import PACKETS, NetMonFrame, Packet, Pcapng, erf_record, netmon, padded, pcap, read, snoop, tshark

pytestmark = pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)

LE, BE = Pcapng("<"), Pcapng(">")
TIMES = 1_600_000_000_000_000
FRAMES = (NetMonFrame(0, bytes(60)), NetMonFrame(1500, b"b" * 61, 70), NetMonFrame(2_000_000, b"c" * 24))
MODIFIED, SUSE, NOKIA = b"\0\0\0\1\x08\0\0\0", b"\0\0\0\1\x08\0\0\0\0\0\0\0", b"\1\2\3\4"


def section(made: Pcapng) -> bytes:
    """Two interfaces, with microseconds and nanoseconds, and each kind of packet."""
    nanoseconds = made.interface(113, 0, (9, b"\x09"))
    packets = made.packet(b"a" * 40, counts=TIMES + 1, wire=100) + made.packet(b"b" * 41, interface=1, counts=TIMES * 1000 + 7)
    return made.section() + made.interface() + nanoseconds + packets + made.obsolete_packet(b"c" * 42, counts=TIMES + 2)


MADE = {
    "pcap": pcap(),
    "pcap, big-endian": pcap(order=">"),
    "pcap, nanoseconds": pcap(magic=0xA1B23C4D),
    "pcap, nanoseconds, big-endian": pcap(order=">", magic=0xA1B23C4D),
    "pcap, version 2.2, lengths swapped": pcap(version=(2, 2), swapped=True),
    "pcap, version 2.3, lengths either way": pcap(version=(2, 3), swapped=True),
    "pcap, modified": pcap(magic=0xA1B2CD34, record_extra=MODIFIED),
    "pcap, modified, big-endian": pcap(order=">", magic=0xA1B2CD34, record_extra=MODIFIED),
    "pcap of Red Hat 6.1": pcap(record_extra=MODIFIED),
    "pcap of SuSE 6.3": pcap(magic=0xA1B2CD34, record_extra=SUSE),
    "pcap of Nokia": pcap(record_extra=NOKIA),
    "pcap of Ixia, hardware": pcap(magic=0x1C0001AC, after_header=bytes(4)),
    "pcap of Ixia, software": pcap(magic=0x1C0001AB, after_header=bytes(4)),
    "pcap of AIX": pcap(order=">", version=(2, 2), network=6),
    "pcapng": section(LE),
    "pcapng, big-endian": section(BE),
    "pcapng, sections of both byte orders": section(LE) + section(BE),
    "pcapng, simple packets": LE.section() + LE.interface(1, 64) + LE.simple_packet(bytes(64), wire=100),
    "pcapng, resolution of 1/1024 s": LE.section() + LE.interface(1, 0, (9, b"\x8a")) + LE.packet(counts=1_600_000_000 << 10 | 512),
    "pcapng, offset of an hour": LE.section() + LE.interface(1, 0, (14, (3600).to_bytes(8, "little"))) + LE.packet(counts=TIMES),
    "snoop": snoop(),
    "snoop, padded": snoop(padding=7),
    "snoop, version 3": snoop(version=3),
    "NetMon 1.1": netmon(FRAMES, version=(1, 1)),
    "NetMon 2.0": netmon(FRAMES, version=(2, 0)),
    "NetMon 2.1": netmon(FRAMES, version=(2, 1)),
    "NetMon 2.2": netmon(FRAMES, version=(2, 2)),
    "NetMon, in another order": netmon(FRAMES, table_order=(2, 0, 1)),
    "NetMon, before its start": netmon([NetMonFrame(-5_000_000)]),
    "ERF": b"".join(erf_record(bytes(60 + number), seconds=1_600_000_000 + number, fraction=number << 30) for number in range(4)),
    "ERF, with a check sequence and extension": erf_record(bytes(64), wire=68, extensions=b"\x05" + bytes(7)) * 4,
    "ERF, with padding records": erf_record(bytes(60)) + erf_record(bytes(100), kind=48) + erf_record(bytes(61)) * 2,
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_made(name: str, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(MADE[name])
    assert [frame[:3] for frame in read(path).frames] == tshark(path)


WRITTEN = ("pcap", "nsecpcap", "modpcap", "nokiapcap", "rh6_1pcap", "suse6_3pcap", "pcapng", "netmon1", "netmon2", "snoop")
"""What editcap writes of the formats that are read here; it refuses to write ERF from Ethernet."""


@pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")
@pytest.mark.parametrize("file_type", WRITTEN)
def test_written_by_editcap(file_type: str, tmp_path: Path) -> None:
    """The layout is Wireshark's own here, not one that we wrote: the packets must come out as they went in."""
    packets = [Packet(1_600_000_000 + number, 250_000 * number, padded(bytes(range(61 + number))), 200) for number in range(4)]
    (tmp_path / "in").write_bytes(pcap(packets))
    subprocess.run(["editcap", "-F", file_type, str(tmp_path / "in"), str(tmp_path / "out")], check=True, capture_output=True)
    capture = read(tmp_path / "out")
    assert capture.reader.format == file_type
    assert [frame[:3] for frame in capture.frames] == tshark(tmp_path / "out")
    assert capture.data == [packet.data for packet in packets]


def test_the_packets_are_worth_comparing() -> None:
    assert len({(packet.seconds, packet.fraction, packet.wire_length, len(packet.data)) for packet in PACKETS}) == len(PACKETS) > 1
