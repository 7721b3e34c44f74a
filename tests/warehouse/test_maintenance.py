"""Compaction, pruning, forgetting, vacuuming and exporting: what counts stays, exactly, and the rest goes."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from synthetic_warehouse import DAY_NS, FIRST_DAY, Synthetic, capture, capture_id, ingest, live, stage

from caphouse.warehouse import compaction, due, staging
from caphouse.warehouse.compaction import compact
from caphouse.warehouse.due import is_due, small_files
from caphouse.warehouse.errors import UsageError, WarehouseConflict, WarehouseError
from caphouse.warehouse.locations import Location
from caphouse.warehouse.maintenance import export, find_captures, forget, prune, vacuum
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import BY_NAME, TABLES
from caphouse.warehouse.verification import verify

EPOCH = dt.date(1970, 1, 1)


def contents(warehouse: Warehouse) -> dict[str, Counter[tuple[Any, ...]]]:
    """All rows that count, per table."""
    return {
        table.name: Counter(tuple(row.values()) for row in live(warehouse, table.name).select([c.name for c in table.stored]).to_pylist())
        for table in TABLES[1:]
    }


def files_on_disk(warehouse: Warehouse, pattern: str = "*.parquet") -> set[str]:
    return {str(path) for path in Path(warehouse.root.path).rglob(pattern) if "_delta_log" not in path.parts}


def some(warehouse: Warehouse, count: int = 6) -> list[Synthetic]:
    items = [capture(str(index), day=index % 2) for index in range(count)]
    for item in items:
        ingest(warehouse, [item])
    return items


def test_compaction_merges_and_changes_no_row(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    some(warehouse)
    before, snapshot = contents(warehouse), warehouse.snapshot()
    assert small_files(snapshot) == 6 * 4, "six tables, two days, three files each"
    assert not is_due(warehouse)
    monkeypatch.setattr(due, "DUE_FILES", 24)
    assert is_due(warehouse)
    with monkeypatch.context() as few:
        few.setattr(due, "DUE_FILES", 38)
        few.setattr(due, "small_files", lambda _: 38)
        assert not is_due(warehouse, 1), "36 files and one more need no other look"
        assert is_due(warehouse, 2)
    results = compact(warehouse)
    assert len(results) == 12
    assert all((result.files, result.rows[0]) == ((3, 1), result.rows[1]) for result in results)
    assert contents(warehouse) == before
    after = warehouse.snapshot()
    assert {name: files.num_rows for name, files in after.actions.items()} == {t.name: 2 for t in TABLES[1:]} | {"captures": 1}
    assert small_files(after) == 0
    assert not is_due(warehouse)
    assert compact(warehouse) == [], "there is nothing left to do"
    for name in ("packets", "flows"):
        assert all(os.path.exists(uri) for uri in snapshot.uris(name)), "a reader may still have the old files"  # noqa: PTH110


def test_a_snapshot_stays_as_it_was_when_it_was_taken(warehouse: Warehouse) -> None:
    items = some(warehouse)
    taken = Warehouse.open(warehouse.root).snapshot()
    before = set(warehouse.snapshot().uris("packets"))
    compact(warehouse)
    ingest(warehouse, [capture("later")])
    assert set(taken.uris("packets")) == before, "though it looks at the log only now"
    assert taken.ingest_ids == {item.ingest_id for item in items}


def test_compaction_keeps_encodings_checksums_order_and_bounds(warehouse: Warehouse) -> None:
    some(warehouse)
    compact(warehouse, dates=[FIRST_DAY])
    snapshot = warehouse.snapshot()
    [path] = snapshot.uris("packets", dates=(FIRST_DAY, FIRST_DAY))
    found = pq.ParquetFile(path, page_checksum_verification=True)
    column = found.metadata.row_group(0).column(BY_NAME["packets"].arrow_schema.get_field_index("ts_ns"))
    assert "DELTA_BINARY_PACKED" in column.encodings
    assert column.compression == "ZSTD"
    numbers = found.read(columns=["ingest_id", "frame_number"])
    runs = [row for index, row in enumerate(numbers["ingest_id"].to_pylist()) if index % 40 == 0]
    assert len(set(runs)) == 3, "the packets of a capture stay together"
    assert numbers["frame_number"].to_pylist() == list(range(1, 41)) * 3
    [bounds] = snapshot.files("packets", dates=(FIRST_DAY, FIRST_DAY)).to_pylist()
    times = found.read(columns=["ts_ns"])["ts_ns"].to_pylist()
    assert (bounds["min.ts_ns"], bounds["max.ts_ns"]) == (min(times), max(times))
    assert snapshot.actions["packets"].num_rows == 4, "the other day was not asked for"


def test_rows_that_do_not_count_go_after_a_while(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = capture("kept")
    ingest(warehouse, [kept])
    warehouse.register(stage(warehouse, [capture("killed")]))
    before = contents(warehouse)
    compact(warehouse)
    assert sum(warehouse.snapshot().rows(table.name) for table in TABLES[1:]) == 2 * 57, "it may be about to commit"
    monkeypatch.setattr(compaction, "GRACE_SECONDS", -1)
    compact(warehouse)
    assert sum(warehouse.snapshot().rows(table.name) for table in TABLES[1:]) == 57
    assert contents(warehouse) == before


def test_an_ingest_that_commits_while_its_rows_are_cleared_away_is_refused(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "GRACE_SECONDS", -1)
    other = Warehouse.open(warehouse.root)
    slow = capture("slow")
    real = warehouse.register

    def stand_still(files: list[staging.DataFile]) -> None:
        real(files)
        compact(other)

    monkeypatch.setattr(warehouse, "register", stand_still)
    with pytest.raises(WarehouseConflict, match="ingest again"):
        ingest(warehouse, [slow])
    monkeypatch.setattr(warehouse, "register", real)
    assert warehouse.snapshot().captures.num_rows == 0
    again = capture("slow")
    ingest(warehouse, [again])
    assert live(warehouse, "packets").num_rows == 40


def test_replaced_captures_lose_their_rows(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "GRACE_SECONDS", -1)
    ingest(warehouse, [capture("a"), capture("b")])
    ingest(warehouse, [capture("a", decoder_version=2)])
    before = contents(warehouse)
    compact(warehouse)
    assert warehouse.snapshot().rows("packets") == 80
    assert contents(warehouse) == before


def test_large_files_without_dead_rows_are_left_alone(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    some(warehouse, 4)
    monkeypatch.setattr(compaction, "SMALL_BYTES", 10)
    before = warehouse.snapshot().uris("packets")
    assert compact(warehouse) == []
    assert warehouse.snapshot().uris("packets") == before


def test_what_is_written_meanwhile_is_kept(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    some(warehouse, 4)
    other = Warehouse.open(warehouse.root)
    late = capture("late")
    real = Warehouse.swap_files

    def ingest_first(self: Warehouse, *arguments: Any) -> bool:
        if late.row["capture_id"] not in other.known().by_content:
            ingest(other, [late])
        return real(self, *arguments)

    monkeypatch.setattr(Warehouse, "swap_files", ingest_first)
    before = contents(warehouse)
    compact(warehouse)
    for name, rows in late.tables.items():
        before[name].update(tuple(row.values()) for row in rows.to_pylist())
    assert contents(warehouse) == before


def test_of_two_compactions_one_wins_and_nothing_is_doubled(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    some(warehouse)
    before = contents(warehouse)
    real = Warehouse.swap_files
    inner: list[int] = []

    def compact_first(self: Warehouse, *arguments: Any) -> bool:
        if not inner:
            inner.append(1)
            inner.append(len(compact(Warehouse.open(warehouse.root))))
        return real(self, *arguments)

    monkeypatch.setattr(Warehouse, "swap_files", compact_first)
    assert compact(warehouse) == []
    assert inner == [1, 12]
    assert contents(warehouse) == before
    referenced = {uri for table in TABLES for uri in warehouse.snapshot().uris(table.name)}
    assert len(files_on_disk(warehouse) - referenced) == 36 + 6, "the loser has removed its own files; the merged ones await a vacuum"


@pytest.mark.parametrize("step", ["_merged", "_attempts_in"], ids=["while it writes", "while it looks"])
def test_a_compaction_that_stood_still_gives_way(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Others have exchanged the files, and a vacuum has removed them: there is nothing to do, and nothing is damaged."""
    some(warehouse)
    ingest(warehouse, [capture(name) for name in ("a", "b")])  # a file of two attempts, which is opened for its attempts
    before = contents(warehouse)
    real = getattr(compaction, step)

    def stand_still(*arguments: Any) -> Any:
        monkeypatch.setattr(compaction, step, real)
        going = {uri for table in TABLES[1:] for uri in warehouse.snapshot().uris(table.name)}
        compact(Warehouse.open(warehouse.root))
        for uri in going - {uri for table in TABLES[1:] for uri in warehouse.snapshot().uris(table.name)}:
            Path(uri).unlink()
        return real(*arguments)

    monkeypatch.setattr(compaction, step, stand_still)
    assert compact(warehouse) == []
    assert contents(warehouse) == before


