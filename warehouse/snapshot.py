"""The warehouse at one moment: which captures there are and which files hold their rows.

A snapshot is small (no packets), complete (a capture is in it with all its rows or not at all), and does not change while others
write. Files are chosen by day, time, capture and value before anything opens them: a query engine pays for every file it opens.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from .locations import Location

TIME_COLUMNS: Mapping[str, tuple[str, str, int]] = {
    "captures": ("first_ts_ns", "last_ts_ns", 1),
    "packets": ("ts_ns", "ts_ns", 1),
    "flows": ("first_ts_ns", "last_ts_ns", 1),
    "flow_minutes": ("minute", "minute", 60_000_000_000),
    "handshakes": ("first_ts_ns", "first_ts_ns", 1),
}
"""Per table: the columns of the earliest and the latest time of a row, and their unit in nanoseconds."""

TimeRange = tuple[int | None, int | None]
"""Nanoseconds since the epoch: from, and up to but not including; None leaves the side open."""

DateRange = tuple[dt.date | None, dt.date | None]
"""Days, both included; None leaves the side open."""


class TableFiles(Mapping[str, pa.Table]):
    """The files of each table, read from its log when they are first asked for.

    Args:
        known: Those that are there already.
        versions: The other tables' versions.
        load: Gives the files of a table in a version.
    """

    def __init__(self, known: Mapping[str, pa.Table], versions: Mapping[str, int], load: Callable[[str, int], pa.Table]) -> None:
        self._known = dict(known)
        self._names = [*known, *versions]
        self._versions = versions
        self._load = load
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._known:
                self._known[name] = self._load(name, self._versions[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Snapshot:
    """The state of a warehouse.

    Attributes:
        root: The warehouse.
        captures: All rows of `captures`, with the stored columns of its declaration.
        versions: Version of each table in the snapshot.
        actions: Per table its files: `path` (below the table's folder), `size_bytes`, `num_records`, `partition.date`, and
            `min.X`, `max.X`, `null_count.X` of each column X that keeps statistics.
    """

    root: Location
    captures: pa.Table
    versions: Mapping[str, int]
    actions: Mapping[str, pa.Table]

    @cached_property
    def ingest_ids(self) -> frozenset[int]:
        """The attempts that count: rows with any other `ingest_id` do not exist."""
        return frozenset(self.captures.column("ingest_id").to_pylist())

    @cached_property
    def _dates(self) -> dict[int, dt.date | None]:
        """Partition of each attempt's rows."""
        return dict(zip(self.captures.column("ingest_id").to_pylist(), self.captures.column("date").to_pylist(), strict=True))

    def files(
        self,
        table: str,
        *,
        dates: DateRange | None = None,
        time_range_ns: TimeRange | None = None,
        ingest_ids: Collection[int] | None = None,
        values: Mapping[str, object] | None = None,
    ) -> pa.Table:
        """The files of a table that may hold rows of interest; never too few, at times too many.

        Args:
            table: Name of the table.
            dates: Days on which captures began.
            time_range_ns: Time of the rows; ignored for tables without times.
            ingest_ids: Attempts; an empty collection gives no files.
            values: Values that a row must have, for columns that keep statistics; others are ignored.

        Returns:
            Rows of `actions[table]`.
        """
        files = self.actions[table]
        if not files.num_rows:
            return files
        keep = np.ones(files.num_rows, dtype=np.bool_)
        if dates is not None:
            keep &= self._on_dates(files, dates)
        if time_range_ns is not None and table in TIME_COLUMNS:
            keep &= _in_time(files, table, time_range_ns)
        if ingest_ids is not None:
            keep &= self._of_attempts(files, ingest_ids)
        for column, value in (values or {}).items():
            keep &= _between(files, column, value, value)
        return files if keep.all() else files.filter(pa.array(keep))

    def uris(
        self,
        table: str,
        *,
        dates: DateRange | None = None,
        time_range_ns: TimeRange | None = None,
        ingest_ids: Collection[int] | None = None,
        values: Mapping[str, object] | None = None,
    ) -> list[str]:
        """Paths, or URIs in object storage, of `files(...)`."""
        files = self.files(table, dates=dates, time_range_ns=time_range_ns, ingest_ids=ingest_ids, values=values)
        folder = self.root.join(table).file_uri
        return [f"{folder}/{path}" for path in files.column("path").to_pylist()]

    def rows(self, table: str) -> int:
        """Rows in the files of a table, including those of attempts that do not count."""
        return int(pc.sum(self.actions[table].column("num_records")).as_py() or 0)

    def _on_dates(self, files: pa.Table, dates: DateRange) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if "partition.date" not in files.column_names:
            return np.ones(files.num_rows, dtype=np.bool_)
        column = files.column("partition.date")
        keep = pc.is_valid(column)
        first, last = dates
        if first is not None:
            keep = pc.and_(keep, pc.greater_equal(column, pa.scalar(first)))
        if last is not None:
            keep = pc.and_(keep, pc.less_equal(column, pa.scalar(last)))
        return _mask(keep, otherwise=False)

    def _of_attempts(self, files: pa.Table, ingest_ids: Collection[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        wanted = np.sort(np.fromiter(ingest_ids, dtype=np.int64, count=len(ingest_ids)))
        low = files.column("min.ingest_id").to_numpy()
        high = files.column("max.ingest_id").to_numpy()
        keep = np.searchsorted(wanted, low, side="left") < np.searchsorted(wanted, high, side="right")
        if "partition.date" in files.column_names and wanted.size <= len(self._dates):
            days = {self._dates.get(ingest_id) for ingest_id in wanted.tolist()}
            in_days = pc.is_in(files.column("partition.date"), pa.array(sorted(day for day in days if day is not None), pa.date32()))
            no_day = pc.is_null(files.column("partition.date"))
            keep &= _mask(pc.or_(in_days, no_day) if None in days else in_days, otherwise=False)
        return np.asarray(keep, dtype=np.bool_)


def utc_date(ts_ns: int | None) -> dt.date | None:
    """The partition of a capture: the day (UTC) of its first packet; None without packets or for days that DATE cannot name."""
    if ts_ns is None:
        return None
    return dt.date(1970, 1, 1) + dt.timedelta(days=ts_ns // 86_400_000_000_000)


def _mask(values: pa.ChunkedArray, *, otherwise: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Arrow booleans as NumPy, with NULL as `otherwise`."""
    return np.asarray(pc.fill_null(values, otherwise).to_numpy(), dtype=np.bool_)


def _in_time(files: pa.Table, table: str, time_range_ns: TimeRange) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    first, last, unit = TIME_COLUMNS[table]
    since, until = time_range_ns
    keep = np.ones(files.num_rows, dtype=np.bool_)
    if since is not None:
        keep &= _between(files, last, since // unit, None)
    if until is not None:
        keep &= _between(files, first, None, (until - 1) // unit)
    return keep


def _between(files: pa.Table, column: str, low: object, high: object) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Files whose bounds of `column` meet [low, high]; those without bounds are kept."""
    keep = np.ones(files.num_rows, dtype=np.bool_)
    for name, test, bound in ((f"max.{column}", pc.greater_equal, low), (f"min.{column}", pc.less_equal, high)):
        if bound is not None and name in files.column_names:
            values = files.column(name)
            keep &= _mask(test(values, pa.scalar(bound, values.type)), otherwise=True)
    return keep
