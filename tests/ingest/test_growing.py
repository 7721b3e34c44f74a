"""Files that change while they are read, or between two readings: no packet twice, no wrong number, and a word about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from warehouse_rows import captures, packets_by_file
from written_captures import HEADER, pcap, record

from caphouse.ingest import content
from caphouse.ingest.content import open_content
from caphouse.ingest.pipeline import CaptureResult, ingest
from caphouse.warehouse.store import Warehouse

LARGE = 40_000
"""Packets of a capture of several megabytes, which is read in several windows."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.create(tmp_path / "warehouse")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Gives a function that has something done when the first megabyte of the next capture was read."""

    def arrange(action: Callable[[], object]) -> None:
        take = content.Content._take
        done: list[bool] = []

        def take_and_act(self: content.Content, into: memoryview) -> int:
            count = take(self, into)
            if not done and self._read > content.READ_BYTES // 2:
                done.append(True)
                action()
            return count

        monkeypatch.setattr(content, "READ_BYTES", 1 << 20)
        monkeypatch.setattr(content.Content, "_take", take_and_act)

    return arrange


def read(warehouse: Warehouse, path: Path) -> CaptureResult:
    """Ingest one file."""
    (result,) = ingest(warehouse, [str(path)]).results
    return result


@pytest.mark.parametrize("tail", [b"", record(10)[:5], record(10)[:-1]], ids=["whole records", "a header cut", "a packet cut"])
@pytest.mark.parametrize("status", ["complete", "cut-short"])
def test_what_has_grown_is_replaced(tmp_path: Path, warehouse: Warehouse, tail: bytes, status: str) -> None:
    """Whatever it was taken for when it was read before."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, 10) + tail)
    before = read(warehouse, path)
    assert before.status == ("cut-short" if tail else "complete")
    whole = pcap(0, 30)
    path.write_bytes(whole if status == "complete" else whole + record(30)[:-3])
    assert read(warehouse, path).status == status
    assert packets_by_file(warehouse) == {"x.pcap": 30}
    assert len(warehouse.snapshot().captures) == 1


def test_an_empty_file_that_is_filled(tmp_path: Path, warehouse: Warehouse) -> None:
    path = tmp_path / "x.pcap"
    for data, status in ((b"", "empty"), (HEADER, "complete"), (pcap(0, 10), "complete")):
        path.write_bytes(data)
        assert read(warehouse, path).status == status
        assert len(warehouse.snapshot().captures) == 1
    assert packets_by_file(warehouse) == {"x.pcap": 10}


def test_a_file_that_was_written_anew_is_another_capture(tmp_path: Path, warehouse: Warehouse) -> None:
    """Also when it is longer and begins with the same packet: what was ingested is lost to nobody who did not ask for it."""
    path = tmp_path / "x.pcap"
    contents = [pcap(0, 10), HEADER + record(0) + b"".join(record(number) for number in range(5, 40)), pcap(0, 5), pcap(100, 120)]
    for data in contents:
        path.write_bytes(data)
        assert read(warehouse, path).status == "complete"
    assert packets_by_file(warehouse) == {"x.pcap": 10 + 36 + 5 + 20}


def test_a_copy_that_is_cut_short_is_not_taken_for_growing(tmp_path: Path, warehouse: Warehouse) -> None:
    """It was modified a moment ago, as any file that was just copied."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, 10)[:-1])
    result = read(warehouse, path)
    assert (result.status, result.failed) == ("cut-short", True)


@pytest.mark.parametrize("tail", [b"", record(LARGE)[:-1]], ids=["whole records", "a packet cut"])
def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, warehouse: Warehouse, meanwhile: Callable[[Callable[[], object]], None], tail: bytes
) -> None:
    """What was there when it was opened is in, as growing, which is no failure; the next reading replaces it."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, LARGE) + tail)

    def grow() -> None:
        with path.open("ab") as file:
            file.write(record(LARGE)[len(tail) :])

    meanwhile(grow)
    result = read(warehouse, path)
    assert (result.status, result.packets, result.failed) == ("growing", LARGE, False)
    row = captures(warehouse)["x.pcap"]
    assert (row["status"], row["error"], row["unread_records"], row["file_bytes"]) == ("growing", None, 0, len(pcap(0, LARGE) + tail))
    assert packets_by_file(warehouse) == {"x.pcap": LARGE}
    assert read(warehouse, path).status == "complete"
    assert packets_by_file(warehouse) == {"x.pcap": LARGE + 1}


def test_a_file_that_is_cut_while_it_is_read(
    tmp_path: Path, warehouse: Warehouse, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """What was read before is whole packets of the file, and is kept; the rest is told."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, LARGE))
    left = len(HEADER) + 12_000 * len(record(0)) + 50
    meanwhile(lambda: os.truncate(path, left))
    result = read(warehouse, path)
    assert (result.status, result.packets, result.failed) == ("cut-short", 12_000, True)
    assert packets_by_file(warehouse) == {"x.pcap": 12_000}


def test_a_ring_file_that_is_begun_anew_while_it_is_read(
    tmp_path: Path, warehouse: Warehouse, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """Half of what was read is the old file, half the new one: nothing of it is kept, and it is told. The next reading is right."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, LARGE))
    new = pcap(0, LARGE + 1, host=2, start_ns=1_790_100_000_000_000_000)
    meanwhile(lambda: path.write_bytes(new))
    result = read(warehouse, path)
    assert (result.status, result.capture_id, result.failed) == ("vanished", None, True)
    assert result.message is not None
    assert packets_by_file(warehouse) == {}
    assert read(warehouse, path).packets == LARGE + 1
    assert packets_by_file(warehouse) == {"x.pcap": LARGE + 1}


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced by another"])
def test_a_file_that_goes_while_it_is_read(
    tmp_path: Path, warehouse: Warehouse, meanwhile: Callable[[Callable[[], object]], None], *, replaced: bool
) -> None:
    """What was opened is read to its end: it is whole."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, LARGE))
    other = tmp_path / "other"
    other.write_bytes(pcap(0, 5))
    meanwhile(lambda: other.replace(path) if replaced else path.unlink())
    assert read(warehouse, path).status == "complete"
    assert packets_by_file(warehouse) == {"x.pcap": LARGE}


def test_touching_a_file_is_no_change(tmp_path: Path, warehouse: Warehouse, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(0, LARGE))
    meanwhile(path.touch)
    assert read(warehouse, path).status == "complete"


def test_digests_of_beginnings(tmp_path: Path) -> None:
    """Of any position, in any compression, without another look at the bytes; positions behind the end have none."""
    from blake3 import blake3

    data = os.urandom(3_000_001)
    path = tmp_path / "x"
    path.write_bytes(data)
    marks = [0, 1, 24, 1 << 20, (1 << 20) + 1, 2_999_999, 5_000_000]
    pieces: list[bytes] = []
    with open_content(path, name="x", marks=marks, copy=lambda piece: pieces.append(bytes(piece))) as opened:
        assert opened.digest() == blake3(data).hexdigest()
        assert opened.digests == {mark: blake3(data[:mark]).hexdigest() for mark in marks if mark < len(data)}
    assert b"".join(pieces) == data