def test_a_damaged_file_stops_compaction_rather_than_being_laundered(warehouse: Warehouse) -> None:
    some(warehouse, 4)
    path = Path(warehouse.snapshot().uris("flows")[0])
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"caphouse verify"):
        compact(warehouse)
    assert str(path) in warehouse.snapshot().uris("flows")


def test_pruning_old_captures(warehouse: Warehouse) -> None:
    items = [capture(str(day), day=day) for day in range(4)]
    ingest(warehouse, items)
    ingest(warehouse, [capture("same day", day=1)])
    cut = ((FIRST_DAY + dt.timedelta(days=2)) - EPOCH).days * DAY_NS
    pruned = prune(warehouse, cut)
    assert pruned.captures == 3
    snapshot = warehouse.snapshot()
    assert snapshot.ingest_ids == {items[2].ingest_id, items[3].ingest_id}
    for table in TABLES[1:]:
        assert snapshot.rows(table.name) == live(warehouse, table.name).num_rows, "the rows are gone from the files too"
    assert prune(warehouse, cut).captures == 0


def test_pruning_packets_only_keeps_the_history(warehouse: Warehouse) -> None:
    old, new = capture("old", day=0), capture("new", day=5)
    ingest(warehouse, [old, new])
    before = contents(warehouse)
    cut = ((FIRST_DAY + dt.timedelta(days=2)) - EPOCH).days * DAY_NS
    assert prune(warehouse, cut, packets_only=True).captures == 1
    after = contents(warehouse)
    for name in ("flows", "flow_minutes", "handshakes", "addresses", "interfaces"):
        assert after[name] == before[name]
    assert {row[0] for row in after["packets"]} == {new.ingest_id}
    rows = {row["ingest_id"]: row for row in warehouse.snapshot().captures.to_pylist()}
    assert rows[old.ingest_id]["packets_pruned_ns"] is not None
    assert rows[new.ingest_id]["packets_pruned_ns"] is None
    assert rows[old.ingest_id]["packets"] == 40, "the receipt stays"
    assert prune(warehouse, cut, packets_only=True).captures == 0
    assert ingest(warehouse, [capture("old", day=0)]).added == (), "it is still known"


