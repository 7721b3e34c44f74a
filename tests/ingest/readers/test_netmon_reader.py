"""Microsoft Network Monitor 1.x and 2.x."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import SECOND, START_NS, NetMonFrame, netmon, read

from caphouse.ingest.formats import netmon as netmon_format
from caphouse.warehouse.errors import UnsupportedFormat

FRAMES = (NetMonFrame(0, b"a" * 60), NetMonFrame(1500, b"b" * 61, 70), NetMonFrame(2_000_000, b"c" * 5))
DATA = [frame.data for frame in FRAMES]


@pytest.mark.parametrize(("version", "unit"), [((1, 1), 1_000_000), ((2, 0), 1000), ((2, 1), 1000), ((2, 2), 1000)])
def test_frames(version: tuple[int, int], unit: int) -> None:
    capture = read(netmon(FRAMES, version=version))
    assert capture.reader.format == f"netmon{version[0]}"
    assert capture.data == DATA
    assert [frame.wire_length for frame in capture.frames] == [60, 70, 5]
    assert capture.times == [START_NS + frame.delta * unit for frame in FRAMES]
    assert {(frame.link_type, frame.interface_id) for frame in capture.frames} == {(1, 0)}
    assert capture.frames[0].record_offset == 128
    assert capture.reader.state.problems == []


def test_times_before_the_start() -> None:
    assert read(netmon([NetMonFrame(-5_000_000)])).times == [START_NS - 5 * SECOND]


def test_from_version_2_3_on_frames_have_a_time_of_their_own() -> None:
    frames = [
        NetMonFrame(filetime=129_000_000_000_000_000),
        NetMonFrame(filetime=129_000_000_000_000_001),
        NetMonFrame(filetime=0),
        NetMonFrame(filetime=2**64 - 1),
    ]
    expected = 1_255_526_400 * SECOND  # 2009-10-14 13:20:00 UTC
    assert read(netmon(frames, version=(2, 3))).times == [expected, expected + 100, None, None]


@pytest.mark.parametrize("start", [(2010, 13, 0, 1, 0, 0, 0, 0), (0,) * 8, (3000, 1, 0, 1, 0, 0, 0, 0), (2010, 2, 0, 1, 24, 0, 0, 0)])
def test_no_time_without_a_date(start: tuple[int, ...]) -> None:
    capture = read(netmon(FRAMES, start=start))
    assert capture.times == [None] * 3
    assert "not a date" in capture.reader.state.problems[0].reason


def test_times_that_cannot_be() -> None:
    assert read(netmon([NetMonFrame(2**62), NetMonFrame(-(2**62)), NetMonFrame(7)])).times == [None, None, START_NS + 7000]


@pytest.mark.parametrize(("media", "link_type"), [(0, 1), (1, 1), (2, 6), (3, 10), (6, -4), (7, 101), (9, 101), (5, -1)])
def test_media_types(media: int, link_type: int) -> None:
    assert {frame.link_type for frame in read(netmon(FRAMES, media=media)).frames} == {link_type}


def test_atm_has_a_header_that_does_not_count() -> None:
    capture = read(netmon(FRAMES, media=4))
    assert capture.data == [data[16:] for data in DATA]
    assert [frame.wire_length for frame in capture.frames] == [44, 54, 0]


def test_media_types_of_each_frame() -> None:
    media = [1, 0xE000 + 113, 2, 0xFFFC, 0xFFFD, 0xFFFE, 1, 0xFFFF, 4]
    capture = read(netmon([NetMonFrame(data=b"%d" % number, media=number) for number in media], version=(2, 1)))
    assert [(int(frame.data), frame.link_type, frame.interface_id) for frame in capture.frames] == [
        (1, 1, 0),
        (0xE000 + 113, 113, 1),
        (2, 6, 2),
        (1, 1, 0),
        (0xFFFF, -1, 3),
        (4, -1, 3),
    ]


def test_frames_are_where_the_table_says() -> None:
    assert read(netmon(FRAMES, table_order=[2, 0, 0, 1], gap=b"gap")).data == [DATA[2], DATA[0], DATA[0], DATA[1]]


@pytest.mark.parametrize("table", [{"table_bytes": 4000}, {"table_offset": 2**32 - 1}, {"table_bytes": 2**31 - 1}])
@pytest.mark.parametrize("version", [(1, 1), (2, 0), (2, 3)])
def test_frames_without_a_table_are_found_by_their_lengths(table: dict[str, int], version: tuple[int, int]) -> None:
    content = netmon(FRAMES, version=version, **table)  # type: ignore[arg-type]
    capture = read(content[: len(content) - 12] if "table_offset" in table else content)
    assert capture.data == DATA
    assert "cut-short" in capture.kinds


def test_a_table_that_is_no_number_of_frames() -> None:
    capture = read(netmon(FRAMES, table_bytes=10))
    assert capture.data == DATA[:2]
    assert capture.kinds == ["damaged"]


def test_frames_outside_the_file() -> None:
    content = bytearray(netmon(FRAMES))
    struct.pack_into("<I", content, len(content) - 8, 10**9)
    capture = read(bytes(content))
    assert capture.data == [DATA[0], DATA[2]]
    assert (capture.kinds, capture.unread) == (["cut-short"], 1)


def test_frames_with_lengths_that_lie() -> None:
    for length, kind in ((200_000, "cut-short"), (2**32 - 1, "damaged")):
        content = bytearray(netmon(FRAMES))
        struct.pack_into("<I", content, 128 + 12, length)
        capture = read(bytes(content))
        assert capture.data == DATA[1:]
        assert (capture.kinds, capture.unread) == ([kind], 1)


def test_refused_versions() -> None:
    for version in ((3, 0), (0, 0)):
        with pytest.raises(UnsupportedFormat, match="version"):
            read(netmon([], version=version))


def test_cut_anywhere() -> None:
    whole = netmon(FRAMES)
    for size in range(4, len(whole)):
        capture = read(whole[:size])
        assert capture.data == DATA[: len(capture.data)]
        assert capture.kinds[:1] == ["cut-short"]
    assert len(read(whole[:-1]).frames) == 3


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netmon_format, "BATCH_PACKETS", 7)
    monkeypatch.setattr(netmon_format, "BATCH_BYTES", 1000)
    frames = [NetMonFrame(number, bytes([number]) * (number * 7 % 300)) for number in range(100)]
    capture = read(netmon(frames))
    assert capture.data == [frame.data for frame in frames]
    assert all(before < after for before, after in pairwise(frame.record_offset for frame in capture.frames))


@settings(deadline=None)
@given(
    st.lists(st.builds(NetMonFrame, st.integers(0, 2**32 - 1), st.binary(max_size=70), st.integers(0, 2**16 - 1)), min_size=1, max_size=12),
    st.sampled_from([(1, 1), (2, 0), (2, 1), (2, 2)]),
)
def test_what_is_written_is_read(frames: list[NetMonFrame], version: tuple[int, int]) -> None:
    unit = 1_000_000 if version[0] == 1 else 1000
    capture = read(netmon(frames, version=version), most=50)
    assert [frame[:4] for frame in capture.frames] == [
        (START_NS + frame.delta * unit, frame.wire, len(frame.data), frame.data) for frame in frames
    ]
