"""Rows as lines of CSV (RFC 4180), written by the engine itself.

DuckDB makes the text on all cores, and pyarrow, which takes longer to load than most questions to answer, is not needed: the lines
come as one column through the Arrow library that deltalake brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import duckdb

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}

_NEEDS_QUOTES = " or ".join(
    ["{0} = ''", *(f"contains({{0}}, '{character}')" for character in '",\r\n'), "starts_with({0}, ' ')", "ends_with({0}, ' ')"]
)
"""Plain searches: a regular expression that says the same takes four times as long on text that needs no quotes."""

_TEXT: dict[str, str] = {
    **dict.fromkeys({"BOOLEAN", "DATE", *_INTEGERS}, "cast({} as varchar)"),
    "DOUBLE": "case when ends_with(cast({0} as varchar), '.0') then left(cast({0} as varchar), -2) else cast({0} as varchar) end",
    "TIMESTAMP": "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')",
    "VARCHAR": f"""case when {_NEEDS_QUOTES} then concat('"', replace({{0}}, '"', '""'), '"') else {{0}} end""",
}
"""Text of a value by the type of its column; only text can hold what CSV puts in quotes."""

_FOREIGN = "C Data interface error: "
"""Before the engine's own message, when that comes through Arrow's interface between libraries."""


def batches(relation: duckdb.DuckDBPyRelation) -> Iterator[list[str]] | None:
    """Lines of CSV, without the header.

    Args:
        relation: Any rows.

    Returns:
        Lists of lines; None where a column has a type, or a name that another has too, for which this module knows no text. While
        they are read, `duckdb.Error` is raised for what the engine cannot do.
    """
    names, kinds = relation.columns, [str(kind) for kind in relation.types]
    if len({name.lower() for name in names}) < len(names) or not _TEXT.keys() >= set(kinds):
        return None
    values = [_TEXT[kind].format('"' + name.replace('"', '""') + '"') for name, kind in zip(names, kinds, strict=True)]
    # A line that is empty would be skipped by readers: a lone NULL is written as "". One call for all columns: `||` copies what is
    # there of the line once for each column.
    separator = ", ',', "
    line = f"""coalesce({values[0]}, '""')""" if len(values) == 1 else f"concat({separator.join(values)})"
    return _lists(relation.project(line))


def _lists(lines: duckdb.DuckDBPyRelation) -> Iterator[list[str]]:
    import duckdb
    from arro3.core import RecordBatchReader

    try:
        for batch in RecordBatchReader.from_arrow(lines):
            yield cast("list[str]", batch.column(0).to_pylist())
    except Exception as error:
        # What goes wrong while rows are made arrives as text alone.
        text = str(error).removeprefix(_FOREIGN)
        if len(text) == len(str(error)):
            raise
        raise (duckdb.IOException if text.startswith("IO Error") else duckdb.Error)(text) from error
