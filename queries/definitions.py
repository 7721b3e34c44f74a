"""The tables and views of one snapshot, within one scope, on one DuckDB connection; each is created when it is first needed.

Creating one costs a few milliseconds, because DuckDB looks into all that it reads; a question rarely needs more than three.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from ..warehouse.errors import UsageError
from ..warehouse.tables import BY_NAME
from . import catalog, relations
from .scope import MINUTE_NS, Range, Scope

if TYPE_CHECKING:
    import datetime as dt

    import duckdb

EVERYTHING = Scope()

_PARTS = ("_whole_minutes", "_edge_packets")
"""What `traffic` is made of when a time is asked for."""

_HEAVY = frozenset({"traffic", "_traffic_all", "_traffic_once", "_duplicate_packets"})
"""Views that are worth being kept when they are read more than once."""

_ONCE = {"traffic": "_traffic_once", "_connections": "_connections_once"}
"""Views that count everything once when that is asked for, and those that take their place then."""

_SMALL_ROWS = 10_000
"""Rows of a file for which opening it takes about as long as keeping them for the next step that reads them."""

_SLACK_NS = 100_000
"""Copies of one packet are stamped within this time; `_duplicate_packets` says so, too."""

_ROW_TIMES = {"packets": "ts_ns", "handshakes": "first_ts_ns"}


class Snapshot(Protocol):
    """What the engine needs of `warehouse.snapshot.Snapshot`."""

    def uris(
        self,
        table: str,
        *,
        time_range_ns: Range | None = None,
        ingest_ids: Collection[int] | None = None,
        days: Collection[dt.date | None] | None = None,
    ) -> list[str]:
        """Paths or URIs of the table's files that may hold rows of that time and of these ingests, whose captures began on `days`."""
        ...

    def rows_per_file(self, table: str) -> float:
        """Rows that a file of the table has on average."""
        ...


class Definitions:
    """Tables and views on a connection.

    Args:
        connection: Gets `captures` at once, the rest by `ensure`.
        snapshot: What the warehouse held.
        scope: Which captures and which time the names stand for.
        temporary: Whether they are seen on this connection only, rather than on all of its database.

    Raises:
        UsageError: No capture has the host or name that the scope asks for, or a prefix fits several captures.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, scope: Scope, *, temporary: bool) -> None:
        self._connection = connection
        self._scope = scope
        self._temporary = "temp " if temporary else ""
        self._define_captures(snapshot)
        self._files = _Files(snapshot, connection, scope)
        self._defined: set[str] = set()

    def ensure(self, names: Iterable[str]) -> None:
        """Creates those of the named tables and views, and of what they read, that are not there yet."""
        for name, sql in self._selects(names).items():
            self._create(name, sql)

    def ensure_alone(self, names: Iterable[str]) -> None:
        """Creates those of the named tables and views that are not there yet, each with what it reads and is not there inside it.

        DuckDB looks into a view again wherever another reads it; this way it does so once for each name.
        """
        asked = set(names)
        within: dict[str, str] = {}
        for name, sql in self._selects(asked).items():
            if name in self._defined:
                continue
            if name in asked:
                self._create(name, _with([f"{step} as not materialized ({select})" for step, select in within.items()], sql))
            else:
                within[name] = sql

    def _create(self, name: str, sql: str) -> None:
        if name not in self._defined:
            self._connection.execute(f"create {self._temporary}view {name} as {sql}")
            self._defined.add(name)

    def around(self, sql: str, names: Iterable[str]) -> str:
        """Returns a SELECT that brings the named tables and views with it, so that none need be created.

        DuckDB looks into one such statement once, but into views that read views again for each that is created. Traffic that
        several steps read is not kept in between, which takes a third of the memory, and each step reads the files for itself; where
        these are small, whether they are read once for all steps is left to DuckDB. The traffic of a time range takes joins to make,
        and is kept.
        """
        selects = self._selects(names)
        texts = [*selects.values(), sql]
        steps = []
        for name, select in selects.items():
            read = sum(len(re.findall(rf"\b(?:from|join) {name}\b", text)) for text in texts)
            keep = ""
            if self._scope.timed or self._scope.deduplicate:
                if read > 1 and (name in BY_NAME or name in _HEAVY):
                    keep = "materialized "
            elif name in _HEAVY or (name in BY_NAME and not self._files.are_small(name)):
                keep = "not materialized "
            steps.append(f"{name} as {keep}({select})")
        return _with(steps, sql)

    def _selects(self, names: Iterable[str]) -> dict[str, str]:
        """Names and SELECTs of the named tables and views and of what they read, in order of need; `captures` is there already."""
        selects: dict[str, str] = {}

        def add(name: str) -> None:
            if name == "captures" or name in selects:
                return
            if self._scope.deduplicate and name in _ONCE:
                if name == "traffic":
                    selects["_traffic_all"] = self._select(name, add)
                once = catalog.view(_ONCE[name])
                for needed in catalog.in_order(once.needs):
                    if needed != name:
                        add(needed)
                selects[name] = once.sql
            else:
                selects[name] = self._select(name, add)

        for name in catalog.in_order(names):
            add(name)
        return selects

    def _select(self, name: str, add: Callable[[str], None]) -> str:
        """The SELECT of a table or view; `add` is told of the parts that it needs in this scope."""
        if name in BY_NAME or name in _PARTS:
            return self._table(name)
        if name == "_overlapping_packets":
            return self._overlapping()
        if name == "traffic" and self._scope.timed:
            for part in _PARTS:
                add(part)
            return catalog.view("_traffic_between").sql
        return catalog.view(name).sql

    def _table(self, name: str) -> str:
        """Returns the SELECT of a table in this scope, or of one of the two parts of `traffic` in a time range."""
        files, scope = self._files, self._scope
        if name == "_whole_minutes":
            minutes = scope.whole_minutes
            chosen = files.of("flow_minutes", [(_times(minutes[0], MINUTE_NS), _times(minutes[1], MINUTE_NS))])
            return relations.live_rows(BY_NAME["flow_minutes"], chosen, relations.within("minute", [minutes]))
        if name == "_edge_packets":
            return relations.live_rows(BY_NAME["packets"], files.of("packets", scope.edges_ns), relations.within("ts_ns", scope.edges_ns))
        bounds = (scope.since_ns, scope.until_ns)
        if scope.timed and name == "flow_minutes":
            first = None if scope.since_ns is None else scope.since_ns // MINUTE_NS
            stop = None if scope.until_ns is None else -(-scope.until_ns // MINUTE_NS)
            return relations.live_rows(BY_NAME[name], files.of(name, [bounds]), relations.within("minute", [(first, stop)]))
        if scope.timed and name in _ROW_TIMES:
            return relations.live_rows(BY_NAME[name], files.of(name, [bounds]), relations.within(_ROW_TIMES[name], [bounds]))
        return relations.live_rows(BY_NAME[name], files.of(name))

    def _overlapping(self) -> str:
        """Returns the SELECT of the packets of captures that overlap others; few files are read for it, mostly none."""
        pairs = self._connection.sql(catalog.view("overlapping_captures").sql)
        found = pairs.project("ingest_id, earlier_ingest_id, start_ts_ns, end_ts_ns").fetchall()
        table, scope = BY_NAME["packets"], self._scope
        if not found:
            return relations.live_rows(table, [])
        ingest_ids = sorted({ingest_id for row in found for ingest_id in row[:2]})
        first, stop = min(row[2] for row in found) - _SLACK_NS, max(row[3] for row in found) + _SLACK_NS + 1
        bounds = (max(first, scope.since_ns or first), min(stop, scope.until_ns or stop))
        of_them = f"ingest_id in ({', '.join(map(str, ingest_ids))})"
        chosen = self._files.of("packets", [bounds], ingest_ids)
        return relations.live_rows(table, chosen, f"{of_them} and {relations.within('ts_ns', [bounds])}")

    def _define_captures(self, snapshot: Snapshot) -> None:
        """Creates `captures` with the scope's captures: a view, because most questions need few of its many columns."""
        connection, scope = self._connection, self._scope
        rows = relations.captures(snapshot.uris("captures"))
        conditions = []
        if scope.hosts:
            present = {host for (host,) in connection.execute(f"select distinct host from ({rows})").fetchall()}  # noqa: S608 - of declared names
            for host in scope.hosts:
                if host not in present:
                    raise UsageError(f"no capture is of host {host!r}")
            conditions.append(f"host in ({', '.join(map(relations.quoted, scope.hosts))})")
        if scope.captures:
            within = f"{rows} where {' and '.join(conditions)}" if conditions else rows
            chosen = [str(found) for name in scope.captures for found in _find_captures(connection, within, name)]
            conditions.append(f"ingest_id in ({', '.join(chosen)})")
        if scope.timed:
            began = relations.within("first_ts_ns", [(None, scope.until_ns)])
            ended = relations.within("last_ts_ns", [(scope.since_ns, None)])
            conditions += [began, ended]
        where = f" where {' and '.join(conditions)}" if conditions else ""
        connection.execute(f"create {self._temporary}view captures as {rows}{where}")


