"""What an administrator does with a warehouse, apart from `compaction` and `verification`: prune, forget, vacuum, export."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Container, Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from . import originals
from .captures import select
from .compaction import Compacted, compact, row_groups
from .errors import UsageError, WarehouseConflict, WarehouseError, reason
from .locations import Location
from .parquet import DICTIONARY_TYPE
from .snapshot import Snapshot
from .store import Warehouse
from .tables import BY_NAME, CAPTURES, PACKETS, TABLES

RETENTION_HOURS = 168
"""Files that are no longer part of a table stay for a week: readers may still be reading them."""

LEAST_RETENTION_HOURS = 1
"""Less would take files away under readers, and from writers that have not committed yet."""


class Pruned(NamedTuple):
    """What a prune or forget did.

    Attributes:
        captures: Captures that were removed, or whose packets were.
        compacted: The partitions that were written anew for it.
    """

    captures: int
    compacted: list[Compacted]


class Vacuumed(NamedTuple):
    """What a vacuum removed, or would remove: the files' locations and their bytes in all."""

    files: list[str]
    bytes: int


def prune(warehouse: Warehouse, before_ns: int, *, packets_only: bool = False, with_originals: bool = False, jobs: int = 1) -> Pruned:
    """Remove captures that ended long ago.

    Args:
        warehouse: The warehouse.
        before_ns: Captures whose last packet is earlier go (nanoseconds since the epoch); a capture without times goes by when it was
            ingested.
        packets_only: Remove only their rows of `packets`: handshakes, flows and rollups stay, so that history survives cheaply.
        with_originals: Remove originals with the packets. Where a capture goes as a whole, its original goes anyway.
        jobs: Partitions that are written at a time.
    """
    snapshot = warehouse.snapshot([PACKETS.name] if packets_only else [])
    captures = snapshot.captures
    end = pc.coalesce(captures["last_ts_ns"], captures["ingested_ns"])
    old = captures.filter(pc.less(end, before_ns))
    dates: set[dt.date | None] = set()
    if packets_only:
        if with_originals:
            _remove_originals(warehouse, old["capture_id"].to_pylist(), standing=())
        # An earlier prune may have been killed before it wrote the partitions anew.
        left = snapshot.actions[PACKETS.name]
        dates = set(old.filter(pc.is_valid(old["packets_pruned_ns"]))["date"].to_pylist())
        dates &= set(left["partition.date"].to_pylist()) if left.num_rows else set()
        old = old.filter(pc.and_(pc.is_null(old["packets_pruned_ns"]), pc.greater(old["packets"], 0)))
    ids = old["ingest_id"].to_pylist()
    dates |= set(old["date"].to_pylist())
    if not dates:
        return Pruned(0, [])
    if packets_only:
        count = warehouse.amend(ids, "packets_pruned_ns", time.time_ns())
    else:
        count = warehouse.remove(ids)
        _remove_originals(warehouse, old["capture_id"].to_pylist(), standing=warehouse.known().by_content)
    return Pruned(count, compact(warehouse, dates=dates, forgotten=ids, jobs=jobs))


def find_captures(snapshot: Snapshot, text: str) -> pa.Table:
    """The captures that a person means.

    Args:
        snapshot: Where to look.
        text: The beginning of a `capture_id` (four digits or more), a file name, or a source as it was given.

    Raises:
        UsageError: There is none, or the beginning of an id fits several.
    """
    captures = snapshot.captures
    digits = text.lower()
    if len(digits) >= 4 and not set(digits) - set("0123456789abcdef"):
        found = captures.filter(pc.starts_with(captures["capture_id"], digits))
        if found.num_rows > 1:
            raise UsageError(f"{text}: {found.num_rows} captures have ids that begin so; give more digits.")
        if found.num_rows:
            return found
    source = Location.parse(text).uri
    found = captures.filter(pc.or_kleene(pc.equal(captures["file_name"], text), pc.is_in(captures["source_uri"], pa.array([text, source]))))
    if not found.num_rows:
        raise UsageError(f"{text}: there is no such capture; `caphouse captures` lists them.")
    return found


