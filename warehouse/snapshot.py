"""The warehouse at one moment: which captures there are and which files hold their rows.

A snapshot is small (no packets), complete (a capture is in it with all its rows or not at all), and does not change while others
write. Files are chosen by day, time, capture and value before anything opens them: a query engine pays for every file it opens.
They are chosen in plain Python: loading pyarrow takes longer than looking at the bounds of thousands of files.
"""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from .locations import Location


class Columns(Protocol):
    """What is needed of the columns that the log gives; pyarrow takes them over without a copy."""

    @property
    def column_names(self) -> Sequence[str]:
        """Names."""
        ...

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        ...

    def column(self, i: str, /) -> Any:  # noqa: ANN401 - of another library
        """A column, with `to_pylist`."""
        ...

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows, for any library that knows Arrow."""
        ...


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


class TableFiles(Mapping[str, "pa.Table"]):
    """The files of each table, read from its log when they are first asked for.

    Args:
        known: Those that are there already.
        versions: The other tables' versions.
        load: Gives the files of a table in a version, or None where there is no such table.
    """

    def __init__(
        self, known: Mapping[str, Columns | None], versions: Mapping[str, int], load: Callable[[str, int], Columns | None]
    ) -> None:
        self._known = dict(known)
        self._names = [*known, *versions]
        self._versions = versions
        self._load = load
        self._lock = threading.Lock()
        self._tables: dict[str, pa.Table] = {}

    def columns(self, name: str) -> Columns | None:
        """The files as the log has them, None where there is no such table."""
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._known:
                self._known[name] = self._load(name, self._versions[name])
        return self._known[name]

    def __getitem__(self, name: str) -> pa.Table:
        import pyarrow as pa

        columns = self.columns(name)
        with self._lock:
            if name not in self._tables:
                self._tables[name] = _no_files() if columns is None else pa.table(columns)
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Snapshot:
    """The state of a warehouse.

    Attributes:
        root: The warehouse.
        read_captures: Gives all rows of `captures`.
        versions: Version of each table in the snapshot.
        actions: Per table its files: `path` (below the table's folder), `size_bytes`, `num_records`, `partition.date`, and
            `min.X`, `max.X`, `null_count.X` of each column X that keeps statistics.
    """

    root: Location
    read_captures: Callable[[], pa.Table]
    versions: Mapping[str, int]
    actions: TableFiles

    @cached_property
    def captures(self) -> pa.Table:
        """All rows of `captures`, with the stored columns of its declaration."""
        return self.read_captures()

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
    ) -> pa.Table:
        """The files of a table that may hold rows of interest; never too few, at times too many.

        Args:
            table: Name of the table.
            dates: Days on which captures began.
            time_range_ns: Time of the rows; ignored for tables without times.
            ingest_ids: Attempts; an empty collection gives no files.

        Returns:
            Rows of `actions[table]`.
        """
        import pyarrow as pa

        keep = self._keep(table, dates, time_range_ns, ingest_ids, None)
        return self.actions[table].filter(pa.array(keep, pa.bool_()))

    def uris(
        self,
        table: str,
        *,
        dates: DateRange | None = None,
        time_range_ns: TimeRange | None = None,
        ingest_ids: Collection[int] | None = None,
        days: Collection[dt.date | None] | None = None,
    ) -> list[str]:
        """Paths, or URIs in object storage, of `files(...)`; `days` are those of `ingest_ids`, where the caller knows them."""
        files = self.actions.columns(table)
        if files is None:
            return []
        keep = self._keep(table, dates, time_range_ns, ingest_ids, days)
        folder = self.root.join(table).file_uri
        return [f"{folder}/{path}" for path, kept in zip(files.column("path").to_pylist(), keep, strict=True) if kept]

    def rows(self, table: str) -> int:
        """Rows in the files of a table, including those of attempts that do not count."""
        files = self.actions.columns(table)
        return 0 if files is None else sum(count or 0 for count in files.column("num_records").to_pylist())

    def rows_per_file(self, table: str) -> float:
        """Rows that a file of a table has on average; 0 without files."""
        files = self.actions.columns(table)
        return self.rows(table) / files.num_rows if files is not None and files.num_rows else 0.0

    def _keep(
        self,
        table: str,
        dates: DateRange | None,
        time_range_ns: TimeRange | None,
        ingest_ids: Collection[int] | None,
        days: Collection[dt.date | None] | None,
    ) -> list[bool]:
        """For each file of the table: whether it may hold rows of interest."""
        files = self.actions.columns(table)
        if files is None:
            return []
        tests = []
        partitioned = "partition.date" in files.column_names
        if dates is not None and partitioned:
            first, last = dates[0] or dt.date.min, dates[1] or dt.date.max
            tests.append([day is not None and first <= day <= last for day in files.column("partition.date").to_pylist()])
        if time_range_ns is not None and table in TIME_COLUMNS:
            earliest, latest, unit = TIME_COLUMNS[table]
            since, until = time_range_ns
            if since is not None:
                tests.append(_between(files, latest, since // unit, None))
            if until is not None:
                tests.append(_between(files, earliest, None, (until - 1) // unit))
        if ingest_ids is not None:
            wanted = sorted(ingest_ids)
            bounds = zip(files.column("min.ingest_id").to_pylist(), files.column("max.ingest_id").to_pylist(), strict=True)
            tests.append([bisect_left(wanted, low) < bisect_right(wanted, high) for low, high in bounds])
            if partitioned:
                of_attempts = frozenset(map(self._dates.get, wanted) if days is None else days)
                tests.append([day in of_attempts for day in files.column("partition.date").to_pylist()])
        return list(map(all, zip(*tests, strict=True))) if tests else [True] * files.num_rows


def utc_date(ts_ns: int | None) -> dt.date | None:
    """The partition of a capture: the day (UTC) of its first packet; None without packets or for days that DATE cannot name."""
    if ts_ns is None:
        return None
    return dt.date(1970, 1, 1) + dt.timedelta(days=ts_ns // 86_400_000_000_000)


def _between(files: Columns, column: str, low: Any, high: Any) -> list[bool]:  # noqa: ANN401 - values of any column
    """Files whose bounds of `column` meet [low, high]; those without bounds are kept."""
    keep = [True] * files.num_rows
    if low is not None and f"max.{column}" in files.column_names:
        keep = [bound is None or bound >= low for bound in files.column(f"max.{column}").to_pylist()]
    if high is not None and f"min.{column}" in files.column_names:
        bounds = files.column(f"min.{column}").to_pylist()
        keep = [kept and (bound is None or bound <= high) for kept, bound in zip(keep, bounds, strict=True)]
    return keep


def _no_files() -> pa.Table:
    import pyarrow as pa

    return pa.table({"path": pa.array([], pa.string()), "size_bytes": pa.array([], pa.int64()), "num_records": pa.array([], pa.int64())})
