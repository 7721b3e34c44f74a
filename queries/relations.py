"""The SQL that makes the tables' and views' definitions into DuckDB relations.

Values never come into this SQL from a user: file names come from the warehouse's log, numbers are integers, names are declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from . import catalog

if TYPE_CHECKING:
    from ..warehouse.schema import Table
    from .scope import Range


def quoted(text: str) -> str:
    """Returns `text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def captures(files: Sequence[str]) -> str:
    """Returns a SELECT of all rows of `captures`, derived columns computed."""
    from ..warehouse.tables import CAPTURES

    return f"select {all_columns(CAPTURES)} from ({stored_rows(CAPTURES, files)})"  # noqa: S608 - see the docstring of this module


def stored_rows(table: Table, files: Sequence[str]) -> str:
    """Returns a SELECT over the table's Parquet files with the stored columns.

    Files from before a column was declared have NULL there. No files give no rows, of the same types.
    """
    if not files:
        nulls = ", ".join(f"cast(null as {column.type.value}) as {column.name}" for column in table.stored)
        return f"select {nulls} where false"
    names = ", ".join(column.name for column in table.stored)
    listed = ", ".join(quoted(file) for file in files)
    return f"select {names} from read_parquet([{listed}], hive_partitioning = false, schema = {_schema(table)})"  # noqa: S608 - see the docstring of this module


@cache
def _schema(table: Table) -> str:
    """The stored columns, found by name; DuckDB would take those of the first file for those of all."""
    columns = (f"'{column.name}': {{name: '{column.name}', type: '{column.type.value}', default_value: null}}" for column in table.stored)
    return f"map {{{', '.join(columns)}}}"


def all_columns(table: Table) -> str:
    """Returns the table's columns as a SELECT list, derived ones computed."""
    return ", ".join(f"{column.derived} as {column.name}" if column.derived else column.name for column in table.columns)


def within(column: str, ranges: Sequence[Range]) -> str:
    """Returns the condition that a column's value lies in one of the ranges."""
    conditions = []
    for first, stop in ranges:
        sides = [f"{column} >= {first}"] if first is not None else []
        sides += [f"{column} < {stop}"] if stop is not None else []
        conditions.append(" and ".join(sides) or f"{column} is not null")
    return " or ".join(f"({condition})" for condition in conditions) or "false"


def live_rows(table: Table, files: Sequence[str], condition: str = "true") -> str:
    """Returns a SELECT of the table's rows that belong to a row of `captures`, with `capture_id` first.

    Args:
        table: Any table but `captures`.
        files: Its Parquet files.
        condition: Which of their rows.
    """
    rows = f"select {all_columns(table)} from ({stored_rows(table, files)}) where {condition}"  # noqa: S608 - see the docstring of this module
    live = "(select ingest_id, capture_id from captures) as live"
    return f"select live.capture_id, rows_of.* from ({rows}) as rows_of inner join {live} on rows_of.ingest_id = live.ingest_id"  # noqa: S608


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
