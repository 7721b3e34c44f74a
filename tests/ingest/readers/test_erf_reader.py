"""ERF: told without a magic number; header, extensions and subheaders left out of the packets."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_captures import SECOND, Packet, Pcapng, erf_record, netmon, pcap, read, snoop

from caphouse.ingest.formats import _formats
from caphouse.ingest.formats.erf import looks_like_erf

DATA = bytes(range(60))
EXTENSIONS = bytes([0x83, *range(7)]) + bytes([0x04, *range(7)])


def test_packets() -> None:
    capture = read(
        erf_record(DATA, fraction=1 << 31, wire=64)
        + erf_record(DATA + bytes(4), wire=60)
        + erf_record(DATA, extensions=EXTENSIONS, flags=6)
        + erf_record(DATA, kind=1, flags=5)
        + erf_record(b"MC01" + DATA, kind=5, wire=60)
    )
    assert capture.reader.format == "erf"
    assert capture.data == [DATA] * 5
    assert [frame.wire_length for frame in capture.frames] == [64, 60, 60, 60, 60]
    assert capture.times == [1_600_000_000 * SECOND + SECOND // 2] + [1_600_000_000 * SECOND] * 4
    assert {frame.link_type for frame in capture.frames} == {197}
    assert [frame.interface_id for frame in capture.frames] == [0, 0, 1, 2, 0]
    assert len(capture.reader.state.interfaces) == 3


@pytest.mark.parametrize(("fraction", "nanoseconds"), [(0, 0), (1, 0), (3, 1), (12_345_678, 2_874_452), (2**32 - 1, SECOND)])
def test_times_are_rounded_as_wireshark_does(fraction: int, nanoseconds: int) -> None:
    assert read(erf_record(DATA, fraction=fraction)).times == [1_600_000_000 * SECOND + nanoseconds]


def test_padding_records_are_no_frames() -> None:
    capture = read(erf_record(b"1") + erf_record(bytes(100), kind=48) + erf_record(b"2"))
    assert capture.data == [b"1", b"2"]
    assert [frame.record_offset for frame in capture.frames] == [0, 19 + 116]
    assert read(erf_record(bytes(100), kind=48)).frames == []


def test_what_is_erf() -> None:
    records = erf_record(DATA) * 5
    assert looks_like_erf(records, whole=True)
    assert looks_like_erf(erf_record(DATA), whole=True)
    assert looks_like_erf(records[:-10], whole=True)
    assert not looks_like_erf(erf_record(DATA)[:40], whole=True)
    assert not looks_like_erf(erf_record(DATA) + erf_record(DATA, seconds=1_500_000_000), whole=True)
    assert not looks_like_erf(erf_record(DATA) + erf_record(DATA, seconds=1_700_000_000), whole=True)
    assert not looks_like_erf(erf_record(DATA, kind=0) * 5, whole=True)
    assert not looks_like_erf(erf_record(DATA, kind=99) * 5, whole=True)
    assert not looks_like_erf(b"", whole=True)


@pytest.mark.parametrize(
    "other",
    [
        bytes(5000),
        b"\xff" * 5000,
        b"Nov 23 12:00:00 host kernel: something happened here\n" * 100,
        b'{"key": "value", "list": [1, 2, 3]}\n' * 100,
        bytes(range(256)) * 20,
    ],
)
def test_what_is_not_erf(other: bytes) -> None:
    assert not looks_like_erf(other, whole=False)
    assert not looks_like_erf(other, whole=True)


def test_other_formats_are_not_erf() -> None:
    made = Pcapng()
    for other in (pcap([Packet()] * 9), snoop([Packet()] * 9), netmon([]), made.section() + made.interface() + made.packet() * 9):
        assert not looks_like_erf(other, whole=True)


def test_a_record_shorter_than_its_header_ends_reading() -> None:
    bad = bytearray(erf_record(DATA))
    bad[10:12] = b"\0\x0f"
    capture = read(erf_record(DATA) * 25 + bytes(bad) + erf_record(DATA))
    assert len(capture.frames) == 25
    assert (capture.kinds, capture.unread) == (["damaged"], 1)


def test_extensions_without_end() -> None:
    capture = read(erf_record(DATA) * 25 + erf_record(b"", kind=1, extensions=bytes([0x83, *range(7)]) * 3))
    assert capture.frames[-1].captured_length == 0
    assert capture.reader.state.problems == []


def test_cut_anywhere() -> None:
    record = erf_record(DATA)
    whole = record * 6
    for size in range(3 * len(record), len(whole) + 1):
        capture = read(whole[:size])
        assert capture.data == [DATA] * (size // len(record))
        assert capture.kinds == ([] if size % len(record) == 0 else ["cut-short"])


def test_erf_inside_pcap() -> None:
    """The record's own header gives interface and time."""
    records = [erf_record(DATA, fraction=1 << 30, flags=flags) for flags in (7, 5, 7)]
    capture = read(pcap([Packet(data=record) for record in records], network=197))
    assert capture.data == [DATA] * 3
    assert [frame.interface_id for frame in capture.frames] == [0, 1, 0]
    assert capture.times == [1_600_000_000 * SECOND + SECOND // 4] * 3


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)
)
def test_what_is_written_is_read(records: list[tuple[bytes, int, int, int]]) -> None:
    content = b"".join(
        erf_record(data, fraction=fraction, flags=port, extensions=bytes([0x83, *bytes(7)]) * (count - 1) + bytes(8) if count else b"")
        for data, fraction, port, count in records
    )
    # A time may begin with the bytes of a magic number, which then decides, as it does in Wireshark.
    assume(not any(content.startswith(format_.magic) for format_ in _formats() if format_.magic))
    capture = read(content, most=100)
    assert capture.data == [record[0] for record in records]
    assert capture.times == [1_600_000_000 * SECOND + (fraction * SECOND + 2**31 >> 32) for _, fraction, *_ in records]
    assert [frame.interface_id for frame in capture.frames] == [
        list(dict.fromkeys(r[2] for r in records)).index(record[2]) for record in records
    ]
