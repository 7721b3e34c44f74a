"""From files to rows: what is kept, what is told, and what is counted once."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
import warehouse_rows
import written_captures

from caphouse.ingest.columns import Columns
from caphouse.ingest.decode import Decoder
from caphouse.ingest.formats.base import PacketBatch
from caphouse.ingest.pipeline import IngestReport, ingest
from caphouse.warehouse import due
from caphouse.warehouse.errors import WarehouseError
from caphouse.warehouse.store import Warehouse

scapy = pytest.importorskip("scapy.all")


def make_capture(path: Path, seed: int, packets: int = 30) -> Path:
    """A small pcap of UDP packets, different for every seed."""
    source = random.Random(seed)
    made = []
    for number in range(packets):
        packet = (
            scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / scapy.IP(src=f"10.0.{seed % 250}.{source.randrange(1, 250)}", dst="10.9.9.9")
            / scapy.UDP(sport=source.randrange(1024, 65535), dport=5000)
            / bytes(source.randrange(1, 100))
        )
        packet.time = 1_790_000_000 + seed * 86_400 + number
        made.append(packet)
    scapy.wrpcap(str(path), made)
    return path


def count(warehouse: Warehouse, table: str) -> int:
    """Rows of a table that count."""
    snapshot = warehouse.snapshot()
    uris = snapshot.uris(table)
    if not uris:
        return 0
    captures = snapshot.captures
    with duckdb.connect() as connection:
        connection.register("live", captures)
        row = connection.execute(f"select count(*) from read_parquet({uris!r}) t join live using (ingest_id)").fetchone()
    assert row is not None
    return int(row[0])


def captures(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of `captures`."""
    rows: list[dict[str, Any]] = warehouse.snapshot().captures.to_pylist()
    return rows


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.create(tmp_path / "warehouse")


def by_name(report: IngestReport) -> dict[str, str]:
    """Status of each file."""
    return {Path(result.source).name: result.status for result in report.results}


def test_bad_files_are_told_and_recorded_and_stop_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    """Empty, cut, text and random files each have a message and a row; the good ones are in."""
    folder = tmp_path / "in"
    folder.mkdir()
    good = make_capture(folder / "good.cap", 1)
    (folder / "cut.cap").write_bytes(make_capture(tmp_path / "whole.cap", 2).read_bytes()[:-7])
    (folder / "empty.cap").write_bytes(b"")
    (folder / "text.cap").write_text("This is not a capture.\n" * 20)
    (folder / "random.cap").write_bytes(random.Random(3).randbytes(5000))
    report = ingest(warehouse, [str(folder)])
    assert by_name(report) == {
        "good.cap": "complete", "cut.cap": "cut-short", "empty.cap": "empty", "text.cap": "unsupported", "random.cap": "unsupported",
    }  # fmt: skip
    assert {Path(result.source).name for result in report.failed} == {"cut.cap", "empty.cap", "text.cap", "random.cap"}
    assert all(result.message for result in report.failed)
    rows = {row["file_name"]: row for row in captures(warehouse)}
    assert len(rows) == 5
    assert rows["good.cap"]["packets"] == 30
    assert rows["good.cap"]["error"] is None
    assert rows["cut.cap"]["packets"] == 29
    assert rows["cut.cap"]["unread_records"] == 1
    assert sum(count for _, count in rows["cut.cap"]["unread_reasons"]) == 1
    assert rows["cut.cap"]["error_offset"] is not None
    assert all(rows[name]["packets"] == 0 and rows[name]["error"] for name in ("empty.cap", "text.cap", "random.cap"))
    assert count(warehouse, "packets") == 59
    assert good.stat().st_size == rows["good.cap"]["file_bytes"]


def test_the_same_capture_counts_once_whatever_its_name_or_compression(tmp_path: Path, warehouse: Warehouse) -> None:
    """A second run, a copy under another name and a gzip of it add nothing."""
    first = make_capture(tmp_path / "a.pcap", 1)
    assert ingest(warehouse, [str(first)]).packets == 30
    again = ingest(warehouse, [str(first)])
    assert again.packets == 0
    assert again.results[0].already_present
    copy = tmp_path / "b.cap"
    copy.write_bytes(first.read_bytes())
    packed = tmp_path / "c.cap.gz"
    packed.write_bytes(gzip.compress(first.read_bytes()))
    report = ingest(warehouse, [str(copy), str(packed)])
    assert [result.already_present for result in report.results] == [True, True]
    assert not report.failed
    assert len(captures(warehouse)) == 1
    assert count(warehouse, "packets") == 30
    assert count(warehouse, "flows") > 0