def forget(warehouse: Warehouse, texts: Iterable[str], *, jobs: int = 1) -> Pruned:
    """Remove captures, with all their rows and originals. The files that held the rows are removed by the next vacuum.

    Args:
        warehouse: The warehouse.
        texts: The captures, as `find_captures` takes them.
        jobs: Partitions that are written at a time.

    Raises:
        UsageError: One of them is not there; then none is removed.
    """
    snapshot = warehouse.snapshot([])
    found = [find_captures(snapshot, text) for text in texts]
    if not found:
        return Pruned(0, [])
    captures = pa.concat_tables(found)
    ids = captures["ingest_id"].to_pylist()
    count = warehouse.remove(ids)
    _remove_originals(warehouse, captures["capture_id"].to_pylist(), standing=warehouse.known().by_content)
    return Pruned(count, compact(warehouse, dates=set(captures["date"].to_pylist()), forgotten=ids, jobs=jobs))


def _remove_originals(warehouse: Warehouse, capture_ids: Iterable[str], *, standing: Container[str]) -> None:
    """Remove the originals of captures, except those that are in the warehouse by another ingest."""
    for capture_id in capture_ids:
        if capture_id not in standing:
            originals.remove(warehouse.root, capture_id)


def vacuum(warehouse: Warehouse, *, retention_hours: int = RETENTION_HOURS, dry_run: bool = False) -> Vacuumed:
    """Remove files that are no part of any table any more, or never became one, and originals of captures that are not there.

    Args:
        warehouse: The warehouse.
        retention_hours: Files stay that were part of a table, or were written, within this time. Older ones that are no part of a table
            yet are refused by it from now on, so that no table comes to name what is removed (`Warehouse.mark_vacuumed`).
        dry_run: Only say which.

    Raises:
        UsageError: The retention is shorter than `LEAST_RETENTION_HOURS`.
        WarehouseError: A table cannot be read or cleaned.
    """
    if retention_hours < LEAST_RETENTION_HOURS:
        raise UsageError(f"Files must stay for {LEAST_RETENTION_HOURS} hour at least, for those who read or write at this moment.")
    files: list[str] = []
    size = 0
    for table in TABLES:
        folder = warehouse.root.join(table.name)
        sizes = {entry.location.path: entry.size for entry in folder.contents()}
        going = [folder.join(*path.split("/")) for path in _vacuum_table(warehouse, table.name, retention_hours, dry_run=dry_run)]
        files += [location.uri for location in going]
        size += sum(sizes.get(location.path, 0) for location in going)
    try:
        left = originals.sweep(warehouse.root, warehouse.known().by_content, age_seconds=retention_hours * 3600, dry_run=dry_run)
    except OSError as error:
        raise WarehouseError(f"{warehouse.root.join(originals.FOLDER)}: cannot be cleaned: {reason(error)}.") from error
    files += [entry.location.uri for entry in left]
    size += sum(entry.size for entry in left)
    return Vacuumed(files, size)


def _vacuum_table(warehouse: Warehouse, name: str, retention_hours: int, *, dry_run: bool) -> list[str]:
    """Vacuum one table; the paths below its folder that went."""
    folder = warehouse.root.join(name)
    # deltalake would leave notes in the log of what it removes. On a full disk there is no space for them, and a vacuum is to make some.
    by_hand = folder.is_local and not dry_run
    for _ in warehouse.attempts():
        try:
            table = warehouse.table(name) if dry_run else _marked(warehouse, name, retention_hours)
            going: list[str] = table.vacuum(retention_hours, dry_run=dry_run or by_hand, enforce_retention_duration=False, full=True)
            for path in going if by_hand else ():
                folder.join(*path.split("/")).delete()
            if not dry_run:
                table.cleanup_metadata()
        except CommitFailedError:
            continue  # others have exchanged files meanwhile; those that had gone already are gone
        except (DeltaError, OSError) as error:
            raise WarehouseError(f"{folder}: cannot be cleaned: {reason(error)}.") from error
        return going
    raise AssertionError("unreachable: attempts raises")


