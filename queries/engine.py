"""DuckDB over one snapshot of a warehouse.

A `Session` sees the warehouse as it was when the session was opened, however many writers go on meanwhile; `refresh` moves it on.
`connection` has all tables and views for free SQL. A report runs on a connection of its own, on which the same names hold
only the captures and the time that were asked for: so every report honours every scope, and none of them can forget one.
The files of a report are chosen from the warehouse's log before DuckDB opens any, because each opened footer costs 0.16 ms.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import duckdb

from ..warehouse.errors import UsageError
from ..warehouse.store import Warehouse
from ..warehouse.tables import BY_NAME, TABLES
from . import catalog, relations
from .scope import MINUTE_NS, Range, Scope, instant

if TYPE_CHECKING:
    import pyarrow as pa

MACROS = Path(__file__).parent / "macros.sql"

_ROW_TIMES = {"packets": "ts_ns", "handshakes": "first_ts_ns"}
_EVERYTHING = Scope()


class Snapshot(Protocol):
    """What the engine needs of `warehouse.snapshot.Snapshot`."""

    @property
    def captures(self) -> pa.Table:
        """All rows of `captures`, stored columns."""
        ...

    def uris(self, table: str, *, time_range_ns: Range | None = None, ingest_ids: Collection[int] | None = None) -> list[str]:
        """Paths or URIs of the table's files that may hold rows of that time and of these ingests."""
        ...


class Source(Protocol):
    """What the engine needs of `warehouse.store.Warehouse`."""

    def snapshot(self) -> Snapshot:
        """The warehouse as it is now."""
        ...


