"""The tables and views of one snapshot, within one scope, on one DuckDB connection; each is created when it is first needed.

Creating one costs a few milliseconds, because DuckDB looks into all that it reads; a question rarely needs more than three.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..warehouse.errors import UsageError
from ..warehouse.schema import Type
from ..warehouse.tables import BY_NAME, CAPTURES
from . import catalog, relations
from .reading import names_its_columns
from .scope import MINUTE_NS, Range, Scope

if TYPE_CHECKING:
    import datetime as dt

    import duckdb

EVERYTHING = Scope()

MACROS = Path(__file__).parent / "macros.sql"

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

_OVERLAPPING = "_overlapping_packets"
"""The packets of captures that overlap others of the same host."""

_STORED_IN = {"_whole_minutes": "flow_minutes", "_edge_packets": "packets", _OVERLAPPING: "packets"}
"""The tables that what is part of one is read from."""

_LIVE = "_live"
"""Which captures there are: all that most tables need to know of them."""

_OWN_STEPS = re.compile(r"\s*with\s+(recursive\s+)?", re.IGNORECASE)

_WORD = re.compile(r"[0-9A-Za-z.:-]+", re.ASCII)

_STAR = re.compile(r"(?<!count\()\*(?=\s*(?:,|\)|\Z|from\b|exclude\b|replace\b|rename\b))|\bcolumns\(", re.IGNORECASE)
"""All columns of what is read, whatever they are."""


def named(sql: str) -> set[str]:
    """Returns the tables and views whose names are words of a statement, and so all that it reads."""
    return relations.words(sql.lower()).intersection(catalog.public_names())


def tables(names: Iterable[str], scope: Scope) -> list[str]:
    """Returns the tables, `captures` apart, whose files are looked for when these tables and views are asked for."""
    read = dict.fromkeys(_STORED_IN.get(name, name) for name, text in _views(names, scope).items() if text is None)
    return [name for name in read if name != CAPTURES.name]


def _views(names: Iterable[str], scope: Scope) -> dict[str, str | None]:
    """The named tables and views and what they read in this scope, in order of need; SELECTs of the views, None for tables."""
    views: dict[str, str | None] = {}
    for name in catalog.in_order(names):
        _add(name, scope, views)
    return views


def _add(name: str, scope: Scope, views: dict[str, str | None]) -> None:
    if name in views:
        return
    if not scope.deduplicate or name not in _ONCE:
        _add_all_of(name, name, scope, views)
        return
    if name == "traffic":
        _add_all_of(name, "_traffic_all", scope, views)
    once = catalog.view(_ONCE[name])
    for needed in catalog.in_order(once.needs):
        if needed != name:
            _add(needed, scope, views)
    views[name] = once.sql


def _add_all_of(name: str, called: str, scope: Scope, views: dict[str, str | None]) -> None:
    """Add a table or view, duplicates and all, under a name that it is called by."""
    if name in BY_NAME or name == _OVERLAPPING:
        views[called] = None
    elif name == "traffic" and scope.timed:
        views.update(dict.fromkeys(_PARTS))
        views[called] = catalog.view("_traffic_between").sql
    else:
        views[called] = catalog.view(name).sql


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
        connection: Gets them by `ensure`.
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
        self._defined: set[str] = set()
        self._has_macros = False
        self._capture_files = snapshot.uris(CAPTURES.name)
        self._which_captures = self._condition()
        chosen = None if scope == EVERYTHING else self._look("ingest_id, date", [self._which_captures])
        self._files = _Files(snapshot, chosen)

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

    def ensure_macros(self, words: Collection[str]) -> None:
        """Creates the macros if one of them is among the words of a statement: DuckDB looks into them for longer than into many answers."""
        if not self._has_macros and not _macro_names().isdisjoint(words):
            self._connection.execute(_macros())
            self._has_macros = True

    def words_of_captures(self, columns: Iterable[str]) -> set[str]:
        """Those columns of `captures` whose values are words, see `warehouse.schema.Column`, in all captures of the scope.

        It is found out once for each value, where rows of other tables have it again and again.
        """
        texts = [name for name in columns if CAPTURES.by_name[name].type is Type.VARCHAR]
        found = {name: self._look(f"distinct {name}", [self._which_captures]) for name in texts}
        return {name for name, rows in found.items() if all(text is None or _WORD.fullmatch(text) for (text,) in rows)}

    def _create(self, name: str, sql: str) -> None:
        if name not in self._defined:
            self.ensure_macros(relations.words(sql))
            self._connection.execute(f"create {self._temporary}view {name} as {sql}")
            self._defined.add(name)

    def around(self, sql: str, names: Collection[str], *, free: bool = False) -> str:
        """Returns a SELECT that brings the named tables and views with it, so that none need be created.

        Args:
            sql: The SELECT.
            names: Tables and views that it reads.
            free: Whether it is anybody's: then nothing is kept for it.

        DuckDB looks into one such statement once, but into views that read views again for each that is created. Of the tables it has
        only columns that are named in it: a report names all that it lists, and other statements are looked into for it.
        Traffic that several steps read is not kept in between, which takes a third of the memory, and each step reads the files for
        itself; where these are small, whether they are read once for all steps is left to DuckDB. The traffic of a time range takes
        joins to make, and is kept.
        """
        whole = names if free and not names_its_columns(self._connection, sql) else ()
        selects = self._selects(names, relations.words(sql.lower()), whole)
        texts = [*selects.values(), sql]
        self.ensure_macros(relations.words(" ".join(texts)))
        steps = []
        for name, select in selects.items():
            if free and name != _LIVE:
                steps.append(f"{name} as not materialized ({select})")
                continue
            read = sum(len(_readings(name).findall(text)) for text in texts)
            keep = ""
            if self._scope.timed or self._scope.deduplicate:
                if read > 1 and (name in BY_NAME or name in _HEAVY):
                    keep = "materialized "
            elif name in _HEAVY or (name in BY_NAME and not self._files.are_small(name)):
                keep = "not materialized "
            steps.append(f"{name} as {keep}({select})")
        return _with(steps, sql)

    def _selects(self, names: Iterable[str], words: Collection[str] | None = None, whole: Collection[str] = ()) -> dict[str, str]:
        """Names and SELECTs of the named tables and views and of what they read, in order of need.

        Args:
            names: The tables and views.
            words: Those of the one SELECT that they are for, columns among them: tables have no column then that nothing names. None
                where they are for any.
            whole: Those of which it may read all columns nevertheless.
        """
        views = _views(names, self._scope)
        named = relations.words(" ".join(text for text in views.values() if text is not None)).union(words or ())
        all_of = _whole(views, whole)
        selects: dict[str, str] = {}
        for name, text in views.items():
            if text is not None:
                selects[name] = text
            elif words is None:
                selects[name] = self._table(name, f"({self._live()})", None)
            else:
                if name != CAPTURES.name:
                    selects.setdefault(_LIVE, self._live())
                selects[name] = self._table(name, _LIVE, None if name in all_of else named)
        return selects

    def _live(self) -> str:
        return self._captures({"ingest_id", "capture_id"})

    def _captures(self, columns: Collection[str] | None) -> str:
        return relations.rows(CAPTURES, self._capture_files, self._which_captures, columns)

    def _table(self, name: str, live: str, columns: Collection[str] | None) -> str:
        """Returns the SELECT of a table in this scope, or of a part of one.

        Args:
            name: A table, `_OVERLAPPING`, or one of the two parts of `traffic` in a time range.
            live: See `relations.live_rows`.
            columns: Which columns; None for all.
        """
        files, scope = self._files, self._scope
        if name == CAPTURES.name:
            return self._captures(None if columns is None else {*columns, "ingest_id"})
        bounds = (scope.since_ns, scope.until_ns)
        table, condition = _STORED_IN.get(name, name), "true"
        if name == "_whole_minutes":
            minutes = scope.whole_minutes
            chosen = files.of(table, [(_times(minutes[0], MINUTE_NS), _times(minutes[1], MINUTE_NS))])
            condition = relations.within("minute", [minutes])
        elif name == "_edge_packets":
            chosen = files.of(table, scope.edges_ns)
            condition = relations.within("ts_ns", scope.edges_ns)
        elif name == _OVERLAPPING:
            chosen, condition = self._overlapping()
        elif scope.timed and name == "flow_minutes":
            first = None if scope.since_ns is None else scope.since_ns // MINUTE_NS
            stop = None if scope.until_ns is None else -(-scope.until_ns // MINUTE_NS)
            chosen, condition = files.of(name, [bounds]), relations.within("minute", [(first, stop)])
        elif scope.timed and name in _ROW_TIMES:
            chosen, condition = files.of(name, [bounds]), relations.within(_ROW_TIMES[name], [bounds])
        else:
            chosen = files.of(name)
        return relations.live_rows(BY_NAME[table], chosen, condition, live, columns)

    def _overlapping(self) -> tuple[list[str], str]:
        """Files and condition of the packets of captures that overlap others; few files are read for it, mostly none."""
        self.ensure([CAPTURES.name])
        listed = "ingest_id, earlier_ingest_id, start_ts_ns, end_ts_ns"
        pairs = catalog.view("overlapping_captures").sql
        found = self._connection.execute(f"select {listed} from ({pairs})").fetchall()  # noqa: S608 - of declared names
        if not found:
            return [], "false"
        scope = self._scope
        ingest_ids = sorted({ingest_id for row in found for ingest_id in row[:2]})
        first, stop = min(row[2] for row in found) - _SLACK_NS, max(row[3] for row in found) + _SLACK_NS + 1
        bounds = (max(first, scope.since_ns or first), min(stop, scope.until_ns or stop))
        of_them = f"ingest_id in ({', '.join(map(str, ingest_ids))})"
        return self._files.of("packets", [bounds], ingest_ids), f"{of_them} and {relations.within('ts_ns', [bounds])}"

    def _condition(self) -> str:
        """Which captures the scope asks for."""
        scope = self._scope
        conditions = []
        if scope.hosts:
            present = {host for (host,) in self._look("distinct host")}
            for host in scope.hosts:
                if host not in present:
                    raise UsageError(f"no capture is of host {host!r}")
            conditions.append(f"host in ({', '.join(map(relations.quoted, scope.hosts))})")
        if scope.captures:
            chosen = [str(found) for name in scope.captures for found in self._called(name, conditions)]
            conditions.append(f"ingest_id in ({', '.join(chosen)})")
        if scope.timed:
            began = relations.within("first_ts_ns", [(None, scope.until_ns)])
            ended = relations.within("last_ts_ns", [(scope.since_ns, None)])
            conditions += [began, ended]
        return " and ".join(conditions) or "true"

    def _called(self, name: str, conditions: Sequence[str]) -> list[int]:
        """Returns the ingest_id of the captures called `name`: by file name or source URI, else by a prefix of one capture_id."""
        if found := self._look("ingest_id", [*conditions, "(file_name = $1 or source_uri = $1)"], [name]):
            return [row[0] for row in found]
        found = self._look("ingest_id", [*conditions, "starts_with(capture_id, lower($1))"], [name]) if name else []
        if not found:
            raise UsageError(f"no capture has the file name or the beginning of its id {name!r}")
        if len(found) > 1:
            raise UsageError(f"{name!r} is the beginning of {len(found)} capture ids; give more of it")
        return [found[0][0]]

    def _look(self, listed: str, conditions: Sequence[str] = (), values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Values of `captures`: of the columns in `listed`, as after SELECT, where all conditions hold."""
        rows = relations.rows(CAPTURES, self._capture_files, " and ".join(conditions) or "true", relations.words(listed))
        return self._connection.execute(f"select {listed} from ({rows})", list(values)).fetchall()  # noqa: S608 - of declared names


