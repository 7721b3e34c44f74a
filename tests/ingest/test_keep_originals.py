"""`ingest --keep-originals`: the capture comes back byte by byte when its file is gone."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from warehouse_rows import captures, packets_by_file
from written_captures import START_NS, pcap, record

from caphouse.ingest.pipeline import ingest
from caphouse.warehouse import originals
from caphouse.warehouse.maintenance import forget, prune, vacuum
from caphouse.warehouse.store import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.create(tmp_path / "warehouse")


def original(warehouse: Warehouse, content: bytes) -> bytes | None:
    """What is kept of some content."""
    found = originals.open_original(warehouse.root, blake3(content).hexdigest())
    if found is None:
        return None
    with found:
        return found.read()


@pytest.mark.parametrize("jobs", [1, 2])
def test_originals_are_kept_whatever_the_files_are_packed_with(tmp_path: Path, warehouse: Warehouse, jobs: int) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    contents = {"plain.pcap": pcap(0, 100), "packed.pcap.gz": pcap(100, 300), "cut.pcap": pcap(300, 400)[:-5]}
    for name, content in contents.items():
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    ingest(warehouse, [str(folder)], keep_originals=True, jobs=jobs)
    for name in contents:
        (folder / name).unlink()
    assert {name: original(warehouse, content) for name, content in contents.items()} == contents
    assert all(originals.is_intact(warehouse.root, row["capture_id"]) for row in captures(warehouse).values())


def test_a_large_capture_read_by_several_threads(tmp_path: Path, warehouse: Warehouse) -> None:
    content = pcap(0, 1) + b"".join(record(number) for number in range(1, 70_000))
    (tmp_path / "large.pcap").write_bytes(content)
    ingest(warehouse, [str(tmp_path / "large.pcap")], keep_originals=True)
    assert packets_by_file(warehouse) == {"large.pcap": 70_000}
    assert original(warehouse, content) == content


def test_standard_input_is_kept(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pcap(0, 100)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    ingest(warehouse, ["-"], keep_originals=True)
    assert original(warehouse, content) == content


def test_nothing_is_kept_without_being_asked_nor_of_what_is_no_capture(tmp_path: Path, warehouse: Warehouse) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    ingest(warehouse, [str(folder)])
    assert list(originals.kept(warehouse.root)) == []
    (folder / "a.pcap").unlink()
    (folder / "notes.txt").write_text("no capture")
    (folder / "empty.pcap").write_bytes(b"")
    for _ in range(2):
        ingest(warehouse, [str(folder)], keep_originals=True)
    assert list(originals.kept(warehouse.root)) == []


def test_the_original_of_a_capture_that_is_there_already(tmp_path: Path, warehouse: Warehouse) -> None:
    """Who asks for originals later gets them, without a second row."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(0, 10))
    ingest(warehouse, [str(path)])
    report = ingest(warehouse, [str(path)], keep_originals=True)
    assert report.results[0].already_present
    assert original(warehouse, pcap(0, 10)) == pcap(0, 10)
    assert packets_by_file(warehouse) == {"a.pcap": 10}


def test_the_original_of_a_grown_file_takes_the_place_of_the_earlier_one(tmp_path: Path, warehouse: Warehouse) -> None:
    path = tmp_path / "a.pcap"
    for last in (10, 20):
        path.write_bytes(pcap(0, last))
        ingest(warehouse, [str(path)], keep_originals=True)
    assert original(warehouse, pcap(0, 10)) is None
    assert original(warehouse, pcap(0, 20)) == pcap(0, 20)


def test_originals_are_no_captures_to_ingest(tmp_path: Path) -> None:
    """A folder that holds captures and the warehouse with their originals."""
    warehouse = Warehouse.create(tmp_path / "warehouse")
    (tmp_path / "a.pcap").write_bytes(pcap(0, 10))
    for _ in range(2):
        report = ingest(warehouse, [str(tmp_path)], keep_originals=True)
        assert [Path(result.source).name for result in report.results] == ["a.pcap"]


@pytest.mark.parametrize("how", ["forget", "prune"])
def test_the_original_goes_with_its_capture(tmp_path: Path, warehouse: Warehouse, how: str) -> None:
    for name, first in (("a.pcap", 0), ("b.pcap", 10)):
        (tmp_path / name).write_bytes(pcap(first, first + 10, start_ns=START_NS + first * 10**15))
    ingest(warehouse, [str(tmp_path / "a.pcap"), str(tmp_path / "b.pcap")], keep_originals=True)
    if how == "forget":
        forget(warehouse, ["a.pcap"])
    else:
        prune(warehouse, START_NS + 10**15)
    assert original(warehouse, pcap(0, 10)) is None
    assert original(warehouse, (tmp_path / "b.pcap").read_bytes()) is not None


def test_pruned_packets_can_still_be_had_from_the_original_unless_it_goes_too(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(0, 10))
    ingest(warehouse, [str(tmp_path / "a.pcap")], keep_originals=True)
    prune(warehouse, 1 << 62, packets_only=True)
    assert original(warehouse, pcap(0, 10)) is not None
    prune(warehouse, 1 << 62, packets_only=True, with_originals=True)
    assert original(warehouse, pcap(0, 10)) is None


def test_vacuum_removes_originals_that_belong_to_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    """An ingest was killed between keeping the original and its commit; a younger one may be running."""
    (tmp_path / "a.pcap").write_bytes(pcap(0, 10))
    ingest(warehouse, [str(tmp_path / "a.pcap")], keep_originals=True)
    left = []
    for content in (b"old", b"young"):
        with originals.OriginalWriter(warehouse.root) as keeper:
            keeper.write(memoryview(content))
            keeper.keep(blake3(content).hexdigest())
        left.append(Path(originals.location(warehouse.root, blake3(content).hexdigest()).path))
    os.utime(left[0], (0, 0))
    assert vacuum(warehouse, dry_run=True).files == [str(left[0])]
    vacuum(warehouse)
    assert [path.exists() for path in left] == [False, True]
    assert original(warehouse, pcap(0, 10)) == pcap(0, 10)
