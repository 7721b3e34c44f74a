"""The SQL that makes the tables' and views' definitions into DuckDB relations.

Values never come into this SQL from a user: file names come from the warehouse's log, numbers are integers, names are declared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from . import catalog

if TYPE_CHECKING:
    from ..warehouse.schema import Column, Table
    from .scope import Range

_WORD = re.compile(r"\w+")


def quoted(text: str) -> str:
    """Returns `text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Returns a name as SQL has it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def words(sql: str) -> set[str]:
    """Returns the words of SQL: names of columns among them."""
    return set(_WORD.findall(sql))


def rows(table: Table, files: Sequence[str], condition: str = "true", columns: Collection[str] | None = None) -> str:
    """Returns a SELECT of the table's rows, derived columns computed.

    Args:
        table: The table.
        files: Its Parquet files. Those from before a column was declared have NULL there; no files give no rows, of the same types.
        condition: Which rows.
        columns: Which columns, of all of them if None; DuckDB looks at each that is named, in every step that a row goes through.
    """
    chosen = [column for column in table.columns if columns is None or column.name in columns]
    listed = ", ".join(f"{column.derived} as {column.name}" if column.derived else column.name for column in chosen)
    named = words(f"{listed} {condition}")
    stored = [column for column in table.stored if column.name in named]
    return f"select {listed} from ({_stored_rows(stored, files)}) where {condition}"  # noqa: S608 - see the docstring of this module


def _stored_rows(columns: Sequence[Column], files: Sequence[str]) -> str:
    """Returns a SELECT over Parquet files; columns are found by name, where DuckDB would take those of the first file for those of all."""
    if not files:
        nulls = ", ".join(f"cast(null as {column.type.value}) as {column.name}" for column in columns)
        return f"select {nulls} where false"
    names = ", ".join(column.name for column in columns)
    listed = ", ".join(quoted(file) for file in files)
    types = ", ".join(f"'{column.name}': {{name: '{column.name}', type: '{column.type.value}', default_value: null}}" for column in columns)
    return f"select {names} from read_parquet([{listed}], hive_partitioning = false, schema = map {{{types}}})"  # noqa: S608 - see the docstring of this module


def within(column: str, ranges: Sequence[Range]) -> str:
    """Returns the condition that a column's value lies in one of the ranges."""
    conditions = []
    for first, stop in ranges:
        sides = [f"{column} >= {first}"] if first is not None else []
        sides += [f"{column} < {stop}"] if stop is not None else []
        conditions.append(" and ".join(sides) or f"{column} is not null")
    return " or ".join(f"({condition})" for condition in conditions) or "false"


def live_rows(table: Table, files: Sequence[str], condition: str, live: str, columns: Collection[str] | None = None) -> str:
    """Returns a SELECT of the table's rows that belong to a row of `captures`, with `capture_id` first.

    Args:
        table: Any table but `captures`.
        files: Its Parquet files.
        condition: Which of their rows.
        live: What has `ingest_id` and `capture_id` of those captures, as after FROM.
        columns: Which columns, see `rows`.
    """
    found = rows(table, files, condition, None if columns is None else {*columns, "ingest_id"})
    return f"select live.capture_id, rows_of.* from ({found}) as rows_of inner join {live} as live on rows_of.ingest_id = live.ingest_id"  # noqa: S608


def comments(names: Iterable[str], columns: dict[str, list[str]]) -> str:
    """Returns the statements that put what is known of tables and views on DuckDB's relations.

    Args:
        names: The tables and views.
        columns: The columns of each.
    """
    from ..warehouse.tables import BY_NAME

    statements = []
    for name in names:
        if name in BY_NAME:
            text = f"{BY_NAME[name].rows} {BY_NAME[name].doc}"
        else:
            text = f"{catalog.view(name).title}. {catalog.view(name).description}"
        statements.append(f"comment on view {name} is {quoted(text)}")
        for column in columns[name]:
            if found := catalog.describe_column(name, column):
                doc = f"{found.doc} [{found.unit}]" if found.unit else found.doc
                statements.append(f"comment on column {name}.{column} is {quoted(doc)}")
    return ";".join(statements)
