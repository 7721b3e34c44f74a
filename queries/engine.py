"""DuckDB over one snapshot of a warehouse.

A `Session` sees the warehouse as it was when the session was opened, however many writers go on meanwhile; `refresh` moves it on.
`connection` has all tables and views for free SQL. A report runs on a connection of its own, on which the same names hold
only the captures and the time that were asked for: so every report honours every scope, and none of them can forget one.
The files of a report are chosen from the warehouse's log before DuckDB opens any, because each opened footer costs 0.16 ms.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from ..warehouse.errors import UsageError
from ..warehouse.locations import Location
from . import catalog, relations
from .answer import Answer, bare, order_apart, order_of
from .database import Error, StatementType, connect, relation
from .definitions import EVERYTHING, Definitions, Snapshot, named
from .scope import Scope

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation, Statement

_ANSWER = "_answer"

_LISTINGS = {"show", "describe", "information_schema", "pg_catalog", "pragma", "pragma_table_info", "sqlite_master", "query", "query_table"}
"""Words of statements that list what there is, or name it in other ways than as it stands."""


class Source(Protocol):
    """What the engine needs of `warehouse.store.Warehouse`."""

    @property
    def root(self) -> Location:
        """Where it is."""
        ...

    def snapshot(self) -> Snapshot:
        """The warehouse as it is now."""
        ...


class Session:
    """Questions to one warehouse.

    Args:
        warehouse: Where snapshots come from.
        sandbox: Directory or URI outside which `connection` may read no file and no network, and where `sql` takes SELECT only;
            None for no sandbox.
        scope: What `sql` and `connection` see of the warehouse; without one, all of it. Reports have scopes of their own.
        snapshot: The snapshot to begin with; without one, that of now.
        unused: A DuckDB of `database.connect` to begin with, where one was opened already.
    """

    def __init__(
        self,
        warehouse: Source,
        *,
        sandbox: str | None = None,
        scope: Scope = EVERYTHING,
        snapshot: Snapshot | None = None,
        unused: DuckDBPyConnection | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._sandbox = sandbox
        self._scope = scope
        self._unused = unused
        self._snapshot = snapshot or warehouse.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees DuckDB's memory; relations of this session can no longer be read."""
        for name in ("_free", "_database", "connection"):
            held = self.__dict__.pop(name, None)
            if held is not None:
                (held[0] if name == "_free" else held).close()
        if self._unused is not None:
            self._unused.close()
            self._unused = None
        if "_spill" in self.__dict__:
            self.__dict__.pop("_spill")[1]()

    def refresh(self) -> None:
        """Moves on to the warehouse as it is now."""
        self.close()
        self._snapshot = self._warehouse.snapshot()

    @cached_property
    def _spill(self) -> tuple[str, Callable[[], object]]:
        """Folder for what does not fit into memory, which only this user can read, and what removes it."""
        folder = tempfile.mkdtemp(prefix="caphouse-")
        return folder, weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @cached_property
    def _database(self) -> DuckDBPyConnection:
        return self._connect()

    def _connect(self) -> DuckDBPyConnection:
        connection, self._unused = self._unused or connect(), None
        connection.execute(f"set temp_directory = {relations.quoted(self._spill[0])}")
        if not self._warehouse.root.is_local:
            from . import remote_files

            remote_files.register(connection, self._warehouse.root)
        return connection

    @cached_property
    def _free(self) -> tuple[DuckDBPyConnection, Definitions]:
        """The connection for free SQL, and the names on it."""
        connection = self._connect()
        definitions = Definitions(connection, self._snapshot, self._scope, temporary=False)
        if self._sandbox is not None:
            connection.execute(f"set allowed_directories = [{relations.quoted(self._sandbox)}]")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        return connection, definitions

    @cached_property
    def connection(self) -> DuckDBPyConnection:
        """A DuckDB connection with all tables and views, commented.

        In memory: what is created or changed on it is gone with the session and never reaches the warehouse.
        """
        import duckdb  # noqa: F401 - gives connections their relations

        connection, definitions = self._free
        names = catalog.public_names()
        definitions.ensure(names)
        known = {*names, *catalog.view_names()}
        columns: dict[str, list[str]] = {}
        query = "select table_name, column_name from duckdb_columns() where not internal order by column_index"
        for name, column in connection.execute(query).fetchall():
            columns.setdefault(name, []).append(column)
        connection.execute(relations.comments([name for name in columns if name in known], columns))
        return connection

    def sql(self, query: str, **params: object) -> DuckDBPyRelation:
        """Runs SQL over the tables and views.

        Args:
            query: A statement of DuckDB's SQL, or several, the rows being those of the last; `$name` in the last stands for the
                parameter of that name.
            params: Values of the parameters, bound, never pasted.

        Returns:
            A relation: read it with `.fetchall()`, `.to_arrow_table()`, `.df()`, ...; without rows for statements that give none.

        Raises:
            UsageError: There is no statement, or the sandbox does not allow it.
            duckdb.Error: DuckDB refuses it.
        """
        connection, last = self._prepared(query)
        return _relation(connection, last, params)

    def ask(self, query: str, params: Mapping[str, object]) -> Answer | DuckDBPyRelation:
        """Runs SQL as `sql` does, but leaves a SELECT to whoever reads the answer."""
        if (answer := self._asked_alone(query, params)) is not None:
            return answer
        connection, last = self._prepared(query)
        answer = _answer(connection, last, params) if last.type == StatementType.SELECT else None
        return _relation(connection, last, params) if answer is None else answer

    def _asked_alone(self, query: str, params: Mapping[str, object]) -> Answer | None:
        """The answer to a lone SELECT that brings what it reads with it: DuckDB looks into that once, but into views again and again.

        None for other SQL, and for what cannot be understood this way.
        """
        connection, definitions = self._free
        words = relations.words(query.lower())
        statements = self._statements(connection, query)
        if len(statements) > 1 or statements[0].type != StatementType.SELECT or _lists(words):
            return None
        definitions.ensure_macros(words)
        return _answer(connection, statements[0], params, partial(definitions.around, names=named(query), free=True))

    def _statements(self, connection: DuckDBPyConnection, query: str) -> list[Statement]:
        statements = connection.extract_statements(query)
        if not statements:
            raise UsageError("there is no SQL statement to run")
        if self._sandbox is not None and any(statement.type != StatementType.SELECT for statement in statements):
            raise UsageError("the sandbox allows SELECT statements only")
        return statements

    def _prepared(self, query: str) -> tuple[DuckDBPyConnection, Statement]:
        """Creates what a query names, runs all statements but the last, and returns that."""
        connection, definitions = self._free
        words = relations.words(query.lower())
        if _lists(words):
            connection = self.connection
        else:
            definitions.ensure_macros(words)
            definitions.ensure_alone(named(query))
        *before, last = self._statements(connection, query)
        for statement in before:
            connection.execute(statement)
        return connection, last

    def report(
        self,
        name: str,
        *,
        since: str | int | None = None,
        until: str | int | None = None,
        host: str | Sequence[str] = (),
        capture: str | Sequence[str] = (),
        deduplicate: bool = False,
        **params: object,
    ) -> DuckDBPyRelation:
        """Runs a report.

        Args:
            name: Its name; see `catalog.report_names()`.
            since: Only packets at or after this instant: ISO 8601 text (UTC unless it has an offset) or nanoseconds since the epoch.
            until: Only packets before this instant.
            host: Only captures of this host, or of these.
            capture: Only this capture, or these: prefix of the capture_id, file name or source URI.
            deduplicate: Count packets that several captures of one host have (see the view `duplicates`) and connections that go on in
                another capture (`stitched_handshakes`) once.
            params: The report's own parameters.

        Returns:
            A relation with the columns that the report's header describes. Its rows are there already, unless they may be many: then they
            are made when it is read.

        Raises:
            UsageError: There is no such report, parameter, host or capture, or a value makes no sense.
        """
        return self.answer(name, replace(Scope.of(since, until, host, capture), deduplicate=deduplicate), params).listed

    def answer(self, name: str, scope: Scope, params: Mapping[str, object]) -> Answer:
        """Runs a report as `report` does, and keeps its rows and their order apart where they may be many."""
        definition = catalog.report(name)
        values = bind(definition, params)
        limit = values.pop(definition.limit) if definition.limit else None
        if limit is not None and limit < 0:
            raise UsageError(f"{definition.limit} must not be negative; 0 is all")
        connection = self._database.cursor()
        definitions = Definitions(connection, self._snapshot, scope, temporary=True)
        sql = definitions.around(definition.sql, definition.needs)
        if definition.limit and not limit:
            answer = Answer(connection, sql, values or None, definition.order)
            answer.words = frozenset(self._words(definition, definitions, answer.columns))
            return answer
        # A SELECT is looked into for its columns and again when it is run, which takes longer than to run it when rows are few.
        ordered = f" order by {definition.order}" if definition.order else ""
        limited = f" limit {limit}" if limit else ""
        connection.execute(f"create temp table {_ANSWER} as select * from ({sql}){ordered}{limited}", values or None)  # noqa: S608 - of declared names
        return Answer(connection, f"select * from {_ANSWER}", few=True)  # noqa: S608 - of a declared name

    @staticmethod
    def _words(definition: catalog.Definition, definitions: Definitions, columns: Sequence[tuple[str, str]]) -> set[str]:
        docs = {name: doc for name, _ in columns if (doc := definition.column(name)) is not None}
        words = {name for name, doc in docs.items() if doc.word}
        of_captures = [name for name, doc in docs.items() if not doc.word and doc == catalog.describe_column("captures", name)]
        return words | definitions.words_of_captures(of_captures)

    def uncompared(self) -> str | None:
        """What counting everything once cannot see to in this warehouse, in a sentence; None when it sees to all."""
        connection = self._database.cursor()
        Definitions(connection, self._snapshot, EVERYTHING, temporary=True).ensure(["overlapping_captures"])
        rows = connection.execute(
            "select (select count(*) from captures where host is null and packets > 0),"
            " (select count(distinct ingest_id) from overlapping_captures where not comparable)"
        ).fetchall()
        unknown, pruned = rows[0]
        parts = [f"{unknown:,} of no known host (ingest them with --host)"] if unknown else []
        parts += [f"{pruned:,} whose packets, or those of the capture beside them, are pruned"] if pruned else []
        return f"captures that are not compared with others and count in full: {' and '.join(parts)}" if parts else None

    def scoped(self, needs: Sequence[str], scope: Scope) -> DuckDBPyConnection:
        """Returns a connection of its own on which the needed tables and views hold what `scope` asks for, and no more.

        With a time range: `captures` are those with packets around it, `packets` those in it, `handshakes` those whose connection's
        first packet is in it, `flow_minutes` the minutes that touch it, and `traffic` the flows with counters of exactly the packets
        in it. `flows`, `interfaces` and `addresses` are those of the captures, whole.
        """
        connection = self._database.cursor()
        Definitions(connection, self._snapshot, scope, temporary=True).ensure(needs)
        return connection