def _with(steps: Sequence[str], sql: str) -> str:
    """Puts steps before those that a SELECT has."""
    if not steps:
        return sql
    own = sql.removeprefix("with ")
    return f"with {', '.join(steps)}{' ' if own is sql else ', '}{own}"


def _find_captures(connection: duckdb.DuckDBPyConnection, rows: str, name: str) -> list[int]:
    """Returns the ingest_id of the captures called `name`: by file name or source URI, else by a prefix of one capture_id."""
    by_name = f"select ingest_id from ({rows}) where file_name = $1 or source_uri = $1"  # noqa: S608 - of declared names
    if found := connection.execute(by_name, [name]).fetchall():
        return [row[0] for row in found]
    by_prefix = f"select ingest_id from ({rows}) where starts_with(capture_id, lower($1))"  # noqa: S608 - of declared names
    found = connection.execute(by_prefix, [name]).fetchall() if name else []
    if not found:
        raise UsageError(f"no capture has the file name or the beginning of its id {name!r}")
    if len(found) > 1:
        raise UsageError(f"{name!r} is the beginning of {len(found)} capture ids; give more of it")
    return [found[0][0]]


class _Files:
    """Files of a snapshot that a scope touches."""

    def __init__(self, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
        self._snapshot = snapshot
        self._ingest_ids: list[int] | None = None
        self._days: set[dt.date | None] | None = None
        if scope != EVERYTHING:
            rows = connection.execute("select ingest_id, date from captures").fetchall()
            self._ingest_ids = [ingest_id for ingest_id, _ in rows]
            self._days = {day for _, day in rows}

    def of(self, table: str, ranges_ns: Sequence[Range] = ((None, None),), ingest_ids: Collection[int] | None = None) -> list[str]:
        """Files of the table that may hold rows of these of the scope's captures, or of all of them, in one of the ranges."""
        wanted = self._ingest_ids if ingest_ids is None else ingest_ids
        files = (self._snapshot.uris(table, time_range_ns=bounds, ingest_ids=wanted, days=self._days) for bounds in ranges_ns)
        return list(dict.fromkeys(chain.from_iterable(files)))

    def are_small(self, table: str) -> bool:
        """Whether the table's files, in and out of the scope, hold so few rows that opening them is most of the work of reading them."""
        return self._snapshot.rows_per_file(table) < _SMALL_ROWS


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor
