"""The tables and views of one snapshot, within one scope, on one DuckDB connection; each is created when it is first needed.

Creating one costs a few milliseconds, because DuckDB looks into all that it reads; a question rarely needs more than three.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
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
        for name, sql in self._selects(names):
            if name not in self._defined:
                self._connection.execute(f"create {self._temporary}view {name} as {sql}")
                self._defined.add(name)

    def around(self, sql: str, names: Iterable[str]) -> str:
        """Returns a SELECT that brings the named tables and views with it, so that none need be created.

        DuckDB looks into one such statement once, but into views that read views again for each that is created. Steps that read
        the same files each read their own few columns, which takes less time and far less memory than to keep all rows in between;
        but the traffic of a time range takes joins to make, and is kept.
        """
        selects = list(self._selects(names))
        if not selects:
            return sql
        texts = [select for _, select in selects] + [sql]
        steps = []
        for name, select in selects:
            keep = ""
            if name in BY_NAME or name == "traffic":
                read = sum(len(re.findall(rf"\b(?:from|join) {name}\b", text)) for text in texts)
                keep = "not materialized " if not self._scope.timed else "materialized " if read > 1 else ""
            steps.append(f"{name} as {keep}({select})")
        own = sql.removeprefix("with ")
        return f"with {', '.join(steps)}{' ' if own is sql else ', '}{own}"

    def _selects(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Names and SELECTs of the named tables and views and of what they read, in order of need; `captures` is there already."""
        for name in catalog.in_order(names):
            if name == "captures":
                continue
            if name in BY_NAME:
                yield name, self._table(name)
            elif name == "traffic" and self._scope.timed:
                for part in ("_whole_minutes", "_edge_packets"):
                    yield part, self._table(part)
                yield name, catalog.view("_traffic_between").sql
            else:
                yield name, catalog.view(name).sql

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

    def of(self, table: str, ranges_ns: Sequence[Range] = ((None, None),)) -> list[str]:
        """Files of the table that may hold rows of the scope's captures in one of the ranges."""
        files = (self._snapshot.uris(table, time_range_ns=bounds, ingest_ids=self._ingest_ids, days=self._days) for bounds in ranges_ns)
        return list(dict.fromkeys(chain.from_iterable(files)))


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor
