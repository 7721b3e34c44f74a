"""Classic pcap: every variant, times, lengths, damage."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import PACKETS, SECOND, Packet, pcap, read

from caphouse.ingest.formats.base import PacketBatch
from caphouse.ingest.formats.pcap import PcapReader
from caphouse.warehouse.errors import UnsupportedFormat

VARIANTS = {
    "pcap": {"magic": 0xA1B2C3D4},
    "nsecpcap": {"magic": 0xA1B23C4D},
    "modpcap": {"magic": 0xA1B2CD34, "record_extra": b"\0\0\0\1\x08\0\0\0"},
    "rh6_1pcap": {"magic": 0xA1B2C3D4, "record_extra": b"\0\0\0\1\x08\0\0\0"},
    "suse6_3pcap": {"magic": 0xA1B2CD34, "record_extra": b"\0\0\0\1\x08\0\0\0\0\0\0\0"},
    "nokiapcap": {"magic": 0xA1B2C3D4, "record_extra": b"\1\2\3\4"},
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str, order: str) -> None:
    capture = read(pcap(order=order, **VARIANTS[name]))  # type: ignore[arg-type]
    unit = 1 if name == "nsecpcap" else 1000
    assert capture.reader.format == name
    assert capture.data == [packet.data for packet in PACKETS]
    assert capture.times == [packet.seconds * SECOND + packet.fraction * unit for packet in PACKETS]
    assert [frame.wire_length for frame in capture.frames] == [60, 1500, 0, 105]
    assert capture.reader.state.problems == []
    assert capture.reader.state.interfaces[0].ts_resolution_ns == unit


@pytest.mark.parametrize("magic", [0x1C0001AB, 0x1C0001AC])
def test_ixia_has_a_number_behind_its_file_header(magic: int) -> None:
    capture = read(pcap(magic=magic, after_header=struct.pack("<I", 12345)))
    assert capture.data == [packet.data for packet in PACKETS]
    assert capture.frames[0].record_offset == 28


@pytest.mark.parametrize(
    ("version", "swapped"),
    [((2, 2), True), ((2, 0), True), ((543, 0), True), ((2, 3), True), ((2, 3), False), ((2, 4), False), ((3, 0), False)],
)
def test_old_versions_have_the_lengths_the_other_way_round(version: tuple[int, int], swapped: bool) -> None:  # noqa: FBT001
    capture = read(pcap(version=version, swapped=swapped))
    assert capture.data == [packet.data for packet in PACKETS]
    assert [frame.wire_length for frame in capture.frames] == [60, 1500, 0, 105]
    assert capture.reader.state.problems == []


@pytest.mark.parametrize(("network", "link_type"), [(6, 1), (9, 6), (24, 0)])
def test_aix(network: int, link_type: int) -> None:
    capture = read(pcap(version=(2, 2), network=network, swapped=True))
    assert capture.reader.format == "aixpcap"
    assert capture.reader.state.interfaces[0].link_type == link_type
    assert capture.times[:2] == [1_600_000_000 * SECOND + 1, 1_600_000_000 * SECOND + 999_999]


def test_fddi_of_aix_has_three_bytes_before_each_packet() -> None:
    capture = read(pcap(version=(2, 2), network=15, swapped=True))
    assert capture.data == [packet.data[3:] for packet in PACKETS]
    assert [frame.wire_length for frame in capture.frames] == [57, 1497, 0, 102]


def test_link_type_and_frame_check_sequence_bits() -> None:
    capture = read(pcap(network=0x5400_0071))
    assert {frame.link_type for frame in capture.frames} == {0x71}


def test_unknown_link_types_are_read() -> None:
    assert {frame.link_type for frame in read(pcap(network=4711)).frames} == {4711}


def test_refused_headers() -> None:
    with pytest.raises(UnsupportedFormat, match=r"version 1\.4"):
        read(pcap(version=(1, 4)))
    with pytest.raises(UnsupportedFormat, match="reserved"):
        read(pcap(network=0x0020_0001))


def test_record_offsets() -> None:
    assert [frame.record_offset for frame in read(pcap()).frames] == [24, 24 + 76, 24 + 76 + 77, 24 + 76 + 77 + 16]


def test_no_packets() -> None:
    capture = read(pcap([]))
    assert capture.frames == []
    assert capture.reader.state.problems == []


@pytest.mark.parametrize(("unit", "magic"), [(1000, 0xA1B2C3D4), (1, 0xA1B23C4D)])
def test_a_fraction_of_more_than_a_second_carries_over(unit: int, magic: int) -> None:
    packets = [Packet(fraction=fraction) for fraction in (0, 0, 0, 5_000_000_000 // unit % 2**32, 2**32 - 1)]
    expected = [packet.seconds * SECOND + packet.fraction * unit for packet in packets]
    assert read(pcap(packets, magic=magic)).times == expected


def test_the_ends_of_time() -> None:
    assert read(pcap([Packet(0), Packet(2**32 - 1, 999_999)])).times == [0, 4_294_967_295_999_999_000]


def test_lengths_of_half_the_range_and_more_are_what_the_records_say() -> None:
    packets = [Packet(), Packet(), Packet(), Packet(wire=2**31 - 1), Packet(wire=2**31), Packet(wire=2**32 - 1)]
    assert [frame.wire_length for frame in read(pcap(packets)).frames][3:] == [2**31 - 1, 2**31, 2**32 - 1]


def test_a_packet_may_be_longer_than_on_the_wire_or_than_the_snapshot_length() -> None:
    capture = read(pcap([Packet(wire=5)], snap_length=3))
    assert (capture.frames[0].wire_length, capture.frames[0].captured_length) == (5, 60)


def test_the_longest_packets() -> None:
    whole = read(pcap([Packet(data=bytes(262_144)), Packet()]))
    assert [frame.captured_length for frame in whole.frames] == [262_144, 60]
    too_long = read(pcap([Packet(), Packet(data=bytes(262_145)), Packet()]))
    assert too_long.data == [Packet().data]
    assert [(problem.offset, problem.kind, problem.unread_records) for problem in too_long.reader.state.problems] == [(100, "damaged", 1)]
    usb = read(pcap([Packet(data=bytes(262_145)), Packet()], network=249))
    assert [frame.captured_length for frame in usb.frames] == [262_145, 60]


def test_nothing_is_allocated_for_a_length_that_lies() -> None:
    lie = struct.pack("<IIII", 1, 1, 100 << 20, 100 << 20)
    capture = read(pcap(network=249) + lie + bytes(1000))
    assert len(capture.frames) == len(PACKETS)
    assert capture.kinds == ["cut-short"]


def test_a_header_that_is_cut() -> None:
    for size in range(4, 24):
        capture = read(pcap()[:size])
        assert capture.frames == []
        assert capture.kinds == ["cut-short"]


def test_cut_anywhere() -> None:
    whole = pcap()
    frames = read(whole).frames
    ends = [24, *(frame.record_offset + 16 + frame.captured_length for frame in frames)]
    for size in range(24, len(whole) + 1):
        capture = read(whole[:size])
        complete = sum(end <= size for end in ends[1:])
        assert capture.frames == frames[:complete]
        assert capture.kinds == ([] if size in ends else ["cut-short"])
        assert capture.unread == (size not in ends)


def test_a_file_of_zeros_behind_the_packets_is_packets_of_nothing_as_for_wireshark() -> None:
    capture = read(pcap() + bytes(40))
    assert [frame[:3] for frame in capture.frames[4:]] == [(0, 0, 0)] * 2
    assert capture.kinds == ["cut-short"]


def test_a_variant_is_not_chosen_for_a_damaged_file() -> None:
    capture = read(pcap([Packet(data=b"\1" * 60)]) + struct.pack("<IIII", 1, 1, 2**32 - 1, 5) + b"x" * 100)
    assert capture.reader.format == "pcap"
    assert len(capture.frames) == 1
    assert capture.kinds == ["damaged"]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(Packet, st.integers(0, 2**32 - 1), st.integers(0, 999_999), st.binary(max_size=70), st.integers(70, 2**31 - 1)),
        max_size=12,
    ),
    st.sampled_from("<>"),
    st.sampled_from([0, 1, 12, 101, 113, 2000]),
)
def test_what_is_written_is_read(packets: list[Packet], order: str, network: int) -> None:
    capture = read(pcap(packets, order=order, network=network), most=50)
    assert [frame[:4] for frame in capture.frames] == [
        (packet.seconds * SECOND + packet.fraction * 1000, packet.wire, len(packet.data), packet.data) for packet in packets
    ]
    assert {frame.link_type for frame in capture.frames} <= {network}


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("caphouse.ingest.formats.chained.BATCH_PACKETS", 100)
    monkeypatch.setattr("caphouse.ingest.formats.chained.BATCH_BYTES", 3000)
    packets = [Packet(fraction=number, data=bytes([number % 256]) * (number % 70)) for number in range(1000)]
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap(packets))
    capture = read(path)
    assert capture.data == [packet.data for packet in packets]
    from caphouse.ingest.content import open_content

    with open_content(path, name="made") as content:
        batches: list[PacketBatch] = list(PcapReader(content).batches())
    assert max(len(batch) for batch in batches) <= 100
    assert max(int((batch.captured_length + 16).sum()) for batch in batches) <= 3000
    assert [packet.data for packet in packets] == [
        batch.buffer[int(start) : int(start) + int(size)].tobytes()
        for batch in batches
        for start, size in zip(batch.offset, batch.captured_length, strict=True)
    ]


def test_scapy_writes_what_is_read(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import RawPcapReader, wrpcap

    path = tmp_path / "scapy.pcap"
    made = [Ether() / IP(dst="192.0.2.1") / UDP() / bytes(number) for number in range(20)]
    for number, packet in enumerate(made):
        packet.time = 1_600_000_000 + number / 4
    wrpcap(str(path), made)
    capture = read(path)
    with RawPcapReader(str(path)) as expected:
        rows = [(data, meta.sec * SECOND + meta.usec * 1000, meta.wirelen) for data, meta in expected]
    assert [(frame.data, frame.ts_ns, frame.wire_length) for frame in capture.frames] == rows
