"""snoop and Surveyor's variants of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import PACKETS, SECOND, Packet, read, snoop

from caphouse.warehouse.errors import UnsupportedFormat


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("padding", [None, 0, 7])
def test_packets(version: int, padding: int | None) -> None:
    capture = read(snoop(version=version, padding=padding, drops=3))
    assert capture.reader.format == "snoop"
    assert capture.data == [packet.data for packet in PACKETS]
    assert capture.times == [packet.seconds * SECOND + packet.fraction * 1000 for packet in PACKETS]
    assert [frame.wire_length for frame in capture.frames] == [60, 1500, 0, 105]
    assert capture.frames[0].record_offset == 16
    assert capture.reader.state.interfaces[0].dropped_packets == 3
    assert capture.reader.state.problems == []


@pytest.mark.parametrize(("data_link", "link_type"), [(0, 1), (2, 6), (4, 1), (8, 10), (9, 0), (14, 0), (16, 122), (26, 242), (77, -1)])
def test_link_types(data_link: int, link_type: int) -> None:
    assert {frame.link_type for frame in read(snoop(data_link=data_link)).frames} == {link_type}


def test_atm_has_a_pseudo_header() -> None:
    capture = read(snoop(data_link=18))
    assert {frame.link_type for frame in capture.frames} == {123}
    assert capture.data == [packet.data[4:] for packet in PACKETS]
    assert [frame.wire_length for frame in capture.frames] == [56, 1496, 0, 101]


@pytest.mark.parametrize(("data_link", "link_type"), [(4, 1), (10, 1), (11, 6), (12, 1), (13, 6), (14, 6), (15, -1)])
def test_surveyor(data_link: int, link_type: int) -> None:
    capture = read(snoop(data_link=data_link, padding=16))
    assert capture.reader.format == "shomiti"
    assert {frame.link_type for frame in capture.frames} == {link_type}
    assert capture.data == [packet.data for packet in PACKETS]


@pytest.mark.parametrize("version", [0, 1, 6])
def test_refused_versions(version: int) -> None:
    with pytest.raises(UnsupportedFormat, match=f"version {version}"):
        read(snoop(version=version))


def record(captured: int, size: int, data: bytes) -> bytes:
    return struct.pack(">6I", 60, captured, size, 0, 1, 1) + data


@pytest.mark.parametrize("bad", [record(60, 24, b""), record(262_145, 262_145 + 24, bytes(262_145))])
def test_packets_longer_than_their_record_are_left_out(bad: bytes) -> None:
    capture = read(snoop() + bad + snoop([Packet(data=b"after")])[16:])
    assert capture.data == [*(packet.data for packet in PACKETS), b"after"]
    assert (capture.kinds, capture.unread) == (["damaged"], 1)


@pytest.mark.parametrize("size", [0, 23, 2**32 - 1])
def test_impossible_records_end_reading(size: int) -> None:
    capture = read(snoop() + record(60, size, bytes(60)) + snoop()[16:])
    assert len(capture.frames) == len(PACKETS)
    assert (capture.kinds, capture.unread) == (["damaged"], 1)
    assert capture.reader.state.problems[0].offset == len(snoop())


def test_cut_anywhere() -> None:
    whole = snoop()
    frames = read(whole).frames
    ends = [16]
    for packet in PACKETS:
        ends.append(ends[-1] + 24 + len(packet.data) + -len(packet.data) % 4)
    for size in range(8, len(whole) + 1):
        capture = read(whole[:size])
        assert capture.frames == frames[: sum(end <= size for end in ends[1:])]
        assert capture.kinds == ([] if size in ends else ["cut-short"])


@settings(deadline=None)
@given(
    st.lists(
        st.builds(Packet, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=70), st.integers(0, 2**31 - 1)),
        max_size=12,
    ),
    st.integers(0, 9),
)
def test_what_is_written_is_read(packets: list[Packet], padding: int) -> None:
    capture = read(snoop(packets, padding=padding), most=50)
    assert [frame[:4] for frame in capture.frames] == [
        (packet.seconds * SECOND + packet.fraction * 1000, packet.wire, len(packet.data), packet.data) for packet in packets
    ]