def connect() -> duckdb.DuckDBPyConnection:
    """Opens an empty DuckDB in memory that fetches nothing and sees no Python variable."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        },
    )
    connection.execute("set global TimeZone = 'UTC'")
    if macros := MACROS.read_text(encoding="utf-8").strip():
        connection.execute(macros)
    return connection


class Session:
    """Questions to one warehouse.

    Args:
        warehouse: Where snapshots come from.
        sandbox: Directory beside which `connection` may read no file and no network, and where `sql` takes SELECT only;
            None for no sandbox.
    """

    def __init__(self, warehouse: Source, *, sandbox: str | None = None) -> None:
        self._warehouse = warehouse
        self._sandbox = sandbox
        self._snapshot = warehouse.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees DuckDB's memory; relations of this session can no longer be read."""
        if "connection" in self.__dict__:
            self.connection.close()
            del self.__dict__["connection"]
        if "_database" in self.__dict__:
            self._database.close()
            del self.__dict__["_database"]

    def refresh(self) -> None:
        """Moves on to the warehouse as it is now."""
        self.close()
        self._snapshot = self._warehouse.snapshot()

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        return connect()

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with all tables and views, commented.

        In memory: what is created or changed on it is gone with the session and never reaches the warehouse.
        """
        connection = connect()
        names = catalog.in_order([table.name for table in TABLES] + [name for name in catalog.view_names() if not name.startswith("_")])
        self._define(connection, names, _EVERYTHING, temporary=False)
        columns: dict[str, list[str]] = {}
        for name, column in connection.execute(
            "select table_name, column_name from duckdb_columns() where not internal order by column_index"
        ).fetchall():
            columns.setdefault(name, []).append(column)
        connection.execute(relations.comments(names, columns))
        if self._sandbox is not None:
            connection.execute(f"set allowed_directories = [{relations.quoted(self._sandbox)}]")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        return connection

    def sql(self, query: str, **params: object) -> duckdb.DuckDBPyRelation:
        """Runs SQL over the tables and views.

        Args:
            query: One statement of DuckDB's SQL; `$name` stands for the parameter of that name.
            params: Values of the parameters, bound, never pasted.

        Returns:
            A relation: read it with `.fetchall()`, `.to_arrow_table()`, `.df()`, ...; without rows for statements that give none.

        Raises:
            UsageError: The statement is empty, or the sandbox does not allow it.
            duckdb.Error: DuckDB refuses it.
        """
        statements = self.connection.extract_statements(query)
        if not statements:
            raise UsageError("there is no SQL statement to run")
        if self._sandbox is not None and any(statement.type != duckdb.StatementType.SELECT for statement in statements):
            raise UsageError("the sandbox allows SELECT statements only")
        *before, last = statements
        for statement in before:
            self.connection.execute(statement)
        relation = self.connection.sql(last.query, params=params or None)
        if relation is None:
            return self.connection.sql('select true as "Success" where false')
        return relation

    def report(
        self,
        name: str,
        *,
        since: str | int | None = None,
        until: str | int | None = None,
        host: str | Sequence[str] = (),
        capture: str | Sequence[str] = (),
        **params: object,
    ) -> duckdb.DuckDBPyRelation:
        """Runs a report.

        Args:
            name: Its name; see `catalog.report_names()`.
            since: Only packets at or after this instant: ISO 8601 text (UTC unless it has an offset) or nanoseconds since the epoch.
            until: Only packets before this instant.
            host: Only captures of this host, or of these.
            capture: Only this capture, or these: prefix of the capture_id, file name or source URI.
            params: The report's own parameters.

        Returns:
            A relation with the columns that the report's header describes.

        Raises:
            UsageError: There is no such report, parameter, host or capture, or a value makes no sense.
        """
        scope = Scope(
            since_ns=instant(since) if isinstance(since, str) else since,
            until_ns=instant(until) if isinstance(until, str) else until,
            hosts=(host,) if isinstance(host, str) else tuple(host),
            captures=(capture,) if isinstance(capture, str) else tuple(capture),
        )
        definition = catalog.report(name)
        values = bind(definition, params)
        connection = self.scoped(definition.needs, scope)
        return connection.sql(definition.sql, params=values or None)

    def scoped(self, needs: Sequence[str], scope: Scope) -> duckdb.DuckDBPyConnection:
        """Returns a connection of its own on which the needed tables and views hold what `scope` asks for, and no more.

        With a time range: `captures` are those with packets around it, `packets` those in it, `handshakes` those whose connection's
        first packet is in it, `flow_minutes` the minutes that touch it, and `traffic` the flows with counters of exactly the packets
        in it. `flows`, `interfaces` and `addresses` are those of the captures, whole.
        """
        connection = self._database.cursor()
        self._define(connection, catalog.in_order(["captures", *needs]), scope, temporary=True)
        return connection

    def _define(self, connection: duckdb.DuckDBPyConnection, names: Sequence[str], scope: Scope, *, temporary: bool) -> None:
        """Creates the named tables and views, which come in order of need, on the connection."""
        self._load_captures(connection, scope, temporary=temporary)
        files = _Files(self._snapshot, connection, scope)
        create = "create temp view" if temporary else "create view"
        for name in names:
            if name == "captures":
                continue
            if name in BY_NAME:
                sql = self._table(name, files, scope)
            elif name == "traffic" and scope.timed:
                for needed in ("_whole_minutes", "_edge_packets"):
                    connection.execute(f"{create} {needed} as {self._table(needed, files, scope)}")
                sql = catalog.view("_traffic_between").sql
            else:
                sql = catalog.view(name).sql
            connection.execute(f"{create} {name} as {sql}")

    @staticmethod
    def _table(name: str, files: _Files, scope: Scope) -> str:
        """Returns the SELECT of a table in this scope, or of one of the two parts of `traffic` in a time range."""
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

    def _load_captures(self, connection: duckdb.DuckDBPyConnection, scope: Scope, *, temporary: bool) -> None:
        """Creates `captures` with the scope's captures, in memory because every other relation joins to it.

        Raises:
            UsageError: No capture has the host or name asked for, or a prefix fits several captures.
        """
        connection.register("_stored_captures", self._snapshot.captures)
        columns = relations.all_columns(BY_NAME["captures"])
        kind = "temp table" if temporary else "table"
        connection.execute(f"create {kind} captures as select {columns} from _stored_captures")  # noqa: S608 - of declared names
        connection.unregister("_stored_captures")
        if scope.hosts:
            for host in scope.hosts:
                if connection.execute("select 1 from captures where host = $1 limit 1", [host]).fetchall() == []:
                    raise UsageError(f"no capture is of host {host!r}")
            connection.execute("delete from captures where host is null or not list_contains($1, host)", [list(scope.hosts)])
        if scope.captures:
            chosen = [found for name in scope.captures for found in _find_captures(connection, name)]
            connection.execute("delete from captures where not list_contains($1, ingest_id)", [chosen])
        if scope.timed:
            began = relations.within("first_ts_ns", [(None, scope.until_ns)])
            ended = relations.within("last_ts_ns", [(scope.since_ns, None)])
            connection.execute(f"delete from captures where not coalesce({began} and {ended}, false)")  # noqa: S608 - of integers


def bind(definition: catalog.Definition, given: Mapping[str, object]) -> dict[str, Any]:
    """Returns the values of a report's parameters: those given, checked, and defaults for the rest.

    Raises:
        UsageError: A name is none of the report's, or a value not of its type.
    """
    known = {parameter.name: parameter for parameter in definition.parameters}
    if unknown := [name for name in given if name not in known]:
        raise UsageError(f"the report {definition.name!r} has no parameter {unknown[0]!r}; it has {', '.join(known) or 'none of its own'}")
    return {name: parameter.value(given[name]) if name in given else parameter.default for name, parameter in known.items()}


def _find_captures(connection: duckdb.DuckDBPyConnection, name: str) -> list[int]:
    """Returns the ingest_id of the captures called `name`: by file name or source URI, else by a prefix of one capture_id."""
    by_name = "select ingest_id from captures where file_name = $1 or source_uri = $1"
    if found := connection.execute(by_name, [name]).fetchall():
        return [row[0] for row in found]
    by_prefix = "select ingest_id from captures where starts_with(capture_id, lower($1))"
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
        if scope != _EVERYTHING:
            self._ingest_ids = [row[0] for row in connection.execute("select ingest_id from captures").fetchall()]

    def of(self, table: str, ranges_ns: Sequence[Range] = ((None, None),)) -> list[str]:
        """Files of the table that may hold rows of the scope's captures in one of the ranges."""
        files = (self._snapshot.uris(table, time_range_ns=bounds, ingest_ids=self._ingest_ids) for bounds in ranges_ns)
        return list(dict.fromkeys(chain.from_iterable(files)))


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor


def open_session(location: str | Path, *, sandbox: bool = False) -> Session:
    """Opens the warehouse at a place for questions.

    Args:
        location: Directory or URI.
        sandbox: Whether `sql` takes SELECT only, and reads no file and no network outside the warehouse.

    Raises:
        WarehouseNotFound: There is none.
        WarehouseError: It cannot be used.
    """
    warehouse = Warehouse.open(location)
    return Session(warehouse, sandbox=warehouse.root.uri if sandbox else None)
