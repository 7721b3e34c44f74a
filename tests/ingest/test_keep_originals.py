"""`ingest --keep-originals`: the capture comes back byte by byte when its file is gone."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from warehouse_rows import captures, packets_by_file
from written_captures import pcap, record

from caphouse.ingest.pipeline import ingest
from caphouse.warehouse import originals
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
