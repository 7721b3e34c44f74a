"""Records found in lanes are the same as those found one by one."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caphouse.ingest.formats import pcap, pcapng, records, snoop
from caphouse.ingest.formats.base import PADDING_BYTES
from caphouse.ingest.formats.records import Layout, walk, walk_plainly


def pcap_layout(order: str, unit_ns: int = 1000) -> Layout:
    return Layout(order + "I", 8, 16, 16, 16 + 262_144, guess=lambda record: pcap._like(record, order=order, unit_ns=unit_ns))


def pcapng_layout(order: str) -> Layout:
    return Layout(order + "I", 4, 0, 12, 1 << 27, align=4, guess=lambda block: pcapng._like(block, order=order))


def pcap_record(rng: np.random.Generator, number: int, order: str, payload: bytes) -> bytes:
    return struct.pack(order + "IIII", 1_600_000_000 + number // 50, int(rng.integers(10**6)), len(payload), len(payload)) + payload


def pcapng_block(rng: np.random.Generator, number: int, order: str, payload: bytes) -> bytes:
    body = struct.pack(order + "5I", 0, number, int(rng.integers(2**32)), len(payload), len(payload)) + payload + bytes(-len(payload) % 4)
    return struct.pack(order + "II", 6, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def snoop_record(rng: np.random.Generator, number: int, _order: str, payload: bytes) -> bytes:
    head = struct.pack(">6I", len(payload), len(payload), 24 + len(payload), 0, 1_600_000_000 + number // 50, int(rng.integers(10**6)))
    return head + payload


KINDS = {
    "pcap <": (pcap_layout("<"), pcap_record, "<"),
    "pcap >": (pcap_layout(">"), pcap_record, ">"),
    "pcapng <": (pcapng_layout("<"), pcapng_block, "<"),
    "pcapng >": (pcapng_layout(">"), pcapng_block, ">"),
    "snoop": (snoop._LAYOUT, snoop_record, ">"),
}


@pytest.fixture(autouse=True)
def short_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small window has many."""
    monkeypatch.setattr(records, "LANE_BYTES", 1 << 10)
    monkeypatch.setattr(records, "GUESS_BYTES", 1 << 10)


def window(content: bytes | bytearray) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(bytes(content) + bytes(PADDING_BYTES), dtype=np.uint8)


def same_as_plain(content: bytes | bytearray, layout: Layout) -> None:
    found, plain = walk(window(content), 0, len(content), layout), walk_plainly(window(content), 0, len(content), layout)
    assert found.starts.tolist() == plain.starts.tolist()
    assert (found.stop, found.missing, found.damage) == (plain.stop, plain.missing, plain.damage)


def made(kind: str, seed: int, size: int, longest: int) -> bytearray:
    _layout, record, order = KINDS[kind]
    rng = np.random.default_rng(seed)
    content = bytearray()
    while len(content) < size:
        content += record(rng, len(content) // 100, order, rng.bytes(int(rng.integers(longest))))
    return content


@pytest.mark.parametrize("kind", KINDS)
def test_lanes_are_used_and_exact(kind: str) -> None:
    content = made(kind, 1, 100_000, 300)
    layout = KINDS[kind][0]
    lanes = records._lane_starts(window(content), 0, len(content), layout)
    assert len(lanes) > 80
    assert set(lanes) <= set(walk_plainly(window(content), 0, len(content), layout).starts.tolist())
    same_as_plain(content, layout)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(KINDS)),
    st.integers(0, 1000),
    st.sampled_from([20, 300, 2000]),
    st.lists(st.tuples(st.integers(0, 39_999), st.binary(min_size=1, max_size=8)), max_size=5),
    st.integers(0, 200),
)
def test_exact_in_spite_of_damage(kind: str, seed: int, longest: int, damage: list[tuple[int, bytes]], cut: int) -> None:
    content = made(kind, seed, 40_000, longest)
    for position, spoiled in damage:
        content[position : position + len(spoiled)] = spoiled
    layout = KINDS[kind][0]
    content = content[: len(content) - cut]
    if layout.base:
        same_as_plain(content, layout)
        return
    # Lengths below the least are told by who looks at the records' heads: see `Walk.cut`.
    found, plain = (function(window(content), 0, len(content), layout) for function in (walk, walk_plainly))
    assert found.starts.tolist()[: len(plain.starts)] == plain.starts.tolist()
    stated = records.lengths_in(window(content), layout)[found.starts].astype(np.int64)
    kept = found.cut((stated + layout.align - 1 & -layout.align) != found.sizes, "bad")
    assert kept.starts.tolist() == plain.starts.tolist()
    assert kept.stop == plain.stop


@pytest.mark.parametrize("kind", KINDS)
def test_records_in_records_do_not_mislead(kind: str) -> None:
    """What lanes guess may be records inside packets, as when a capture is sent over the network."""
    _layout, record, order = KINDS[kind]
    rng = np.random.default_rng(2)
    inner = b"".join(record(rng, 0, order, rng.bytes(40)) for _ in range(30))
    content = bytearray()
    for number in range(40):
        content += record(rng, 0, order, rng.bytes(number) + inner)
    same_as_plain(content, KINDS[kind][0])


def test_a_record_over_many_lanes() -> None:
    rng = np.random.default_rng(3)
    content = made("pcap <", 3, 20_000, 100) + pcap_record(rng, 200, "<", rng.bytes(50_000)) + made("pcap <", 4, 20_000, 100)
    same_as_plain(content, pcap_layout("<"))


@pytest.mark.parametrize("kind", KINDS)
def test_zeros(kind: str) -> None:
    layout = KINDS[kind][0]
    content = made(kind, 5, 20_000, 200) + bytes(20_000)
    found, plain = (function(window(content), 0, len(content), layout) for function in (walk, walk_plainly))
    assert found.starts.tolist()[: len(plain.starts)] == plain.starts.tolist()


def test_either_of_two_numbers() -> None:
    content = b"".join(struct.pack("<IIII", 1, 2, *lengths) + bytes(5) for lengths in [(5, 9), (9, 5), (5, 5)])
    layout = Layout("<I", 8, 16, 16, 1000, or_length_at=12)
    assert walk(window(content), 0, len(content), layout).starts.tolist() == [0, 21, 42]


def test_nothing() -> None:
    assert walk(window(b""), 0, 0, pcap_layout("<")).starts.tolist() == []
    assert walk(window(bytes(9)), 0, 9, pcap_layout("<")).missing == 16
