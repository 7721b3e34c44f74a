"""What counts as being in the warehouse, and what a reader is given to open."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from synthetic_warehouse import DAY_NS, FIRST_DAY, Synthetic, capture, ingest, live, stage

from caphouse.warehouse import captures, delta, store
from caphouse.warehouse.delta import TEXT_BOUND
from caphouse.warehouse.errors import WarehouseConflict, WarehouseError, WarehouseNotFound
from caphouse.warehouse.staging import DataFile
from caphouse.warehouse.store import Warehouse, utc_date
from caphouse.warehouse.tables import BY_NAME, CAPTURES, TABLES


def test_a_new_warehouse_has_all_tables_with_the_declared_columns(warehouse: Warehouse) -> None:
    for table in TABLES:
        dt = DeltaTable(warehouse.root.join(table.name).path)
        partition = [] if table is CAPTURES else ["date"]
        assert [field.name for field in dt.schema().fields] == [column.name for column in table.stored] + partition
        assert dt.metadata().partition_columns == partition
    snapshot = warehouse.snapshot()
    assert snapshot.captures.num_rows == 0
    assert snapshot.captures.schema == CAPTURES.arrow_schema
    assert all(snapshot.uris(table.name) == [] for table in TABLES)


def test_there_must_be_a_warehouse_to_open_one(tmp_path: Path) -> None:
    with pytest.raises(WarehouseNotFound, match="no warehouse here"):
        Warehouse.open(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(WarehouseNotFound):
        Warehouse.open(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_making_a_warehouse_twice_changes_nothing(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a")])
    assert Warehouse.create(warehouse.root).snapshot().captures.num_rows == 1
    assert Warehouse.open_or_create(warehouse.root).snapshot().captures.num_rows == 1


def test_a_newer_format_is_refused(warehouse: Warehouse) -> None:
    DeltaTable(warehouse.root.join("captures").path).alter.set_table_properties({"caphouse.format": "99"}, raise_if_not_exists=False)
    with pytest.raises(WarehouseError, match=r"format 99.*Update caphouse"):
        Warehouse.open(warehouse.root)


def test_a_foreign_delta_table_is_refused(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "captures", pa.schema([("x", pa.int64())]))
    with pytest.raises(WarehouseError, match="not a warehouse"):
        Warehouse.open(tmp_path)


def test_a_committed_capture_reads_back(warehouse: Warehouse) -> None:
    item = capture("a", tags={"site": "north", "run": "7"}, host="vm1", unread_reasons={"cut": 2}, link_types=["ETHERNET", "RAW"])
    result = ingest(warehouse, [item])
    assert (result.added, result.already_present, result.replaced) == ((item.ingest_id,), (), ())
    [row] = warehouse.snapshot().captures.to_pylist()
    expected = {column.name: item.row.get(column.name) for column in CAPTURES.stored}
    expected |= {"tags": [("site", "north"), ("run", "7")], "unread_reasons": [("cut", 2)]}
    assert row == expected
    for name, rows in item.tables.items():
        assert (
            live(warehouse, name).select(rows.column_names).cast(rows.schema).sort_by([(rows.column_names[1], "ascending")]).equals(rows)
        ), name


def test_a_commit_that_nobody_gets_in_the_way_of_waits_for_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a wait"))
    assert ingest(warehouse, [capture("a")]).added


def test_rows_without_a_captures_row_do_not_count(warehouse: Warehouse) -> None:
    warehouse.register(stage(warehouse, [capture("killed")]))
    assert warehouse.snapshot().files("packets").num_rows == 1
    assert warehouse.snapshot().captures.num_rows == 0
    assert live(warehouse, "packets").num_rows == 0


def test_the_same_content_is_not_added_twice(warehouse: Warehouse) -> None:
    first = capture("a")
    ingest(warehouse, [first])
    again = capture("a", source_uri="/other/name.pcap.gz", compression="gzip")
    files = stage(warehouse, [again])
    result = warehouse.commit(files, [again.row])
    assert (result.added, result.already_present) == ((), (again.ingest_id,))
    assert warehouse.snapshot().ingest_ids == {first.ingest_id}
    assert not any(Path(warehouse.root.path, file.table, file.path).exists() for file in files), "files that nobody will read are removed"


def test_the_same_content_twice_in_one_commit(warehouse: Warehouse) -> None:
    one, two, other = capture("a"), capture("a", source_uri="/copy.pcap"), capture("b")
    result = ingest(warehouse, [one, two, other])
    assert result.added == (one.ingest_id, other.ingest_id)
    assert result.already_present == (two.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {one.ingest_id, other.ingest_id}
    assert live(warehouse, "packets").num_rows == 80


def test_a_newer_decoder_replaces_and_an_older_one_does_not(warehouse: Warehouse) -> None:
    two = capture("a", decoder_version=2)
    ingest(warehouse, [two])
    assert ingest(warehouse, [capture("a", decoder_version=1)]).added == ()
    three = capture("a", decoder_version=3, packets=41)
    assert ingest(warehouse, [three]).replaced == (two.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {three.ingest_id}
    assert live(warehouse, "packets").num_rows == 41


def test_replace_on_demand(warehouse: Warehouse) -> None:
    kept, old, new, later = capture("kept"), capture("a"), capture("a"), capture("a")
    ingest(warehouse, [kept, old])
    assert ingest(warehouse, [new], instead_of={new.ingest_id: old.ingest_id}).replaced == (old.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {kept.ingest_id, new.ingest_id}
    assert ingest(warehouse, [later], instead_of={later.ingest_id: old.ingest_id}).already_present == (later.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {kept.ingest_id, new.ingest_id}


def test_what_was_forgotten_meanwhile_is_not_brought_back(warehouse: Warehouse) -> None:
    old, new = capture("a"), capture("a")
    ingest(warehouse, [old])
    warehouse.remove([old.ingest_id])
    assert ingest(warehouse, [new], instead_of={new.ingest_id: old.ingest_id}).added == ()
    assert warehouse.snapshot().captures.num_rows == 0


def test_packets_that_were_pruned_meanwhile_are_not_brought_back(warehouse: Warehouse) -> None:
    old, new, late = capture("a"), capture("a"), capture("a", packets_pruned_ns=5)
    ingest(warehouse, [old])
    warehouse.amend([old.ingest_id], "packets_pruned_ns", 5)
    assert ingest(warehouse, [new], instead_of={new.ingest_id: old.ingest_id}).added == ()
    assert ingest(warehouse, [late], instead_of={late.ingest_id: old.ingest_id}).replaced == (old.ingest_id,)


def test_a_growing_file_is_replaced_by_what_it_grows_into(warehouse: Warehouse) -> None:
    source: dict[str, Any] = {"source_uri": "/ring/x.pcap"}
    parts = [
        capture("part 1", packets=10, status="growing", **source),
        capture("part 2", packets=20, status="growing", **source),
        capture("whole", packets=30, **source),
    ]
    for part in parts:
        ingest(warehouse, [part])
        assert warehouse.snapshot().ingest_ids == {part.ingest_id}
    assert live(warehouse, "packets").num_rows == 30


def test_a_growing_file_that_is_complete_without_growing(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a", status="growing")])
    complete = capture("a")
    ingest(warehouse, [complete])
    assert warehouse.snapshot().captures["status"].to_pylist() == ["complete"]


def test_a_slower_writer_does_not_shrink_a_growing_file(warehouse: Warehouse) -> None:
    source: dict[str, Any] = {"source_uri": "/ring/x.pcap", "status": "growing"}
    more, less = capture("more", packets=20, **source), capture("less", packets=10, **source)
    ingest(warehouse, [more])
    assert ingest(warehouse, [less]).already_present == (less.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {more.ingest_id}


def test_a_ring_buffer_that_uses_a_name_again_takes_nothing_away(warehouse: Warehouse) -> None:
    source: dict[str, Any] = {"source_uri": "/ring/x.pcap", "status": "growing"}
    yesterday, today = capture("yesterday", day=0, packets=50, **source), capture("today", day=1, packets=10, **source)
    ingest(warehouse, [yesterday])
    ingest(warehouse, [today])
    assert warehouse.snapshot().ingest_ids == {yesterday.ingest_id, today.ingest_id}


def test_what_a_capture_begins_with_is_replaced_whatever_it_was_taken_for(warehouse: Warehouse) -> None:
    """A file that was quiet for so long that it seemed complete, or that was cut when it was read, and has grown."""
    quiet, other = capture("quiet", packets=10, source_uri="/a.pcap"), capture("other", packets=5, source_uri="/a.pcap")
    ingest(warehouse, [quiet, other])
    whole = capture("whole", packets=30, source_uri="/a.pcap")
    compared = {whole.ingest_id: {str(quiet.row["capture_id"]): True, str(other.row["capture_id"]): False}}
    result = warehouse.commit(stage(warehouse, [whole]), [whole.row], beginnings=compared)
    assert result.replaced == (quiet.ingest_id,)
    assert warehouse.snapshot().ingest_ids == {other.ingest_id, whole.ingest_id}


def test_compared_bytes_count_for_more_than_times(warehouse: Warehouse) -> None:
    """The clock was set back and a ring's name is used again: by its times alone the new file would be the old one, grown."""
    source: dict[str, Any] = {"source_uri": "/ring/x.pcap", "status": "growing"}
    old, new = capture("old", day=5, packets=10, **source), capture("new", day=1, packets=50, **source)
    ingest(warehouse, [old])
    warehouse.commit(stage(warehouse, [new]), [new.row], beginnings={new.ingest_id: {str(old.row["capture_id"]): False}})
    assert warehouse.snapshot().ingest_ids == {old.ingest_id, new.ingest_id}


