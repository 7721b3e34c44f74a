"""Headers that are brought together are the bytes that lie in the buffer."""

from __future__ import annotations

import numpy as np
import pytest

from caphouse.ingest.formats.gather import HEAD_BYTES, Heads, gather

BUFFER = np.frombuffer(np.random.default_rng(7).bytes(5000), dtype=np.uint8)
STARTS = np.array([3, 700, 704, 2001, 4000])
PACKET_AT = 16
WORD = np.dtype(">u4")
RECORD = np.dtype([("first", "<u4"), ("second", ">u4"), ("rest", "u1", 3)])


def _word(at: int) -> int:
    return int.from_bytes(BUFFER[at : at + 4].tobytes(), "big")


@pytest.fixture(name="heads")
def heads_fixture() -> Heads:
    return Heads.of_records(BUFFER, STARTS, PACKET_AT)


def test_gather_reads_unaligned_records_in_any_order_and_up_to_the_last_byte() -> None:
    places = [4996, 0, 17, 17]
    assert gather(BUFFER, np.array(places), WORD).tolist() == [_word(place) for place in places]


def test_gather_of_nothing_from_a_buffer_that_is_too_small_is_nothing() -> None:
    assert not len(gather(BUFFER[:2], np.array([], dtype=np.int64), WORD))


def test_gather_beyond_the_buffer_is_refused() -> None:
    with pytest.raises(IndexError):
        gather(BUFFER, np.array([4997]), WORD)


def test_record_headers_are_what_the_records_begin_with(heads: Heads) -> None:
    found = heads.record_headers(RECORD)
    for start, row in zip(STARTS.tolist(), found, strict=True):
        assert row.tobytes() == BUFFER[start : start + 11].tobytes()
    assert found["second"].tolist() == [_word(start + 4) for start in STARTS.tolist()]


@pytest.mark.parametrize("rows", [None, [0, 1, 2, 3, 4], [1, 4], [3]], ids=str)
@pytest.mark.parametrize("at", [[14] * 5, [0, 14, 40, 92, 1], [-PACKET_AT, 3, -1, HEAD_BYTES - 4, 0]], ids=str)
def test_headers_are_those_of_the_packets(heads: Heads, rows: list[int] | None, at: list[int]) -> None:
    chosen = list(range(5)) if rows is None else rows
    places = [at[row] for row in chosen]
    found = heads.headers(None if rows is None else np.array(rows), np.array(places), WORD)
    assert found is not None
    assert found.tolist() == [_word(int(STARTS[row]) + PACKET_AT + place) for row, place in zip(chosen, places, strict=True)]


@pytest.mark.parametrize("at", [[0, HEAD_BYTES - 3, 0, 0, 0], [HEAD_BYTES - 3] * 5, [-PACKET_AT - 1, 0, 0, 0, 0], [4000] * 5], ids=str)
def test_headers_that_are_not_all_among_the_first_bytes_are_left_to_the_buffer(heads: Heads, at: list[int]) -> None:
    assert heads.headers(None, np.array(at), WORD) is None


def test_headers_of_no_packets_are_none(heads: Heads) -> None:
    nothing = np.array([], dtype=np.int64)
    found = heads.headers(nothing, nothing, WORD)
    assert found is not None
    assert not len(found)


def test_headers_do_not_keep_the_first_bytes_of_all_packets_in_memory(heads: Heads) -> None:
    found = heads.headers(None, np.full(5, 14), WORD)
    assert found is not None
    assert found.base is None or found.base.nbytes == 5 * WORD.itemsize
