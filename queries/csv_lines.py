"""Rows as lines of CSV (RFC 4180), written by the engine itself.

DuckDB makes the text on all cores, and pyarrow, which takes longer to load than most questions to answer, is not needed: the lines
come as one column of Arrow, whose buffers go out as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from . import relations
from .database import Error, IOException

if TYPE_CHECKING:
    from .answer import Answer

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}

_NEEDS_QUOTES = " or ".join(
    ["{0} = ''", *(f"contains({{0}}, '{character}')" for character in '",\r\n'), "starts_with({0}, ' ')", "ends_with({0}, ' ')"]
)
"""Plain searches: a regular expression that says the same takes four times as long on text that needs no quotes."""

_TEXT: dict[str, str] = {
    **dict.fromkeys({"BOOLEAN", "DATE", *_INTEGERS}, "cast({} as varchar)"),
    # The same digits come from the writer of JSON in 60 ns instead of 160. It writes powers of ten and what is no number in other ways.
    "DOUBLE": "case when abs({0}) >= 1e-4 and abs({0}) < 1e15 and {0} <> trunc({0}) then cast(to_json({0}) as varchar)"
    " when ends_with(cast({0} as varchar), '.0') then left(cast({0} as varchar), -2) else cast({0} as varchar) end",
    "TIMESTAMP": "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')",
    "VARCHAR": f"""case when {_NEEDS_QUOTES} then concat('"', replace({{0}}, '"', '""'), '"') else {{0}} end""",
}
"""Text of a value by the type of its column; only text can hold what CSV puts in quotes."""

_LINE = "line of csv"

_FOREIGN = re.compile(r"ArrowArrayStream::\w+\(\) failed \(\d+\): ")
"""Before the engine's own message, when that comes through Arrow's interface between libraries."""


@dataclass(frozen=True)
class Block:
    """Lines in a row, as the engine made them.

    Attributes:
        text: UTF-8; each line, which may hold line feeds in quotes, has one more at its end.
        ends: Where in `text` the lines end: int32, one more than there are lines, the first being 0.
    """

    text: memoryview | bytes
    ends: memoryview | Sequence[int]

    @classmethod
    def of(cls, lines: Sequence[str]) -> Block:
        """A few lines, each with the line feed at its end, which need no Arrow."""
        parts = [line.encode() for line in lines]
        return cls(b"".join(parts), [0, *accumulate(map(len, parts))])

    def lines(self) -> Iterator[str]:
        """Each line, without the line feed at its end."""
        for start, end in pairwise(self.ends):
            yield str(self.text[start : end - 1], "utf-8")


def blocks(answer: Answer) -> Iterator[Block] | None:
    """Lines of CSV, without the header.

    Args:
        answer: Any rows.

    Returns:
        Lines in their order; None where a column has a type, or a name that another has too, for which this module knows no text. While
        they are read, `duckdb.Error` is raised for what the engine cannot do.
    """
    names, kinds = [name for name, _ in answer.columns], [kind for _, kind in answer.columns]
    taken = {name.lower() for name in names}  # DuckDB finds a column whatever the case of its name
    if len(taken) < len(names) or not _TEXT.keys() >= set(kinds):
        return None
    # To find out that text needs no quotes takes as long as all else, for a line that is mostly text.
    forms = ["{}" if name in answer.words else _TEXT[kind] for name, kind in zip(names, kinds, strict=True)]
    values = [form.format(relations.identifier(name)) for name, form in zip(names, forms, strict=True)]
    # A line that is empty would be skipped by readers: a lone NULL is written as "". One call for all columns: `||` copies what is
    # there of the line once for each column.
    separator = ", ',', "
    line = f"concat({separator.join(values)}, chr(10))" if len(values) > 1 else f"""concat(coalesce({values[0]}, '""'), chr(10))"""
    if answer.few:
        return iter([Block.of([text for (text,) in answer.rows_of(f"select {line} from ({answer.select})")])])  # noqa: S608 - of the answer's own
    name = _LINE
    while name in taken:
        name += "'"
    # Text first: DuckDB makes it on all cores before rows are in order, and then moves one column instead of all.
    ordered = f" order by {answer.order}" if answer.order else ""
    return _read(answer, f'select "{name}" from (select *, {line} as "{name}" from ({answer.select})){ordered}')  # noqa: S608


def _read(answer: Answer, lines: str) -> Iterator[Block]:
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            loading = pool.submit(import_module, "nanoarrow")
            stream = answer.stream_of(lines)
        with loading.result().c_array_stream(stream) as batches:
            for batch in batches:
                column = batch.child(0).view()
                # Of each batch DuckDB makes new buffers: they begin with its first line and have no missing ones.
                ends, text = (memoryview(column.buffer(number)) for number in (1, 2))
                yield Block(text.cast("B"), ends)
    except RuntimeError as error:
        # What goes wrong while rows are made arrives as text alone.
        message = _FOREIGN.sub("", str(error), count=1)
        raise (IOException if message.startswith("IO Error") else Error)(message) from error