@pytest.mark.parametrize(("modified_ns", "is_replaced"), [(1_000, True), (3_000, False)])
def test_a_beginning_that_another_writer_was_faster_with_is_replaced(warehouse: Warehouse, modified_ns: int, *, is_replaced: bool) -> None:
    """Its bytes could not be compared: it was not there when the file was read. Begun later, it is another recording."""
    source: dict[str, Any] = {"source_uri": "/live/x.pcap"}
    less = capture("less", packets=10, status="cut-short", modified_ns=modified_ns, **source)
    more = capture("more", packets=20, modified_ns=2_000, **source)
    files = stage(warehouse, [more])
    ingest(warehouse, [less])
    warehouse.commit(files, [more.row], beginnings={more.ingest_id: {}})
    assert warehouse.snapshot().ingest_ids == {more.ingest_id} | (set() if is_replaced else {less.ingest_id})


@pytest.mark.parametrize(("modified_ns", "is_added"), [(1_000, False), (3_000, True)])
def test_a_slower_writer_adds_no_beginning_of_a_complete_capture(warehouse: Warehouse, modified_ns: int, *, is_added: bool) -> None:
    """Read before the other: it is a part of what is there. Written after the other: it is a capture of its own."""
    source: dict[str, Any] = {"source_uri": "/a.pcap", "first_ts_ns": 1_780_000_000_000_000_000}
    ingest(warehouse, [capture("whole", packets=30, content_bytes=3_000, modified_ns=2_000, **source)])
    result = ingest(warehouse, [capture("part", packets=10, content_bytes=1_000, modified_ns=modified_ns, **source)])
    assert bool(result.added) == is_added


