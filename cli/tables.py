"""Rows for people: tables on a terminal, trees, and Markdown."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

from .terminal import safe, say

if TYPE_CHECKING:
    import pyarrow as pa

    from .output import Presentation

MOST_ROWS = 10_000
"""More rows than anybody reads; a table needs all its rows in memory to find the widths."""

_ID_DIGITS = 12


def table(reader: pa.RecordBatchReader, presentation: Presentation, *, width: int | None) -> str:
    """Returns the rows as a table, `width` characters wide at most, or as wide as they are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    names, rows = _rows(reader, presentation)
    grid = Table(box=box.SIMPLE_HEAD, title=presentation.title and Text(safe(presentation.title)), title_justify="left", title_style="bold")
    cells = [_column(name, [row[i] for row in rows], presentation) for i, name in enumerate(names)]
    for name, (_, numeric) in zip(names, cells, strict=True):
        grid.add_column(Text(safe(name)), justify="right" if numeric else "left", overflow="fold")
    for row in zip(*(shown for shown, _ in cells), strict=True):
        grid.add_row(*map(Text, row))
    held = StringIO()
    console = Console(file=held, width=width or 10_000, force_terminal=width is not None, color_system=None, emoji=False, highlight=False)
    if width is not None:
        console = Console(file=held, width=width, force_terminal=True, emoji=False, highlight=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines()) + "\n"


def markdown(reader: pa.RecordBatchReader, presentation: Presentation, *, width: int | None = None) -> str:
    """Returns the rows as a Markdown table; `width` is not kept."""
    del width
    names, rows = _rows(reader, presentation)
    cells = [_column(name, [row[i] for row in rows], presentation) for i, name in enumerate(names)]
    lines = [
        "| " + " | ".join(map(_markdown_text, names)) + " |",
        "|" + "|".join("---:" if numeric else "---" for _, numeric in cells) + "|",
    ]
    lines += ["| " + " | ".join(map(_markdown_text, row)) + " |" for row in zip(*(shown for shown, _ in cells), strict=True)]
    return "\n".join(lines) + "\n"


def _markdown_text(shown: str) -> str:
    for character in "\\`*_[]<>|":
        shown = shown.replace(character, f"\\{character}") if character in "|<>`*[]\\" else shown
    return shown


def _rows(reader: pa.RecordBatchReader, presentation: Presentation) -> tuple[list[str], list[list[Any]]]:
    """Returns names and rows as laid out: a tree drawn, repeats blanked, columns hidden."""
    names = list(reader.schema.names)
    rows: list[list[Any]] = []
    for batch in reader:
        rows += map(list, zip(*(_python(column) for column in batch.columns), strict=True))
        if len(rows) > MOST_ROWS:
            say(f"Only the first {MOST_ROWS:,} rows are shown; --format csv gives all.")
            del rows[MOST_ROWS:]
            break
    layout = presentation.layout
    if layout.get("kind") == "tree":
        names, rows = _tree(names, rows, layout["path"], layout["name"], layout["order"])
    elif layout.get("kind") == "groups":
        _blank_repeats(rows, [names.index(name) for name in layout["by"]])
    hidden = {names.index(name) for name in layout.get("hide", ()) if name in names}
    if hidden:
        names = [name for i, name in enumerate(names) if i not in hidden]
        rows = [[value for i, value in enumerate(row) if i not in hidden] for row in rows]
    return names, rows


def _python(column: pa.Array) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_map(column.type):
        return [None if value is None else dict(value) for value in column.to_pylist()]
    return list(column.to_pylist())


def _tree(names: list[str], rows: list[list[Any]], path: str, name: str, order: str) -> tuple[list[str], list[list[Any]]]:
    """Puts rows in the order of a tree, those with the largest `order` first among siblings, with guides drawn before their names."""
    at_path, at_name, at_order = names.index(path), names.index(name), names.index(order)
    children: dict[str, list[list[Any]]] = {}
    for row in rows:
        parent, _, _ = row[at_path].rpartition(":")
        children.setdefault(parent, []).append(row)

    def walk(parent: str, guide: str) -> Iterator[list[Any]]:
        siblings = sorted(children.get(parent, ()), key=lambda row: (-row[at_order], row[at_path]))
        for row in siblings:
            last = row is siblings[-1]
            drawn = list(row)
            drawn[at_name] = f"{guide}{'└─ ' if last else '├─ '}{row[at_name]}" if parent else row[at_name]
            yield drawn
            yield from walk(row[at_path], f"{guide}{'   ' if last else '│  '}" if parent else "")

    # The path is what the guides show.
    ordered = [[row[at_name], *(value for i, value in enumerate(row) if i not in {at_path, at_name})] for row in walk("", "")]
    return [name, *(column for i, column in enumerate(names) if i not in {at_path, at_name})], ordered


def _blank_repeats(rows: list[list[Any]], columns: Sequence[int]) -> None:
    before: list[Any] | None = None
    for row in rows:
        values = [row[i] for i in columns]
        if values == before:
            for i in columns:
                row[i] = None
        before = values


def _column(name: str, values: list[Any], presentation: Presentation) -> tuple[list[str], bool]:
    """Returns a column's values as shown, and whether they are numbers."""
    unit = presentation.units.get(name)
    numeric = any(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values)
    seconds = all(value.microsecond == 0 for value in values if isinstance(value, dt.datetime))
    return [_shown(name, value, unit, whole_seconds=seconds) for value in values], numeric


def _shown(name: str, value: Any, unit: str | None, *, whole_seconds: bool) -> str:  # noqa: ANN401, PLR0911 - values of any SQL type
    if value is None:
        return ""
    if isinstance(value, str):
        return safe(value[:_ID_DIGITS] if name == "capture_id" else value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if unit else str(value)
    if isinstance(value, float):
        return _number(value, unit)
    if isinstance(value, Decimal):
        return f"{value:,}" if unit else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds" if whole_seconds else "microseconds")
    if isinstance(value, dict):
        return safe(", ".join(f"{key}={item}" for key, item in value.items()))
    if isinstance(value, list):
        return safe(", ".join(map(str, value)))
    return safe(value.hex() if isinstance(value, bytes) else str(value))


def _number(value: float, unit: str | None) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.2f}" if unit == "%" else f"{value:,.3f}" if unit else f"{value:g}"
