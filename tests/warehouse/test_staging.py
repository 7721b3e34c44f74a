"""Files that are being written are no part of anything, and rows of many captures share row groups."""

from __future__ import annotations

import datetime as dt
import errno
import multiprocessing
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_warehouse import FIRST_DAY, capture

from caphouse.warehouse import staging
from caphouse.warehouse.errors import WarehouseError
from caphouse.warehouse.locations import Location
from caphouse.warehouse.parquet import ROW_GROUP_ROWS
from caphouse.warehouse.staging import StagedWriter


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_nothing_has_a_tables_name_before_it_is_complete(tmp_path: Path) -> None:
    rows = capture("a", packets=ROW_GROUP_ROWS).tables["packets"]
    writer = StagedWriter(tmp_path)
    writer.write("packets", rows, FIRST_DAY)
    [unfinished] = names(tmp_path)
    assert not unfinished.endswith(".parquet")
    [file] = writer.finish()
    assert names(tmp_path) == [Path(file.path).name]
    assert file.path.startswith("date=2026-03-01/")
    assert file.path.endswith(".parquet")
    assert (file.table, file.date, file.rows) == ("packets", FIRST_DAY, ROW_GROUP_ROWS)
    assert file.bytes == (tmp_path / "packets" / file.path).stat().st_size
    assert pickle.loads(pickle.dumps(file)) == file  # noqa: S301 - our own


def test_small_writes_share_a_row_group(tmp_path: Path) -> None:
    captures = [capture(str(index), packets=50) for index in range(20)]
    with StagedWriter(tmp_path) as writer:
        for item in captures:
            writer.write("packets", item.tables["packets"], FIRST_DAY)
        [file] = writer.finish()
    found = pq.ParquetFile(tmp_path / "packets" / file.path)
    assert (found.metadata.num_row_groups, found.metadata.num_rows) == (1, 1000)
    assert found.read()["ingest_id"].to_pylist() == [item.ingest_id for item in captures for _ in range(50)]
    assert file.bounds["ingest_id"] == (min(c.ingest_id for c in captures), max(c.ingest_id for c in captures), 0)


def test_each_day_has_its_file_and_no_day_too(tmp_path: Path) -> None:
    rows = capture("a").tables["packets"]
    other = FIRST_DAY + dt.timedelta(days=1)
    with StagedWriter(tmp_path) as writer:
        for date in (FIRST_DAY, other, None, FIRST_DAY):
            writer.write("packets", rows, date)
        files = writer.finish()
    assert {(file.date, file.rows) for file in files} == {(FIRST_DAY, 80), (other, 40), (None, 40)}
    assert {file.path.partition("/")[0] for file in files} == {"date=2026-03-01", "date=2026-03-02", "date=__HIVE_DEFAULT_PARTITION__"}


def test_rows_without_any_are_no_file(tmp_path: Path) -> None:
    with StagedWriter(tmp_path) as writer:
        writer.write("packets", capture("a").tables["packets"].slice(0, 0), FIRST_DAY)
        assert writer.finish() == []
    assert names(tmp_path) == []


def test_an_exception_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = capture("a", packets=ROW_GROUP_ROWS).tables["packets"]

    def fail_half_way() -> None:
        with StagedWriter(tmp_path) as writer:
            writer.write("packets", rows, FIRST_DAY)
            writer.write("packets", rows, None)
            assert len(names(tmp_path)) == 2
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert names(tmp_path) == []