@cache
def _macros() -> str:
    return MACROS.read_text(encoding="utf-8")


@cache
def _macro_names() -> frozenset[str]:
    return frozenset(re.findall(r"\bmacro (\w+)\(", _macros()))


def _readings(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:from|join) {name}\b")


def _whole(views: Mapping[str, str | None], asked: Collection[str]) -> set[str]:
    """Returns those of what `_views` gives all columns of which are read: as it is asked, or because a view passes all of them on."""
    whole = set(asked)
    for name, text in reversed(list(views.items())):
        if name in whole and text is not None and _STAR.search(text):
            whole.update(read for read in views if _readings(read).search(text))
    return whole


def _with(steps: Sequence[str], sql: str) -> str:
    """Puts steps before those that a SELECT has."""
    if not steps:
        return sql
    found = _OWN_STEPS.match(sql)
    recursive, own = (found[1] or "", f", {sql[found.end() :]}") if found else ("", f" {sql}")
    return f"with {recursive}{', '.join(steps)}{own}"


class _Files:
    """Files of a snapshot that a scope touches.

    Args:
        snapshot: What the warehouse held.
        captures: `ingest_id` and `date` of the scope's captures; None for all there are.
    """

    def __init__(self, snapshot: Snapshot, captures: Sequence[tuple[int, dt.date | None]] | None) -> None:
        self._snapshot = snapshot
        self._ingest_ids: list[int] | None = None
        self._days: set[dt.date | None] | None = None
        if captures is not None:
            self._ingest_ids = [ingest_id for ingest_id, _ in captures]
            self._days = {day for _, day in captures}

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