def test_captures_without_packets_have_a_row(warehouse: Warehouse) -> None:
    row = capture("empty", status="unsupported", error="Not a capture.").row | {
        "packets": 0,
        "first_ts_ns": None,
        "last_ts_ns": None,
        "date": None,
    }
    assert warehouse.commit([], [row]).added == (row["ingest_id"],)
    assert warehouse.snapshot().captures["status"].to_pylist() == ["unsupported"]


@pytest.mark.parametrize(
    ("change", "message"), [({"nonsense": 1}, "no stored column nonsense"), ({"packets": None}, "packets"), ({"packets": "many"}, "many")]
)
def test_rows_that_are_none_are_refused(warehouse: Warehouse, change: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        warehouse.commit([], [capture("a").row | change])


def test_removing_takes_effect_at_once_and_the_capture_may_come_back(warehouse: Warehouse) -> None:
    one, two = capture("a"), capture("b")
    ingest(warehouse, [one, two])
    assert warehouse.remove([one.ingest_id, 12345]) == 1
    assert warehouse.snapshot().ingest_ids == {two.ingest_id}
    assert live(warehouse, "flows").num_rows == 4
    again = capture("a")
    assert ingest(warehouse, [again]).added == (again.ingest_id,)
    assert warehouse.remove([two.ingest_id, again.ingest_id]) == 2
    assert warehouse.snapshot().captures.num_rows == 0


def test_many_commits_leave_few_files_of_captures(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALL_FILES", 5)
    items = [capture(str(index)) for index in range(23)]
    for item in items:
        warehouse.commit([], [item.row])
    snapshot = warehouse.snapshot([])
    assert snapshot.actions["captures"].num_rows <= 6
    assert sorted(snapshot.captures["ingest_id"].to_pylist()) == sorted(item.ingest_id for item in items)


def test_what_is_known_of_the_files(warehouse: Warehouse) -> None:
    item = capture("a", source_uri="/x/a.pcap", file_bytes=777, modified_ns=5)
    growing = capture("g", status="growing", file_bytes=778)
    ingest(warehouse, [item, growing])
    known = warehouse.known()
    digest = str(item.row["capture_id"])
    assert known.has(digest, 1)
    assert not known.has(digest, 2)
    assert not known.has("0" * 64, 1)
    assert not known.has(str(growing.row["capture_id"]), 1)
    assert known.may_have(777)
    assert not known.may_have(779)
    found = known.unchanged("/x/a.pcap", 777, 5)
    assert found is not None
    assert found.capture_id == digest
    assert known.unchanged("/x/a.pcap", 777, 6) is None
    assert known.unchanged("/x/a.pcap", 777, None) is None


def test_two_openers_see_each_others_commits(warehouse: Warehouse) -> None:
    other = Warehouse.open(warehouse.root)
    for index in range(12):
        ingest(warehouse if index % 2 else other, [capture(str(index))])
    assert warehouse.snapshot().captures.num_rows == other.snapshot().captures.num_rows == 12


def test_a_commit_told_to_have_failed_though_it_went_through(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Object storage may drop the answer to a write: the retry must find its own row rather than add a second."""
    real = delta.compare_and_swap
    answers: list[bool] = []

    def lose_first_answer(*args: object) -> bool:
        answers.append(real(*args))  # type: ignore[arg-type]
        return answers[-1] and len(answers) > 1

    monkeypatch.setattr(delta, "compare_and_swap", lose_first_answer)
    item = capture("a")
    assert ingest(warehouse, [item]).added == (item.ingest_id,)
    assert answers == [True]
    assert warehouse.snapshot().captures.num_rows == 1
    assert live(warehouse, "packets").num_rows == 40


def test_patience_has_an_end(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "compare_and_swap", lambda *_: False)
    monkeypatch.setattr(store, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(WarehouseConflict, match="other writers were faster"):
        ingest(warehouse, [capture("a")])


def test_an_attempt_that_was_given_up_cannot_count_any_more(warehouse: Warehouse) -> None:
    slow, quick = capture("slow"), capture("quick")
    other = Warehouse.open(warehouse.root)
    real = warehouse.register

    def be_given_up_meanwhile(files: list[DataFile]) -> None:
        real(files)
        assert other.mark_dead([slow.ingest_id]) == {slow.ingest_id}

    warehouse.register = be_given_up_meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(WarehouseConflict, match="ingest again"):
        ingest(warehouse, [slow])
    warehouse.register = real  # type: ignore[method-assign]
    assert ingest(warehouse, [quick]).added == (quick.ingest_id,)
    assert warehouse.mark_dead([quick.ingest_id, slow.ingest_id]) == {slow.ingest_id}
    assert warehouse.snapshot().ingest_ids == {quick.ingest_id}


def test_columns_declared_later_are_added_to_an_older_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older program declares neither `captures.comment`, `flows.transport` nor the table `handshakes`."""
    from dataclasses import replace

    older = [
        replace(table, columns=tuple(column for column in table.columns if column.name not in {"comment", "transport"}))
        for table in TABLES
        if table.name != "handshakes"
    ]
    with monkeypatch.context() as patch:
        patch.setattr(store, "TABLES", tuple(older))
        made = Warehouse.create(tmp_path)
        old = capture("old")
        for name in ("captures", "flows"):
            patch.setitem(BY_NAME, name, next(table for table in older if table.name == name))
        del old.tables["handshakes"]
        old.tables["flows"] = old.tables["flows"].drop_columns("transport")
        for module in (store, captures):
            patch.setattr(module, "CAPTURES", BY_NAME["captures"])
        ingest(made, [old])
    warehouse = Warehouse.open(tmp_path)
    before = warehouse.snapshot()
    assert before.uris("handshakes") == []
    assert before.captures["comment"].to_pylist() == [None]
    new = capture("new", comment="hello")
    ingest(warehouse, [new])
    after = warehouse.snapshot()
    assert sorted(after.captures["comment"].to_pylist(), key=str) == [None, "hello"]
    assert len(after.uris("handshakes")) == 1
    fields = {field.name for field in DeltaTable(tmp_path / "flows").schema().fields}
    assert "transport" in fields


def test_files_are_chosen_before_they_are_opened(warehouse: Warehouse) -> None:
    items = [capture(str(day), day=day) for day in range(5)]
    for item in items:
        ingest(warehouse, [item])
    day = [FIRST_DAY + dt.timedelta(days=index) for index in range(6)]
    snapshot = warehouse.snapshot()

    def days(table: str, **how: object) -> list[int]:
        found = snapshot.files(table, **how)["partition.date"].to_pylist()  # type: ignore[arg-type]
        return sorted(date.day for date in found)

    assert days("packets") == [1, 2, 3, 4, 5]
    assert days("packets", dates=(day[1], day[2])) == [2, 3]
    assert days("packets", dates=(None, day[1])) == [1, 2]
    assert days("packets", dates=(day[5], None)) == []
    start = (day[2] - dt.date(1970, 1, 1)).days * DAY_NS
    for table in ("packets", "flows", "flow_minutes", "handshakes"):
        assert days(table, time_range_ns=(start, start + DAY_NS)) == [3], table
        assert days(table, time_range_ns=(None, start)) == [1, 2], table
        assert days(table, time_range_ns=(start + DAY_NS, None)) == [4, 5], table
    assert days("addresses", time_range_ns=(start, start + DAY_NS)) == [1, 2, 3, 4, 5], "it has no times"
    assert days("addresses", ingest_ids=[items[3].ingest_id, items[0].ingest_id]) == [1, 4]
    assert days("packets", ingest_ids=[]) == []


def test_the_first_nanosecond_of_a_range_counts_and_the_last_does_not(warehouse: Warehouse) -> None:
    item = capture("a")
    ingest(warehouse, [item])
    first, last = item.row["first_ts_ns"], item.row["last_ts_ns"]
    assert isinstance(first, int)
    assert isinstance(last, int)
    snapshot = warehouse.snapshot()
    assert len(snapshot.uris("packets", time_range_ns=(last, None))) == 1
    assert len(snapshot.uris("packets", time_range_ns=(last + 1, None))) == 0
    assert len(snapshot.uris("packets", time_range_ns=(None, first + 1))) == 1
    assert len(snapshot.uris("packets", time_range_ns=(None, first))) == 0


def with_flows(item: Synthetic, column: str, values: pa.Array) -> Synthetic:
    item.tables["flows"] = item.tables["flows"].set_column(BY_NAME["flows"].arrow_schema.get_field_index(column), column, values)
    return item


def test_a_file_without_bounds_is_never_skipped(warehouse: Warehouse) -> None:
    none = pa.nulls(4, pa.int64())
    ingest(warehouse, [with_flows(with_flows(capture("a", packets=4), "first_ts_ns", none), "last_ts_ns", none)])
    assert len(warehouse.snapshot().uris("flows", time_range_ns=(0, 1))) == 1
    assert warehouse.snapshot().uris("handshakes", time_range_ns=(0, 1)) == []


@pytest.mark.parametrize("length", [TEXT_BOUND, TEXT_BOUND + 1])
def test_long_text_is_no_bound(warehouse: Warehouse, length: int) -> None:
    ingest(warehouse, [with_flows(capture("a", packets=4), "application", pa.array(["x" * length] * 4))])
    actions = warehouse.snapshot().actions["flows"]
    bounds = actions["max.application"].to_pylist() if "max.application" in actions.column_names else [None]
    assert bounds == ["x" * length if length == TEXT_BOUND else None]


def test_a_capture_of_another_partition_is_found_by_its_ingest_id(warehouse: Warehouse) -> None:
    """Captures without packets are in the partition of no day."""
    item = capture("a")
    item.row |= {"first_ts_ns": None, "last_ts_ns": None, "date": None, "packets": 0}
    with warehouse.writer() as writer:
        writer.write("interfaces", item.tables["interfaces"], None)
        files = writer.finish()
    warehouse.commit(files, [item.row])
    assert len(warehouse.snapshot().uris("interfaces", ingest_ids=[item.ingest_id])) == 1
    assert warehouse.snapshot().uris("interfaces", dates=(FIRST_DAY, None)) == []


@pytest.mark.parametrize(
    ("ts_ns", "date"),
    [
        (None, None),
        (0, dt.date(1970, 1, 1)),
        (-1, dt.date(1969, 12, 31)),
        (DAY_NS - 1, dt.date(1970, 1, 1)),
        (1_772_323_200_000_000_000, FIRST_DAY),
        (2**63 - 1, dt.date(2262, 4, 11)),
        (-(2**63), dt.date(1677, 9, 21)),
    ],
)
def test_the_day_of_a_time(ts_ns: int | None, date: dt.date | None) -> None:
    assert utc_date(ts_ns) == date


def test_a_reader_retries_when_captures_are_replaced_under_it(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the looks at `captures` and at `packets` a capture is replaced: the snapshot must be of the new state throughout."""
    old, new = capture("a"), capture("a", decoder_version=2, packets=41)
    ingest(warehouse, [old])
    other = Warehouse.open(warehouse.root)
    real = Warehouse._newest_versions
    replaced: list[int] = []

    def replace_first(self: Warehouse, names: list[str]) -> dict[str, int]:
        if not replaced:
            replaced.extend(ingest(other, [new]).replaced)
        return real(self, names)

    monkeypatch.setattr(Warehouse, "_newest_versions", replace_first)
    snapshot = warehouse.snapshot(["packets"])
    assert replaced == [old.ingest_id]
    assert snapshot.ingest_ids == {new.ingest_id}
    rows = pa.concat_tables([pq.ParquetFile(uri).read(columns=["ingest_id"]) for uri in snapshot.uris("packets")])
    assert rows["ingest_id"].to_pylist().count(new.ingest_id) == 41


def test_logs_read_in_advance_are_no_older_than_the_captures(tmp_path: Path) -> None:
    """What was read of a table before another capture came is not what the snapshot has of it; a table need not be there at all."""
    warehouse = Warehouse.create(tmp_path / "w")
    ingest(warehouse, [capture("a")])
    early = Warehouse.open(tmp_path / "w", tables=["packets"])
    ingest(warehouse, [capture("b")])
    assert len(early.snapshot().uris("packets")) == 2
    shutil.rmtree(tmp_path / "w" / "addresses")
    early = Warehouse.open(tmp_path / "w", tables=["packets", "addresses"])
    assert len(early.snapshot().uris("packets")) == 2
    assert early.snapshot().uris("addresses") == []
