"""What tables, views and reports there are and what their columns mean, as rows and as the README's reference section."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ..warehouse.errors import UsageError
from ..warehouse.locations import Location
from ..warehouse.tables import BY_NAME, TABLES
from . import catalog

if TYPE_CHECKING:
    import pyarrow as pa


def description(name: str) -> str:
    """What a table or view is, in a few sentences.

    Raises:
        UsageError: There is none of that name.
    """
    if name in BY_NAME:
        return f"{BY_NAME[name].rows} {BY_NAME[name].doc}"
    if name not in catalog.public_names():
        raise UsageError(f"there is no table or view {name!r}; there are {', '.join(catalog.public_names())}")
    definition = catalog.view(name)
    compared = f" The same numbers: tshark -n -r FILE {definition.compare}" if definition.compare else ""
    return f"{definition.description}{compared}"


def relations() -> pa.Table:
    """All tables and views: name, kind, description."""
    tables = [(table.name, "table", table.rows) for table in TABLES]
    views = [(name, "view", catalog.view(name).title) for name in catalog.public_names() if name not in BY_NAME]
    return _table(("name", "kind", "description"), [*tables, *views])


def reports() -> pa.Table:
    """All reports: name, title, options of its own."""
    found = map(catalog.report, catalog.report_names())
    rows = ((report.name, report.title, " ".join(parameter.option for parameter in report.parameters)) for report in found)
    return _table(("name", "title", "options"), rows)


def columns(name: str) -> pa.Table:
    """The columns of a table or view: name, type, unit, description.

    Raises:
        UsageError: There is none of that name.
    """
    description(name)
    rows = []
    for column, kind in _types()[name].items():
        doc = catalog.describe_column(name, column)
        rows.append((column, kind, doc.unit if doc else None, doc.doc if doc else None))
    return _table(("column", "type", "unit", "description"), rows)


def summary() -> str:
    """All tables, views and reports by name and what they are about, for the README."""
    lines = ["| table or view | rows |", "|---|---|"]
    lines += [
        f"| [`{row['name']}`](docs/reference.md#{row['kind']}-{row['name']}) | {_cell(row['description'])} |"
        for row in relations().to_pylist()
    ]
    lines += ["", "| report | question | own options |", "|---|---|---|"]
    lines += [f"| `{row['name']}` | {_cell(row['title'])} | {_cell(row['options'])} |" for row in reports().to_pylist()]
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The reference of all tables, views and reports, with every column."""
    parts = []
    for name in catalog.public_names():
        rows = columns(name).to_pylist()
        kind = "Table" if name in BY_NAME else "View"
        parts += [f"## {kind} `{name}`", "", description(name), "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        parts += [f"| `{row['column']}` | {row['type']} | {row['unit'] or ''} | {_cell(row['description'] or '')} |" for row in rows]
        parts.append("")
    for name in catalog.report_names():
        report = catalog.report(name)
        parts += [f"## Report `{name}`", "", f"{report.title}. {report.description}", ""]
        if report.parameters:
            parts += ["| option | type | meaning |", "|---|---|---|"]
            parts += [f"| `{own.option}` | {own.type} | {_cell(_with_default(own))} |" for own in report.parameters]
            parts.append("")
    return "\n".join(parts)


def _with_default(parameter: catalog.Parameter) -> str:
    choices = f" One of {', '.join(parameter.choices)}." if parameter.choices else ""
    return f"{parameter.help}{choices}{'' if parameter.default is None else f' When not given: {parameter.default}.'}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@cache
def _types() -> dict[str, dict[str, str]]:
    """Types of the columns by table or view, as DuckDB finds them over a warehouse without files."""
    from .engine import Session

    found: dict[str, dict[str, str]] = {}
    with Session(_Nothing()) as session:
        query = "select table_name, column_name, data_type from duckdb_columns() where not internal order by table_name, column_index"
        for relation, column, kind in session.connection.execute(query).fetchall():
            found.setdefault(relation, {})[column] = kind
    return found


class _Nothing:
    """A warehouse and its snapshot without a capture."""

    root = Location("file", "/")

    def snapshot(self) -> _Nothing:
        return self

    def uris(self, *_: object, **__: object) -> list[str]:
        return []

    def rows_per_file(self, table: str) -> float:
        del table
        return 0.0


def _table(header: tuple[str, ...], rows: Iterable[tuple[str | None, ...]]) -> pa.Table:
    import pyarrow as pa

    listed = list(rows)
    return pa.table({name: pa.array([row[i] for row in listed], pa.string()) for i, name in enumerate(header)})
