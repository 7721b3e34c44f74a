"""Reading captures again: the new rows take the place of the old ones at once, and what cannot be read again stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from warehouse_rows import captures, packets_by_file
from written_captures import pcap

from caphouse.ingest import capture, pipeline, reingest
from caphouse.ingest.pipeline import ingest
from caphouse.queries.engine import Session
from caphouse.warehouse import originals
from caphouse.warehouse.errors import UsageError
from caphouse.warehouse.maintenance import prune
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.verification import verify


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse with two captures, of 10 and 20 packets, that a person has said something about."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    (folder / "b.pcap").write_bytes(pcap(10, 30))
    warehouse = Warehouse.create(tmp_path / "warehouse")
    ingest(warehouse, [str(folder)], host="web-01", tags={"site": "north"})
    return warehouse


def again(warehouse: Warehouse, *names: str, everything: bool = False, jobs: int = 1) -> pipeline.IngestReport:
    """Read some captures again."""
    return reingest.reingest(warehouse, reingest.choose(warehouse, names, everything=everything), jobs=jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_everything_is_read_again_and_counts_once(warehouse: Warehouse, jobs: int) -> None:
    before = captures(warehouse)
    report = again(warehouse, everything=True, jobs=jobs)
    assert not report.failed
    assert report.packets == 30
    after = captures(warehouse)
    for name, row in after.items():
        changed = {column for column in row if row[column] != before[name][column]}
        assert changed == {"ingest_id", "ingested_ns"}, name
    assert packets_by_file(warehouse) == {"a.pcap": 10, "b.pcap": 20}
    assert not verify(warehouse).damaged


def test_without_names_it_is_those_that_an_older_decoder_has_read(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reingest.choose(warehouse) == []
    for module in (capture, reingest, pipeline):
        monkeypatch.setattr(module, "DECODER_VERSION", 1_000)
    assert len(again(warehouse).results) == 2
    assert {row["decoder_version"] for row in captures(warehouse).values()} == {1_000}
    assert reingest.choose(warehouse) == []


def test_a_source_that_is_gone_is_told_and_its_rows_stay(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "in/a.pcap").unlink()
    before = captures(warehouse)
    report = again(warehouse, everything=True)
    assert [result.message for result in report.failed] == ["no such file or folder, and no original is kept; its earlier rows stay"]
    after = captures(warehouse)
    assert after["a.pcap"] == before["a.pcap"]
    assert after["b.pcap"]["ingest_id"] != before["b.pcap"]["ingest_id"]
    assert packets_by_file(warehouse) == {"a.pcap": 10, "b.pcap": 20}


def test_a_source_that_is_another_file_now_is_told_and_its_rows_stay(tmp_path: Path, warehouse: Warehouse) -> None:
    before = captures(warehouse)
    (tmp_path / "in/a.pcap").write_bytes(pcap(500, 507))
    [result] = again(warehouse, "a.pcap").failed
    assert "not the capture any more" in str(result.message)
    assert captures(warehouse) == before
    assert packets_by_file(warehouse) == {"a.pcap": 10, "b.pcap": 20}
    assert not verify(warehouse).damaged


def test_an_original_serves_when_the_source_is_gone(tmp_path: Path, warehouse: Warehouse) -> None:
    ingest(warehouse, [str(tmp_path / "in")], keep_originals=True)
    before = captures(warehouse)
    (tmp_path / "in/a.pcap").unlink()
    assert not again(warehouse, "a.pcap").failed
    after = captures(warehouse)
    changed = {column for column in after["a.pcap"] if after["a.pcap"][column] != before["a.pcap"][column]}
    assert changed == {"ingest_id", "ingested_ns"}
    assert originals.is_intact(warehouse.root, after["a.pcap"]["capture_id"])


def test_packets_that_were_pruned_stay_away(warehouse: Warehouse) -> None:
    prune(warehouse, 1 << 62, packets_only=True)
    assert not again(warehouse, everything=True).failed
    assert packets_by_file(warehouse) == {"a.pcap": 0, "b.pcap": 0}
    assert all(row["packets_pruned_ns"] for row in captures(warehouse).values())
    assert not verify(warehouse).damaged


def test_a_reader_sees_old_or_new_and_a_defect_of_the_new_decoder_keeps_the_old(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Session(warehouse)
    [(old,)] = reader.sql("select count(*) from packets").fetchall()
    seen: list[int] = []

    def look(_: pipeline.Progress) -> None:
        with Session(warehouse) as another:
            seen.append(another.sql("select count(*) from packets").fetchall()[0][0])

    reingest.reingest(warehouse, reingest.choose(warehouse, everything=True), progress=look)
    assert set(seen) == {old} == {30}
    assert reader.sql("select count(*) from packets").fetchall() == [(30,)]
    reader.close()

    def fail(*_: object, **__: object) -> None:
        message = "a defect"
        raise ZeroDivisionError(message)

    before = captures(warehouse)
    monkeypatch.setattr(pipeline, "ingest_content", fail)
    for module in (capture, reingest, pipeline):
        monkeypatch.setattr(module, "DECODER_VERSION", 1_000)
    assert len(again(warehouse, everything=True).failed) == 2
    assert captures(warehouse) == before


def test_names_and_all_do_not_go_together(warehouse: Warehouse) -> None:
    with pytest.raises(UsageError, match="either"):
        reingest.choose(warehouse, ["a.pcap"], everything=True)
    with pytest.raises(UsageError, match="no such capture"):
        reingest.choose(warehouse, ["nothing.pcap"])