def _marked(warehouse: Warehouse, name: str, retention_hours: int) -> DeltaTable:
    """A table that refuses what a vacuum is about to remove."""
    try:
        return warehouse.mark_vacuumed(name, time.time_ns() // 1_000_000 - retention_hours * 3_600_000)
    except WarehouseConflict:
        raise
    except WarehouseError:
        if not warehouse.root.is_local:
            raise
        # On a full disk nobody commits; and each commit looks whether its files are there.
        return warehouse.table(name)


def export(warehouse: Warehouse, target: str | Location, tables: Collection[str] | None = None) -> dict[str, int]:
    """Write plain Parquet for tools that read a folder by a pattern: only rows that count, with their `capture_id`.

    Args:
        warehouse: The warehouse.
        target: A folder that is empty or not there; it gets `TABLE/date=DAY/part-0.parquet`.
        tables: Names of tables; all when left out.

    Returns:
        Rows written per table.

    Raises:
        UsageError: The folder has something in it, or there is no such table.
    """
    location = Location.parse(target)
    unknown = set(tables or ()) - set(BY_NAME)
    if unknown:
        raise UsageError(f"There is no table {', '.join(sorted(unknown))}.")
    if location.contents():
        raise UsageError(f"{location}: the folder for the export must be empty.")
    chosen = [table for table in TABLES if tables is None or table.name in tables]
    snapshot = warehouse.snapshot([table.name for table in chosen])
    rows = {table.name: 0 for table in chosen}
    for table in chosen:
        if table is CAPTURES:
            rows[table.name] = _write_part(location.join(table.name), [snapshot.captures])
            continue
        files = snapshot.actions[table.name]
        for date in sorted(set(files["partition.date"].to_pylist()), key=str) if files.num_rows else []:
            paths = [path for path, day in zip(files["path"].to_pylist(), files["partition.date"].to_pylist(), strict=True) if day == date]
            folder = location.join(table.name, paths[0].split("/", maxsplit=1)[0])
            pieces = (
                _with_capture_id(piece, snapshot, without_pruned=table is PACKETS)
                for path in paths
                for piece in row_groups(snapshot.root.join(table.name, *path.split("/")), table)
            )
            rows[table.name] += _write_part(folder, pieces)
    return rows


def _with_capture_id(rows: pa.Table, snapshot: Snapshot, *, without_pruned: bool) -> pa.Table:
    """The rows that count, with `capture_id` in the place of `ingest_id`."""
    captures = snapshot.captures
    if without_pruned:
        captures = captures.filter(pc.is_null(captures["packets_pruned_ns"]))
    rows = select(rows, set(captures["ingest_id"].to_pylist()))
    codes = pc.index_in(rows["ingest_id"], captures["ingest_id"].combine_chunks()).combine_chunks()
    names = pa.DictionaryArray.from_arrays(codes.cast(DICTIONARY_TYPE.index_type), captures["capture_id"].combine_chunks())
    return rows.set_column(rows.column_names.index("ingest_id"), "capture_id", names)


def _write_part(folder: Location, pieces: Iterable[pa.Table]) -> int:
    """Write pieces of one schema as one file, if there are any rows; how many there were."""
    rows = 0
    writer = None
    output = None
    for piece in pieces:
        if not piece.num_rows:
            continue
        if writer is None:
            folder.make_folder()
            output = folder.join("part-0.parquet").open_output()
            writer = pq.ParquetWriter(output, piece.schema, version="2.6", compression="zstd", compression_level=1, store_schema=False)
        writer.write_table(piece)
        rows += piece.num_rows
    if writer is not None and output is not None:
        writer.close()
        output.close()
    return rows