def test_copies_within_one_run_count_once(tmp_path: Path, warehouse: Warehouse) -> None:
    """Of two equal files in one folder the second is recognised, in one chunk or in several."""
    first = make_capture(tmp_path / "a.pcap", 1)
    (tmp_path / "b.pcap").write_bytes(first.read_bytes())
    report = ingest(warehouse, [str(tmp_path / "*.pcap")], jobs=2)
    assert sorted(result.already_present for result in report.results) == [False, True]
    assert count(warehouse, "packets") == 30


def test_several_processes_give_the_same_rows(tmp_path: Path, warehouse: Warehouse) -> None:
    """--jobs changes nothing but the time."""
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(8):
        make_capture(folder / f"{seed}.pcap", seed, packets=10 + seed)
    report = ingest(warehouse, [str(folder)], jobs=2)
    assert report.packets == sum(10 + seed for seed in range(8))
    assert count(warehouse, "packets") == report.packets
    assert {row["date"].isoformat() for row in captures(warehouse)} == {f"2026-09-{21 + seed:02}" for seed in range(8)}


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, warehouse: Warehouse) -> None:
    """A dangling link is a result with a message, and the rest goes in."""
    (tmp_path / "gone.pcap").symlink_to(tmp_path / "nowhere")
    make_capture(tmp_path / "good.pcap", 1)
    report = ingest(warehouse, [str(tmp_path / "gone.pcap"), str(tmp_path / "good.pcap")])
    assert [Path(result.source).name for result in report.failed] == ["gone.pcap"]
    assert count(warehouse, "packets") == 30


def test_a_defect_costs_one_capture(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the decoder itself fails, the capture has a row that says so, and the others are in."""
    make_capture(tmp_path / "a.pcap", 1, packets=10)
    make_capture(tmp_path / "b.pcap", 2, packets=20)
    decode = Decoder.decode

    def fail_on_twenty(self: Decoder, batch: PacketBatch) -> Columns:
        if len(batch) == 20:
            raise IndexError("no such thing")
        return decode(self, batch)

    monkeypatch.setattr(Decoder, "decode", fail_on_twenty)
    report = ingest(warehouse, [str(tmp_path / "*.pcap")])
    assert by_name(report) == {"a.pcap": "complete", "b.pcap": "damaged"}
    rows = {row["file_name"]: row for row in captures(warehouse)}
    assert "no such thing" in rows["b.pcap"]["error"]
    assert rows["b.pcap"]["packets"] == 0
    assert count(warehouse, "packets") == 10


def test_many_small_files_are_compacted_by_the_ingest_that_leaves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "DUE_FILES", 10)
    warehouse = Warehouse.create(tmp_path / "warehouse")
    reports = []
    for number in range(4):
        path = tmp_path / f"{number}.pcap"
        path.write_bytes(written_captures.pcap(10 * number, 10 * number + 10))
        reports.append(ingest(warehouse, [str(path)]))
    compacted = [bool(report.compacted) for report in reports]
    assert compacted == [False, False, True, False]
    assert due.small_files(warehouse.snapshot()) < 10
    assert warehouse_rows.packets_by_file(warehouse) == {f"{number}.pcap": 10 for number in range(4)}
    assert not ingest(warehouse, [str(tmp_path / "0.pcap")]).compacted


def test_a_compaction_that_fails_costs_no_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise WarehouseError("the disk is full")

    monkeypatch.setattr(due, "is_due", fail)
    (tmp_path / "a.pcap").write_bytes(written_captures.pcap(0, 10))
    report = ingest(Warehouse.create(tmp_path / "warehouse"), [str(tmp_path / "a.pcap")])
    assert (report.packets, report.failed, report.trouble) == (10, [], "the disk is full")
