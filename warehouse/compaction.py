"""Compaction: few large files in the place of many small ones, without the rows that do not count.

A query pays for every file it opens, so that thousands of small files make it slow. Readers and writers go on meanwhile: what a
reader has chosen stays on the disk until a vacuum, and files are exchanged in one commit, or not at all when another compaction
was faster.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .captures import select
from .due import SMALL_BYTES
from .errors import WarehouseError, reason
from .locations import Location
from .parquet import UNREADABLE, is_dictionary
from .schema import Table
from .snapshot import TIME_COLUMNS, Snapshot
from .staging import DataFile, StagedWriter, is_unharmed
from .store import Warehouse
from .tables import BY_NAME, CAPTURES, PACKETS

GRACE_SECONDS = 3600.0
"""Rows of attempts that do not count stay for so long: their ingest may be about to commit."""


class Compacted(NamedTuple):
    """What became of one table's files of one day.

    Attributes:
        table: Name of the table.
        date: The partition.
        files: Files before and after.
        rows: Rows before and after, in those files.
        bytes: Bytes before and after, of those files.
    """

    table: str
    date: dt.date | None
    files: tuple[int, int]
    rows: tuple[int, int]
    bytes: tuple[int, int]


@dataclass
class _Task:
    """The files of one partition that are to be written anew, without some attempts' rows."""

    table: Table
    date: dt.date | None
    files: pa.Table
    drop: set[int] = field(default_factory=set)


def compact(
    warehouse: Warehouse,
    *,
    dates: Collection[dt.date | None] | None = None,
    forgotten: Collection[int] = (),
    jobs: int = 1,
    progress: Callable[[Compacted], None] | None = None,
) -> list[Compacted]:
    """Merge small files of each table and day, and leave out rows that do not count.

    Args:
        warehouse: The warehouse.
        dates: The partitions to look at; all when left out.
        forgotten: Attempts that were removed on purpose, whose rows go at once rather than after `GRACE_SECONDS`.
        jobs: Partitions that are written at a time.
        progress: Called after each partition.

    Returns:
        The partitions that were written anew.

    Raises:
        WarehouseError: A file is missing or damaged; nothing is lost by that, `verify` tells more.
    """
    snapshot = warehouse.snapshot()
    tasks = list(_tasks(warehouse, snapshot, dates, frozenset(forgotten)))
    done: list[Compacted] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for result in pool.map(lambda task: _rewrite(warehouse, task), tasks):
            if result is not None:
                done.append(result)
                if progress is not None:
                    progress(result)
    warehouse.merge_captures()
    return done


def _tasks(
    warehouse: Warehouse, snapshot: Snapshot, dates: Collection[dt.date | None] | None, forgotten: frozenset[int]
) -> Iterator[_Task]:
    """The partitions that are worth the work."""
    live = snapshot.ingest_ids
    pruned = _pruned(snapshot)
    found: list[tuple[Table, dt.date | None, pa.Table, list[set[int]]]] = []
    suspects: set[int] = set()
    for name, files in snapshot.actions.items():
        if name == CAPTURES.name or not files.num_rows:
            continue
        for date in set(files.column("partition.date").to_pylist()):
            if dates is not None and date not in dates:
                continue
            group = _in_order(_of_date(files, date), name)
            drops = _drops(warehouse, name, group, live, pruned, forgotten)
            if drops is not None:
                suspects.update(*drops)
                found.append((BY_NAME[name], date, group, drops))
    dead = warehouse.mark_dead(suspects - live) if suspects - live else frozenset()
    for table, date, group, drops in found:
        droppable = dead | pruned if table is PACKETS else dead
        small = pc.less(group.column("size_bytes"), SMALL_BYTES).to_numpy()
        going = np.array([bool(drop & droppable) for drop in drops])
        if (small | going).sum() >= 2:
            going |= small
        if going.any():
            chosen = [drop & droppable for drop, goes in zip(drops, going, strict=True) if goes]
            yield _Task(table, date, group.filter(pa.array(going)), set().union(*chosen))


def _drops(
    warehouse: Warehouse, name: str, files: pa.Table, live: frozenset[int], pruned: frozenset[int], forgotten: frozenset[int]
) -> list[set[int]] | None:
    """Per file the attempts whose rows may go; None when others have exchanged the files and a vacuum has removed them."""
    old_ms = (time.time() - GRACE_SECONDS) * 1000
    drops = []
    for row in files.select(["path", "modification_time", "min.ingest_id", "max.ingest_id"]).to_pylist():
        location = warehouse.root.join(name, *row["path"].split("/"))
        try:
            there = _attempts_in(location, row["min.ingest_id"], row["max.ingest_id"])
        except WarehouseError:
            if warehouse.holds(name, [row["path"]]):
                raise
            return None
        drops.append({ingest_id for ingest_id in there - live if row["modification_time"] < old_ms or ingest_id in forgotten})
        if name == PACKETS.name:
            drops[-1] |= there & pruned
    return drops


