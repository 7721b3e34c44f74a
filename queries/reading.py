"""What a SELECT of anybody's reads of the tables and views that it names: all of their columns, or no more than those it names itself.

DuckDB looks at each column of a relation in every step that rows go through before it finds out which are asked for, so that a table of
fifty costs a question more than many an answer does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ALL_COLUMNS = {("class", "STAR"), ("class", "POSITIONAL_REFERENCE"), ("type", "PIVOT"), ("ref_type", "NATURAL")}
"""Parts of a statement that mean columns without naming them: `*`, `columns(...)`, `order by all`, `summarize`; `#1`; a pivot's groups."""


def names_its_columns(connection: DuckDBPyConnection, select: str) -> bool:
    """Returns whether a statement is a SELECT that reads no column which is not among its words, as DuckDB's own parser takes it apart.

    Others may be read by `*` or the number of a column, as a whole row (`select p from packets as p`), or under names that it gives to
    columns in their order (`from packets as p(a, b)`).
    """
    [(text,)] = connection.execute("select json_serialize_sql($1)", [select]).fetchall()
    parsed = json.loads(text)
    if parsed.get("error", True):
        return False
    rows: set[str] = set()
    columns: set[str] = set()
    for part in _parts(parsed):
        if not _ALL_COLUMNS.isdisjoint((key, value) for key, value in part.items() if isinstance(value, str)):
            return False
        if part.get("type") == "BASE_TABLE":
            if part.get("column_name_alias") != []:
                return False
            rows.add(part["table_name"].lower())
        if "sample" in part and part.get("alias"):  # all that can be read from may be sampled
            rows.add(part["alias"].lower())
        if part.get("class") == "COLUMN_REF":
            columns.add(part["column_names"][-1].lower())
    return rows.isdisjoint(columns)


def _parts(parsed: object) -> Iterator[dict[str, Any]]:
    """All objects in what JSON holds, the outer before the inner."""
    held = [parsed]
    while held:
        part = held.pop()
        if isinstance(part, dict):
            yield part
            held += part.values()
        elif isinstance(part, list):
            held += part
