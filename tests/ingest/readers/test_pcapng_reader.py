"""pcapng: blocks, sections, interfaces, options, damage and what is read behind it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import SECOND, Pcapng, read

from caphouse.ingest.formats import pcapng, pcapng_resume
from caphouse.warehouse.errors import UnsupportedFormat

LE, BE = Pcapng("<"), Pcapng(">")
HEAD = LE.section() + LE.interface()
T0 = 1_600_000_000_000_000


@pytest.mark.parametrize("made", [LE, BE])
def test_all_kinds_of_packets(made: Pcapng) -> None:
    capture = read(
        made.section()
        + made.interface(1, 0)
        + made.interface(113, 0)
        + made.packet(b"enhanced", interface=1, counts=T0 + 1, wire=100)
        + made.obsolete_packet(b"obsolete!", interface=1, counts=T0 + 2, drops=7)
        + made.simple_packet(b"simple")
        + made.packet(b"", counts=T0 + 3)
    )
    assert capture.reader.format == "pcapng"
    assert capture.data == [b"enhanced", b"obsolete!", b"simple", b""]
    assert capture.times == [T0 * 1000 + 1000, T0 * 1000 + 2000, None, T0 * 1000 + 3000]
    assert [frame.wire_length for frame in capture.frames] == [100, 9, 6, 0]
    assert [frame.interface_id for frame in capture.frames] == [1, 1, 0, 0]
    assert [frame.link_type for frame in capture.frames] == [113, 113, 1, 1]
    assert capture.reader.state.problems == []


def test_a_hundred_thousand_interfaces_with_snapshot_lengths_of_four_gigabytes() -> None:
    count = 100_000
    capture = read(
        LE.section() + LE.interface(1, 0xFFFFFFFF) * count + LE.packet(b"last", interface=count - 1) + LE.simple_packet(b"first")
    )
    assert len(capture.reader.state.interfaces) == count
    assert [(frame.data, frame.interface_id) for frame in capture.frames] == [(b"last", count - 1), (b"first", 0)]
    assert capture.reader.state.problems == []


def test_simple_packets_are_cut_at_the_snapshot_length() -> None:
    capture = read(LE.section() + LE.interface(1, 8) + LE.simple_packet(b"12345678", wire=100) + LE.simple_packet(b"1234"))
    assert [(frame.data, frame.wire_length) for frame in capture.frames] == [(b"12345678", 100), (b"1234", 4)]


def test_sections_in_either_byte_order_have_their_own_interfaces() -> None:
    capture = read(
        LE.section()
        + LE.interface(1)
        + LE.packet(b"first")
        + BE.section()
        + BE.interface(0)
        + BE.interface(101, 0, (9, b"\x09"))
        + BE.packet(b"second", interface=1, counts=5)
        + BE.section()
        + BE.interface(113)
        + BE.packet(b"third")
        + LE.section()
        + LE.interface(147)
        + LE.packet(b"fourth")
    )
    assert capture.data == [b"first", b"second", b"third", b"fourth"]
    assert [frame.interface_id for frame in capture.frames] == [0, 2, 3, 4]
    assert [frame.link_type for frame in capture.frames] == [1, 101, 113, 147]
    assert capture.times[1] == 5
    assert [interface.link_type for interface in capture.reader.state.interfaces] == [1, 0, 101, 113, 147]


def test_interfaces_may_be_described_between_packets() -> None:
    capture = read(HEAD + LE.packet(b"one") + LE.interface(113) + LE.packet(b"two", interface=1) + LE.packet(b"three"))
    assert [(frame.data, frame.link_type) for frame in capture.frames] == [(b"one", 1), (b"two", 113), (b"three", 1)]


def test_what_the_file_says_about_itself() -> None:
    capture = read(
        BE.section((1, b"a comment"), (2, b"hardware\0"), (3, b"an OS"), (4, "Ünicode".encode()), (99, b"unknown"))
        + BE.interface(1, 96, (2, b"eth0"), (3, b"uplink"), (9, b"\x83"), (11, b"\0tcp port 80"), (12, b"other"))
        + BE.interface(1, 0, (11, b"\1\0\0\0\0\0\0\0\0"), (2, b"\xff\xfe"))
        + BE.packet()
        + BE.statistics(0, (4, BE.count(1000)), (5, BE.count(3)), (7, BE.count(4)))
        + BE.statistics(1, (4, BE.count(1)))
        + BE.statistics(0, (4, BE.count(2000)), (5, BE.count(2**40)), (7, BE.count(9)))
        + BE.statistics(7, (5, BE.count(1)))
    )
    info, (first, second) = capture.reader.state.info, capture.reader.state.interfaces
    assert (info.comment, info.hardware, info.operating_system, info.capture_application) == ("a comment", "hardware", "an OS", "Ünicode")
    assert (first.name, first.description, first.capture_filter) == ("eth0", "uplink", "tcp port 80")
    assert (first.snap_length, first.ts_resolution_ns, first.received_packets, first.dropped_packets) == (96, 1e9 / 8, 2000, 2**40 + 9)
    assert (second.capture_filter, second.received_packets, second.dropped_packets) == (None, 1, None)
    assert second.name == "\ufffd\ufffd"
    assert second.ts_resolution_ns == 1000


def test_statistics_may_be_of_interfaces_of_later_sections() -> None:
    section = LE.section() + LE.interface() + LE.packet()
    capture = read(section + section + LE.statistics(0, (5, LE.count(5))))
    assert [interface.dropped_packets for interface in capture.reader.state.interfaces] == [None, 5]


def test_unknown_blocks_and_options_of_packets_are_skipped() -> None:
    capture = read(
        HEAD
        + LE.block(4, bytes(40))
        + LE.block(0x0A0A, b"xyz")
        + LE.packet(b"data", options=[(1, b"comment"), (2, bytes(4))])
        + LE.block(10, b"key")
    )
    assert capture.data == [b"data"]
    assert capture.reader.state.problems == []


def test_blocks_that_wireshark_counts_as_frames() -> None:
    event = struct.pack("<HQQIH", 3, 1_600_000_000_123_456_789, 77, 30, 5) + b"args"
    capture = read(
        HEAD
        + LE.block(0x0BAD, struct.pack("<I", 32473) + b"hello")
        + LE.block(0x40000BAD, struct.pack("<I", 32473))
        + LE.block(9, b"MESSAGE=x\n__REALTIME_TIMESTAMP=1600000000123456\nPRIORITY=6\n")
        + LE.block(9, b"MESSAGE=without a time, but with a length\n")
        + LE.block(0x204, event)
        + LE.block(0x0BAD, struct.pack("<II", 10949, 2) + b"1234")
        + LE.block(0x0BAD, struct.pack("<II", 10949, 99))
        + LE.packet(b"packet")
    )
    custom, empty, journal, timeless, sysdig, skip, packet = capture.frames
    assert (custom.ts_ns, custom.wire_length, custom.captured_length, custom.interface_id, custom.link_type) == (None, 8, 8, -1, -1)
    assert (empty.captured_length, empty.link_type) == (0, -1)
    assert (journal.ts_ns, journal.data[-11:], journal.link_type) == (1_600_000_000_123_456_000, b"PRIORITY=6\n", -2)
    assert (timeless.ts_ns, timeless.captured_length) == (None, 42)
    assert (sysdig.ts_ns, sysdig.data, sysdig.wire_length, sysdig.link_type) == (1_600_000_000_123_456_789, b"args", 30, -3)
    assert (skip.captured_length, skip.link_type) == (0, -1)
    assert packet.data == b"packet"


def test_record_offsets() -> None:
    capture = read(HEAD + LE.packet(b"1234") + LE.simple_packet(b"x"))
    assert [frame.record_offset for frame in capture.frames] == [48, 48 + 36]


def test_lengths_that_leave_the_padding_out() -> None:
    body = struct.pack("<5I", 0, 0, 1, 21, 21) + b"q" * 24
    capture = read(HEAD + LE.block(6, body, total=12 + 20 + 21) + LE.packet(b"next"))
    assert [len(data) for data in capture.data] == [21, 4]


@pytest.mark.parametrize("magic", [b"\n\r\r\n\x1c\0\0\0abcd" + bytes(16)])
def test_refused_without_a_byte_order(magic: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="byte-order"):
        read(magic)


def test_refused_version() -> None:
    with pytest.raises(UnsupportedFormat, match="version 2"):
        read(LE.section(version=(2, 0)))
    assert len(read(LE.section(version=(1, 2)) + LE.interface() + LE.packet()).frames) == 1


def test_without_packets() -> None:
    assert read(LE.section()).frames == []
    assert read(HEAD).reader.state.interfaces[0].link_type == 1
    assert read(LE.section() + bytes(0)).kinds == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (LE.packet(interface=3), "not described"),
        (LE.packet(captured=21), "longer than its block"),
        (LE.packet(captured=2**32 - 1), "longer than its block"),
        (LE.block(6, bytes(16)), "longer than its block"),
        (LE.simple_packet(b"12345678", wire=100), "longer than its block"),
        (LE.packet(bytes(262_145)), "longer than is possible"),
    ],
)
def test_packets_that_cannot_be_read_are_counted_and_left_out(bad: bytes, reason: str) -> None:
    capture = read(HEAD + LE.packet(b"before") + bad + LE.packet(b"after"))
    assert capture.data == [b"before", b"after"]
    (problem,) = capture.reader.state.problems
    assert problem.offset == len(HEAD + LE.packet(b"before"))
    assert reason in problem.reason
    assert (problem.kind, problem.unread_records) == ("damaged", 1)


def test_packets_before_their_interface() -> None:
    capture = read(LE.section() + LE.packet(b"lost") + LE.simple_packet(b"lost") + LE.interface() + LE.packet(b"found"))
    assert capture.data == [b"found"]
    assert capture.unread == 2


GARBAGE = [
    bytes(16),
    b"\xaa" * 16,
    b"\xaa" * 5,
    b"x",
    LE.packet(b"bad")[:-4] + b"\0\0\0\0",
    struct.pack("<III", 6, 8, 8),
    struct.pack("<II", 6, 2**32 - 1),
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_reading_goes_on_behind_garbage(garbage: bytes) -> None:
    before, after = HEAD + LE.packet(b"before"), b"".join(LE.packet(b"after%d" % number) for number in range(4))
    capture = read(before + garbage + after)
    assert capture.data == [b"before", b"after0", b"after1", b"after2", b"after3"]
    (problem,) = capture.reader.state.problems
    assert (problem.offset, problem.kind) == (len(before), "damaged")


@pytest.mark.parametrize("garbage", [*GARBAGE, LE.section(version=(3, 0)), b"\n\r\r\n\x1c\0\0\0abcd" + bytes(12) + b"\x1c\0\0\0"])
def test_reading_goes_on_at_the_next_section(garbage: bytes) -> None:
    before = HEAD + LE.packet(b"before")
    capture = read(before + garbage + BE.section() + BE.interface(113) + BE.packet(b"after"))
    assert [(frame.data, frame.link_type) for frame in capture.frames] == [(b"before", 1), (b"after", 113)]
    assert [problem.offset for problem in capture.reader.state.problems] == [len(before)]


def test_blocks_behind_damage_are_not_trusted_before_the_first_packet() -> None:
    """An interface description may be among what was lost."""
    packets = b"".join(LE.packet(b"doubtful") for _ in range(4))
    capture = read(HEAD + b"garbage!" + packets + LE.section() + LE.interface() + LE.packet(b"sure"))
    assert capture.data == [b"sure"]
    assert capture.kinds == ["damaged"]


def test_interfaces_described_behind_damage_are_not_trusted() -> None:
    packets = b"".join(LE.packet(b"old") for _ in range(3))
    capture = read(
        HEAD
        + LE.packet(b"old")
        + b"garbage!"
        + packets
        + LE.interface(113)
        + LE.packet(b"new", interface=1)
        + LE.section()
        + LE.interface(101)
        + LE.packet(b"sure")
    )
    assert capture.data == [b"old"] * 4 + [b"sure"]
    assert capture.frames[-1].link_type == 101
    assert capture.unread == 1


def test_a_capture_inside_a_packet_is_not_read_as_packets() -> None:
    """Behind damage the search comes across what packets carry: too little of a capture to go on with."""
    inner = LE.packet(b"inner") + LE.packet(b"inner")
    bad = LE.packet(b"\1" * 100 + inner + b"\1" * 100, options=[(1, b"comment")])[:-4] + b"oops"
    capture = read(HEAD + LE.packet(b"before") + bad + b"".join(LE.packet(b"after") for _ in range(3)))
    assert capture.data == [b"before"] + [b"after"] * 3


def test_the_search_goes_on_in_the_next_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "BATCH_BYTES", 4096)
    monkeypatch.setattr(pcapng_resume, "LARGEST_BLOCK_BYTES", 512)
    monkeypatch.setattr(pcapng_resume, "SEARCHED_AGAIN_BYTES", 2048)
    for size in (1, 3000, 4096, 50_001):
        capture = read(HEAD + LE.packet(b"before") + b"\xee" * size + b"".join(LE.packet(b"after") for _ in range(3)))
        assert capture.data == [b"before"] + [b"after"] * 3
    assert read(HEAD + LE.packet(b"before") + b"\xee" * 50_000).data == [b"before"]


def test_damage_without_end_ends_reading() -> None:
    spoiled = (LE.packet(b"x") * 4 + b"\xee") * 1200
    capture = read(HEAD + spoiled)
    assert len(capture.reader.state.problems) == pcapng.MOST_PROBLEMS + 1
    assert len(capture.frames) == 4 * pcapng.MOST_PROBLEMS
    assert "too much damage" in capture.reader.state.problems[-1].reason


def test_a_hundred_thousand_interfaces() -> None:
    count = 100_000
    capture = read(LE.section() + b"".join(LE.interface(number % 300) for number in range(count)) + LE.packet(b"last", interface=count - 1))
    assert len(capture.reader.state.interfaces) == count
    assert capture.frames[0].link_type == (count - 1) % 300


def test_an_interface_description_that_is_too_short_says_no_link_type() -> None:
    capture = read(LE.section() + LE.block(1, b"\1\0\0\0") + LE.packet())
    assert capture.frames[0].link_type == -1
    assert capture.kinds == ["damaged"]


def test_options_that_do_not_fit_end_the_options() -> None:
    body = struct.pack("<HHI", 1, 0, 0) + struct.pack("<HH", 2, 3) + b"eth\0" + struct.pack("<HH", 3, 1000) + b"ab\0\0"
    capture = read(LE.section() + LE.block(1, body) + LE.packet())
    assert capture.reader.state.interfaces[0].name == "eth"
    assert capture.reader.state.interfaces[0].description is None
    assert len(capture.frames) == 1


def test_cut_anywhere() -> None:
    blocks = [
        LE.section((1, b"comment")),
        LE.interface(),
        LE.packet(b"12345"),
        LE.obsolete_packet(b"678", drops=1),
        LE.statistics(0),
        BE.section(),
        BE.interface(101),
        BE.packet(b"90"),
        BE.simple_packet(b"abc"),
    ]
    whole = b"".join(blocks)
    frames = read(whole).frames
    ends = [len(b"".join(blocks[:number])) for number in range(1, len(blocks) + 1)]
    frame_ends = [ends[number] for number in (2, 3, 7, 8)]
    for size in range(12, len(whole) + 1):
        capture = read(whole[:size])
        assert capture.frames == frames[: sum(end <= size for end in frame_ends)]
        assert capture.kinds == ([] if size in ends else ["cut-short"])


ALL_BYTES = st.binary(max_size=40)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([LE, BE]),
            st.lists(st.tuples(st.sampled_from([0, 1, 113]), st.sampled_from([0, 3, 6, 9, 0x80 | 20])), min_size=1, max_size=4),
            st.lists(
                st.tuples(
                    st.integers(0, 9), st.integers(0, 2**61), ALL_BYTES, st.sampled_from(["enhanced", "obsolete", "simple", "other"])
                ),
                max_size=8,
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 200),
)
def test_what_is_written_is_read(
    sections: list[tuple[Pcapng, list[tuple[int, int]], list[tuple[int, int, bytes, str]]]], most: int
) -> None:
    content = b""
    expected = []
    before = 0
    for made, interfaces, packets in sections:
        content += made.section() + b"".join(made.interface(link, 0, (9, bytes([unit]))) for link, unit in interfaces)
        for number, counts, data, kind in packets:
            interface = number % len(interfaces)
            unit = interfaces[interface][1]
            exact = counts * SECOND // 2 ** (unit & 0x7F) if unit & 0x80 else counts * SECOND // 10**unit
            time: int | None = exact if exact < (2**63 // SECOND) * SECOND else None
            if kind == "enhanced":
                content += made.packet(data, interface=interface, counts=counts)
            elif kind == "obsolete":
                content += made.obsolete_packet(data, interface=interface, counts=counts)
            elif kind == "simple":
                content += made.simple_packet(data)
                interface, time = 0, None
            else:
                content += made.block(4, data)
                continue
            expected.append((time, len(data), len(data), data, before + interface, interfaces[interface][0]))
        before += len(interfaces)
    assert [frame[:6] for frame in read(content, most=most).frames] == expected


def test_scapy_writes_what_is_read(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapNgWriter

    path = tmp_path / "scapy.pcapng"
    made = [Ether() / IP(dst="192.0.2.1") / UDP() / bytes(number) for number in range(20)]
    with PcapNgWriter(str(path)) as writer:
        for number, packet in enumerate(made):
            packet.time = 1_600_000_000 + number / 4
            writer.write(packet)
    capture = read(path)
    assert capture.data == [bytes(packet) for packet in made]
    assert capture.times == [1_600_000_000 * SECOND + number * SECOND // 4 for number in range(20)]