def _pruned(snapshot: Snapshot) -> frozenset[int]:
    """Attempts whose rows in `packets` have been given up."""
    return frozenset(snapshot.captures.filter(pc.is_valid(snapshot.captures["packets_pruned_ns"]))["ingest_id"].to_pylist())


def _of_date(files: pa.Table, date: dt.date | None) -> pa.Table:
    column = files.column("partition.date")
    return files.filter(pc.is_null(column) if date is None else pc.equal(column, pa.scalar(date)))


def _in_order(files: pa.Table, table: str) -> pa.Table:
    """Files in the order of their first row's time, so that merged row groups can be skipped by time."""
    column = f"min.{TIME_COLUMNS[table][0]}" if table in TIME_COLUMNS else "modification_time"
    return files.sort_by([(column if column in files.column_names else "modification_time", "ascending")])


def _attempts_in(location: Location, low: int | None, high: int | None) -> set[int]:
    """The attempts that have rows in a file; it is opened only when its bounds leave that open."""
    if low is not None and low == high:
        return {low}
    with _opened(location) as found:
        return set(pc.unique(found.read(columns=["ingest_id"]).column("ingest_id")).to_pylist())


def _opened(location: Location, *, dictionaries: Collection[str] = ()) -> pq.ParquetFile:
    """The file, with page checksums verified and the text columns `dictionaries`, where it has them, read as such."""
    try:
        metadata = pq.read_metadata(location.path, filesystem=location.filesystem()) if dictionaries else None
        present = set(metadata.schema.names) if metadata is not None else set()
        return pq.ParquetFile(
            location.path,
            filesystem=location.filesystem(),
            metadata=metadata,
            page_checksum_verification=True,
            read_dictionary=[name for name in dictionaries if name in present],
        )
    except UNREADABLE as error:
        raise WarehouseError(f"{location}: cannot be read: {reason(error)}; run `caphouse verify`.") from error


def row_groups(location: Location, table: Table) -> Iterator[pa.Table]:
    """The rows of a file, a row group at a time, repeated text as dictionaries, page checksums verified.

    Raises:
        WarehouseError: The file is missing or damaged.
    """
    with _opened(location, dictionaries=[column.name for column in table.stored if is_dictionary(column)]) as found:
        present = set(found.schema_arrow.names)
        columns = [column.name for column in table.stored if column.name in present]
        for index in range(found.num_row_groups):
            try:
                yield found.read_row_group(index, columns=columns, use_threads=False)
            except UNREADABLE as error:
                raise WarehouseError(f"{location}: row group {index} is damaged: {reason(error)}; run `caphouse verify`.") from error


def _rewrite(warehouse: Warehouse, task: _Task) -> Compacted | None:
    """Carry one task out; None when another compaction was faster."""
    try:
        coming = _merged(warehouse, task)
    except WarehouseError:
        if warehouse.holds(task.table.name, task.files.column("path").to_pylist()):
            raise
        return None  # and a vacuum has removed what it took out
    if not warehouse.swap_files(task.table.name, task.files, coming):
        warehouse.discard(coming)
        return None
    return Compacted(
        task.table.name,
        task.date,
        files=(task.files.num_rows, len(coming)),
        rows=(pc.sum(task.files.column("num_records")).as_py(), sum(file.rows for file in coming)),
        bytes=(pc.sum(task.files.column("size_bytes")).as_py(), sum(file.bytes for file in coming)),
    )


def _merged(warehouse: Warehouse, task: _Task) -> list[DataFile]:
    """The files of a task, written as few."""
    with StagedWriter(warehouse.root) as writer:
        for path in task.files.column("path").to_pylist():
            location = warehouse.root.join(task.table.name, *path.split("/"))
            try:
                is_whole = is_unharmed(location)
            except OSError as error:
                raise WarehouseError(f"{location}: cannot be read: {reason(error)}; run `caphouse verify`.") from error
            if not is_whole:
                raise WarehouseError(f"{location}: the file is not as it was written; run `caphouse verify`.")
            for rows in row_groups(location, task.table):
                writer.write(task.table.name, select(rows, task.drop, inside=False) if task.drop else rows, task.date)
        return writer.finish()