def bind(definition: catalog.Definition, given: Mapping[str, object]) -> dict[str, Any]:
    """Returns the values of a report's parameters: those given, checked, and defaults for the rest.

    Raises:
        UsageError: A name is none of the report's, or a value not of its type.
    """
    known = {parameter.name: parameter for parameter in definition.parameters}
    if unknown := [name for name in given if name not in known]:
        raise UsageError(f"the report {definition.name!r} has no parameter {unknown[0]!r}; it has {', '.join(known) or 'none of its own'}")
    return {name: parameter.value(given[name]) if name in given else parameter.default for name, parameter in known.items()}


def _lists(words: Collection[str]) -> bool:
    """Whether a statement may list what there is."""
    return any(word in _LISTINGS or word.startswith("duckdb_") for word in words)


def _answer(
    connection: DuckDBPyConnection, select: Statement, params: Mapping[str, object], made: Callable[[str], str] = str
) -> Answer | None:
    """Returns the answer to a SELECT; None where that cannot be understood.

    Args:
        connection: Where it is asked.
        select: The SELECT.
        params: Values of its parameters.
        made: Gives it all that it reads.
    """
    statement = bare(select.query)
    for text, keys in (order_apart(statement), (statement, [])):
        with contextlib.suppress(Error):
            answer = Answer(connection, made(text), params or None)
            order = order_of(keys, answer.columns)
            if order is not None:
                answer.order = order
                return answer
    return None


def _relation(connection: DuckDBPyConnection, statement: Statement, params: Mapping[str, object]) -> DuckDBPyRelation:
    """Returns the rows of a statement; none of one column for statements that give none."""
    found = relation(connection, statement.query, params)
    if found is None:
        return connection.sql('select true as "Success" where false')
    return found