def test_threads_write_side_by_side_and_lose_nothing(tmp_path: Path) -> None:
    piece = ROW_GROUP_ROWS // 4
    rows = [capture(str(index), packets=piece).tables["packets"] for index in range(16)]
    with StagedWriter(tmp_path) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: writer.write("packets", part, FIRST_DAY), rows))
        files = writer.finish()
    assert sum(file.rows for file in files) == 16 * piece
    assert len(files) <= 4
    seen = pa.concat_tables(
        [pq.ParquetFile(tmp_path / "packets" / file.path).read(columns=["ingest_id", "frame_number"]) for file in files]
    )
    counts = seen.group_by("ingest_id").aggregate([("frame_number", "count_distinct")])
    assert counts["frame_number_count_distinct"].to_pylist() == [piece] * 16


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_table_may_end_before_the_others(tmp_path: Path, threads: int) -> None:
    """Its files are complete while rows of others come, and what comes of it all the same is not lost."""
    parts = [capture(str(number), packets=ROW_GROUP_ROWS // 2) for number in range(5)]
    with ThreadPoolExecutor(max(threads, 1)) as pool, StagedWriter(tmp_path, executor=pool if threads else None) as writer:
        for part in parts[:3]:
            writer.write("packets", part.tables["packets"], FIRST_DAY)
        writer.write("flows", parts[0].tables["flows"], FIRST_DAY)
        writer.end("packets")
        if threads:
            wait(writer._completing)
            assert {path.parent.parent.name for path in tmp_path.rglob("*.parquet")} == {"packets"}
        for part in parts[3:]:
            writer.write("packets", part.tables["packets"], FIRST_DAY)
        writer.write("flows", parts[1].tables["flows"], FIRST_DAY)
        files = writer.finish()
    found = [
        row for file in files if file.table == "packets" for row in pq.read_table(tmp_path / "packets" / file.path)["ingest_id"].to_pylist()
    ]
    assert sorted(found) == sorted(part.ingest_id for part in parts for _ in range(ROW_GROUP_ROWS // 2))
    assert sum(file.rows for file in files if file.table == "flows") == 2 * parts[0].tables["flows"].num_rows
    assert names(tmp_path) == sorted(Path(file.path).name for file in files)


def test_behind_the_end_of_a_table_smaller_row_groups_begin(tmp_path: Path) -> None:
    """All wait for what is still to be encoded then."""
    rows = capture("a", packets=ROW_GROUP_ROWS // 2).tables["packets"]
    with ThreadPoolExecutor(1) as pool, StagedWriter(tmp_path, executor=pool) as writer:
        writer.write("packets", rows, FIRST_DAY)
        writer._settle(0)
        assert names(tmp_path) == []
        writer.end("flows")
        writer.write("packets", rows, None)
        writer._settle(0)
        assert len(names(tmp_path)) == 1
        assert sum(file.rows for file in writer.finish()) == 2 * rows.num_rows
        writer.write("packets", rows, FIRST_DAY)
        writer._settle(0)
        assert len(names(tmp_path)) == 2, "and only until the end"
        assert sum(file.rows for file in writer.finish()) == rows.num_rows


def test_a_table_need_not_wait_for_another_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one whose own row group is on its way."""
    packets, flows = (capture("a", packets=ROW_GROUP_ROWS).tables[name] for name in ("packets", "flows"))
    encode, written = StagedWriter._encode, Event()

    def slowly(writer: StagedWriter, partition: staging.Partition, pieces: list[pa.Table]) -> None:
        if partition[0] == "packets" and pieces[0].num_rows == ROW_GROUP_ROWS:
            assert written.wait(10)
        encode(writer, partition, pieces)
        if partition[0] == "flows":
            written.set()

    monkeypatch.setattr(StagedWriter, "_encode", slowly)
    with ThreadPoolExecutor(1) as pool, StagedWriter(tmp_path, executor=pool) as writer:
        writer.write("packets", packets, FIRST_DAY)
        writer.write("packets", packets.slice(0, 10), FIRST_DAY)
        writer.write("flows", flows, FIRST_DAY)
        files = writer.finish()
    assert {(file.table, file.rows) for file in files} == {("packets", ROW_GROUP_ROWS + 10), ("flows", flows.num_rows)}


def test_a_fault_at_the_end_of_a_table_is_raised_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [OSError(errno.ENOSPC, "No space left on device")]

    def sync(_: str) -> None:
        if faults:
            raise faults.pop()

    monkeypatch.setattr(staging, "_sync", sync)
    with ThreadPoolExecutor(1) as pool:
        writer = StagedWriter(tmp_path, executor=pool)
        writer.write("packets", capture("a").tables["packets"], FIRST_DAY)
        writer.end("packets")
        wait(writer._completing)
        assert not faults, "it is over before anyone asks"
        with pytest.raises(WarehouseError, match="no space left on device"):
            writer.finish()
        writer.abandon()
    assert names(tmp_path) == []


def test_what_is_held_back_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BUFFERED_ROWS", 100)
    with StagedWriter(tmp_path) as writer:
        for day in range(10):
            writer.write("packets", capture(str(day), packets=30).tables["packets"], FIRST_DAY + dt.timedelta(days=day))
        assert names(tmp_path)
        assert sum(file.rows for file in writer.finish()) == 300


def test_large_files_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "FILE_BYTES", 1)
    rows = capture("a", packets=ROW_GROUP_ROWS).tables["packets"]
    with StagedWriter(tmp_path) as writer:
        writer.write("packets", rows, FIRST_DAY)
        writer.write("packets", rows, FIRST_DAY)
        assert [file.rows for file in writer.finish()] == [ROW_GROUP_ROWS] * 2


def fill_the_disk(path: str, most: int, results: list[str]) -> None:
    """A process whose files may have `most` bytes, as if the disk were full then."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    rows = capture("a", packets=ROW_GROUP_ROWS).tables["packets"]
    try:
        with StagedWriter(path) as writer:
            for _ in range(40):
                writer.write("packets", rows, FIRST_DAY)
            writer.finish()
    except WarehouseError as error:
        results.append(str(error))


@pytest.mark.parametrize("most", [0, 100, 300_000])
def test_a_full_disk_is_told_and_leaves_nothing_behind(most: int, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        results = manager.list()
        process = context.Process(target=fill_the_disk, args=(str(tmp_path), most, results))
        process.start()
        process.join()
        assert process.exitcode == 0
        [message] = results
    assert "cannot be written" in message
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_begun_nor_closed_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unclosable:
        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    def begin(location: Location) -> Unclosable:
        Path(location.path).write_bytes(b"begun")
        return Unclosable()

    def refuse(*_: object) -> None:
        assert len(names(tmp_path)) == 1
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Location, "open_output", begin)
    monkeypatch.setattr(staging, "ParquetSink", refuse)
    with pytest.raises(WarehouseError, match="no space left on device"):
        staging.OpenFile(Location.parse(tmp_path), "packets", FIRST_DAY)
    assert names(tmp_path) == []