def test_forgetting_a_capture(warehouse: Warehouse) -> None:
    items = some(warehouse, 3)
    assert forget(warehouse, [capture_id("1")[:10]]).captures == 1
    snapshot = warehouse.snapshot()
    assert snapshot.ingest_ids == {items[0].ingest_id, items[2].ingest_id}
    assert all(snapshot.rows(table.name) == live(warehouse, table.name).num_rows for table in TABLES[1:])
    again = capture("1")
    assert ingest(warehouse, [again]).added == (again.ingest_id,), "it may come back"


def test_captures_are_found_as_people_name_them(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a"), capture("b"), capture("c", file_name="a.pcap", source_uri="/elsewhere/a.pcap")])
    snapshot = warehouse.snapshot([])

    def found(text: str) -> list[str]:
        return sorted(find_captures(snapshot, text)["source_uri"].to_pylist())

    assert found(capture_id("b")) == ["/captures/b.pcap"]
    assert found(capture_id("b")[:6].upper()) == ["/captures/b.pcap"]
    assert found("/captures/b.pcap") == ["/captures/b.pcap"]
    assert found("a.pcap") == ["/captures/a.pcap", "/elsewhere/a.pcap"]
    for text in ("nothing", "", capture_id("b")[:3], "%"):
        with pytest.raises(UsageError, match="no such capture"):
            found(text)


def test_an_ambiguous_beginning_is_refused(warehouse: Warehouse) -> None:
    one, two = capture("a"), capture("b")
    one.row["capture_id"], two.row["capture_id"] = "abcd" + "0" * 60, "abcd" + "1" * 60
    ingest(warehouse, [one, two])
    with pytest.raises(UsageError, match="2 captures"):
        find_captures(warehouse.snapshot([]), "abcd")
    assert find_captures(warehouse.snapshot([]), "abcd1").num_rows == 1


def test_forgetting_what_is_not_there_forgets_nothing(warehouse: Warehouse) -> None:
    some(warehouse, 2)
    with pytest.raises(UsageError):
        forget(warehouse, [capture_id("1"), "nothing"])
    assert warehouse.snapshot().captures.num_rows == 2


def test_vacuum_removes_what_is_old_and_not_needed(warehouse: Warehouse) -> None:
    some(warehouse)
    compact(warehouse)
    left_behind = stage(warehouse, [capture("killed before it registered")])
    unfinished = Path(warehouse.root.path, "packets", "date=2026-03-01", ".x.parquet.part")
    unfinished.write_bytes(b"x")
    fresh = stage(warehouse, [capture("running")])
    needed = {uri for table in TABLES for uri in warehouse.snapshot().uris(table.name)}
    before = contents(warehouse)
    long_ago = time.time() - 10 * 86_400
    recent = {str(Path(warehouse.root.path, file.table, file.path)) for file in fresh}
    orphans = {str(Path(warehouse.root.path, file.table, file.path)) for file in left_behind}
    for path in {*files_on_disk(warehouse), str(unfinished)} - recent:
        os.utime(path, (long_ago, long_ago))
    with pytest.raises(UsageError, match="1 hour"):
        vacuum(warehouse, retention_hours=0)
    planned = vacuum(warehouse, dry_run=True)
    assert set(planned.files) == orphans | {str(unfinished)}, "what the compaction took out is younger than a week"
    assert planned.bytes == sum(os.stat(path).st_size for path in planned.files)  # noqa: PTH116
    assert set(planned.files) <= files_on_disk(warehouse, "*")
    done = vacuum(warehouse)
    assert sorted(done.files) == sorted(planned.files)
    remaining = files_on_disk(warehouse)
    assert not remaining & orphans
    assert not unfinished.exists()
    assert needed | recent <= remaining
    assert contents(warehouse) == before


@pytest.mark.parametrize("table", ["packets", "addresses"])
def test_an_ingest_whose_files_a_vacuum_has_taken_is_refused(warehouse: Warehouse, table: str) -> None:
    """It took longer than files stay. No table comes to name a file that is gone, and nothing of the ingest is left behind."""
    ingest(warehouse, [capture("there")])
    before, on_disk = contents(warehouse), files_on_disk(warehouse)
    slow = capture("slow")
    files = stage(warehouse, [slow])
    for file in files:
        if file.table == table:
            path = Path(warehouse.root.path, file.table, file.path)
            os.utime(path, (time.time() - 8 * 86_400,) * 2)
            assert vacuum(Warehouse.open(warehouse.root)).files == [str(path)]
    with pytest.raises(WarehouseConflict, match=r"1 of the files to commit are gone.*ingest again"):
        warehouse.commit(files, [slow.row])
    assert contents(warehouse) == before
    assert files_on_disk(warehouse) == on_disk
    ingest(warehouse, [capture("slow")])
    assert live(warehouse, "packets").num_rows == 80


def test_a_commit_between_listing_and_removing_is_refused(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are there still, but not for long."""
    ingest(warehouse, [capture("there")])
    before = contents(warehouse)
    slow, monotonic, real_delete = capture("slow"), time.monotonic, Location.delete
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: monotonic() - 2 * 3600)
        files = stage(warehouse, [slow])
    paths = [Path(warehouse.root.path, file.table, file.path) for file in files]
    for path in paths:
        os.utime(path, (time.time() - 7200,) * 2)
    refused: list[str] = []

    def commit_first(location: Location) -> None:
        monkeypatch.setattr(Location, "delete", real_delete)
        assert all(path.exists() for path in paths)
        with monkeypatch.context() as patch:
            patch.setattr(Warehouse, "discard", lambda _self, _files: None)  # it would hide what the vacuum does
            with pytest.raises(WarehouseConflict, match="gone or going"):
                Warehouse.open(warehouse.root).commit(files, [slow.row])
        refused.append(location.path)
        location.delete()

    monkeypatch.setattr(Location, "delete", commit_first)
    vacuum(Warehouse.open(warehouse.root), retention_hours=1)
    assert len(refused) == 1
    assert contents(warehouse) == before
    assert verify(warehouse).findings == ()
    ingest(warehouse, [capture("slow")])
    assert live(warehouse, "packets").num_rows == 80


def test_files_that_have_waited_are_committed_where_no_vacuum_was(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture may take hours to be read, and a week to be vacuumed away."""
    vacuum(warehouse)
    monotonic = time.monotonic
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: monotonic() - 5 * 3600)
        files = stage(warehouse, [slow := capture("slow")])
    warehouse.commit(files, [slow.row])
    assert live(warehouse, "packets").num_rows == 40


def test_a_compaction_whose_file_is_gone_keeps_what_it_was_to_replace(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    some(warehouse, 4)
    before = contents(warehouse)
    real = warehouse.swap_files

    def late(table: str, going: pa.Table, coming: list[staging.DataFile]) -> bool:
        for file in coming:
            Path(warehouse.root.path, file.table, file.path).unlink()
        return real(table, going, coming)

    monkeypatch.setattr(warehouse, "swap_files", late)
    with pytest.raises(WarehouseConflict, match="are gone"):
        compact(warehouse)
    assert contents(warehouse) == before


def test_a_warehouse_is_usable_after_its_old_files_are_gone(warehouse: Warehouse) -> None:
    """As above, with the files that a compaction took out; their age is in the log, too, so the log is made to say so."""
    some(warehouse)
    before = contents(warehouse)
    real, shift = time.time_ns, 10 * DAY_NS
    time_ns = pytest.MonkeyPatch()
    time_ns.setattr("caphouse.warehouse.delta.time.time_ns", lambda: real() - shift)
    compact(warehouse)
    time_ns.undo()
    standing = {uri for table in TABLES for uri in warehouse.snapshot().uris(table.name)}
    for path in files_on_disk(warehouse) - standing:
        os.utime(path, (time.time() - 10 * 86_400,) * 2)
    assert len(vacuum(warehouse).files) == 36 + 6
    assert contents(warehouse) == before
    assert len(files_on_disk(warehouse)) == 12 + 1
    ingest(warehouse, [capture("new")])
    assert Warehouse.open(warehouse.root).snapshot().captures.num_rows == 7


def test_a_vacuum_beside_a_commit_that_exchanges_files(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log refuses its note of what went; it looks and cleans again."""
    items = some(warehouse, 2)
    mark = warehouse.mark_vacuumed
    raced: list[str] = []

    def load_and_race(name: str, before_ms: int) -> DeltaTable:
        loaded = mark(name, before_ms)
        if name == "captures" and not raced:
            raced.append(name)
            Warehouse.open(warehouse.root).remove([items[0].ingest_id])
        return loaded

    real, shift = time.time_ns, 10 * DAY_NS
    with monkeypatch.context() as patch:
        patch.setattr("caphouse.warehouse.delta.time.time_ns", lambda: real() - shift)
        warehouse.merge_captures()
    monkeypatch.setattr(warehouse, "mark_vacuumed", load_and_race)
    assert vacuum(warehouse).files
    assert raced
    assert warehouse.snapshot().captures.num_rows == 1


def test_an_export_is_plain_parquet_with_capture_ids(warehouse: Warehouse, tmp_path: Path) -> None:
    items = some(warehouse, 3)
    warehouse.register(stage(warehouse, [capture("killed")]))
    empty = capture("empty", packets=1, flows=1)
    empty.row |= {"packets": 0, "first_ts_ns": None, "last_ts_ns": None, "date": None}
    with warehouse.writer() as writer:
        writer.write("interfaces", empty.tables["interfaces"], None)
        warehouse.commit(writer.finish(), [empty.row])
    target = tmp_path / "out"
    rows = export(warehouse, str(target))
    assert rows == {
        "captures": 4, "interfaces": 4, "packets": 120, "flows": 12, "flow_minutes": 12, "handshakes": 12, "addresses": 12,
    }  # fmt: skip
    connection = duckdb.connect()
    found = connection.execute(
        f"select capture_id, count(*), min(frame_number), max(frame_number) from '{target}/packets/**/*.parquet' group by 1"
    )
    assert sorted(found.fetchall()) == sorted((item.row["capture_id"], 40, 1, 40) for item in items)
    names = [column[0] for column in connection.execute(f"select * from '{target}/flows/**/*.parquet' limit 0").description]
    assert names[0] == "capture_id"
    assert "ingest_id" not in names
    with pytest.raises(UsageError, match="must be empty"):
        export(warehouse, str(target))
    with pytest.raises(UsageError, match="no table nonsense"):
        export(warehouse, str(tmp_path / "other"), ["nonsense"])
    assert export(warehouse, str(tmp_path / "one"), ["addresses"]) == {"addresses": 12}
    assert pa.types.is_string(pq.read_table(tmp_path / "one" / "addresses")["ip"].type)
