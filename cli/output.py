"""Rows out: in the form asked for, to the place asked for.

CSV, JSON and Parquet are exact: integers in full, instants as ISO 8601 in UTC, NULL told apart from empty text. What goes to a
terminal is made safe first, because names and comments in captures are hostile.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO, UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..warehouse.errors import UsageError
from .options import Format

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyRelation

    from ..queries.answer import Answer

_SUFFIXES = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".md": Format.MARKDOWN,
    ".parquet": Format.PARQUET,
    ".txt": Format.TABLE,
}

BATCH_ROWS = 65_536

_NEEDS_QUOTES = re.compile(r'^$|[",\r\n]|^ | $')


class ReaderLeft(Exception):
    """Whoever read standard output has seen enough (`| head`)."""


@dataclass(frozen=True)
class Presentation:
    """How people want to see the rows; only the forms for people look at it.

    Attributes:
        title: Above the rows.
        units: Unit of each column that has one.
        layout: As in a report's header.
    """

    title: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    layout: Mapping[str, Any] = field(default_factory=dict)


def choose(form: Format | None, output: Path | None) -> Format:
    """Returns the form of output: as asked, else by the file's name, else a table on a terminal and CSV in a pipe.

    Raises:
        UsageError: The file's name says no form, or Parquet would go to a terminal.
    """
    if form is None and output is not None:
        if output.suffix.lower() not in _SUFFIXES:
            raise UsageError(f"{output}: the name does not say which format; give --format")
        return _SUFFIXES[output.suffix.lower()]
    form = form or (Format.TABLE if sys.stdout.isatty() else Format.CSV)
    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for terminals; give -o FILE")
    return form


def write(reader: pa.RecordBatchReader, form: Format | None, output: Path | None, presentation: Presentation | None = None) -> None:
    """Writes rows.

    Args:
        reader: The rows.
        form: Form of output, or None to choose.
        output: File, which appears when it is complete; None is standard output.
        presentation: For the forms that people read.

    Raises:
        UsageError: See `choose`.
        OSError: The file cannot be written.
        ReaderLeft: Nobody reads standard output any more.
    """
    chosen = choose(form, output)
    presentation = presentation or Presentation()
    terminal = output is None and sys.stdout.isatty()
    with _destination(output) as file:
        if chosen is Format.PARQUET:
            _write_parquet(reader, file)
        elif chosen is Format.CSV:
            _write_csv(reader, file, terminal=terminal)
        elif chosen in {Format.JSON, Format.JSONL}:
            _write_json(reader, file, lines=chosen is Format.JSONL, terminal=terminal)
        else:
            from . import tables

            render = tables.markdown if chosen is Format.MARKDOWN else tables.table
            width = shutil.get_terminal_size().columns if terminal else None
            file.write(render(reader, presentation, width=width).encode())


def write_answer(
    answer: Answer | DuckDBPyRelation, form: Format | None, output: Path | None, presentation: Presentation | None = None
) -> None:
    """Writes the rows of an answer, as `write` does: CSV of the usual types without loading pyarrow."""
    from ..queries import csv_lines
    from ..queries.answer import Answer

    if not isinstance(answer, Answer):
        write(answer.to_arrow_reader(BATCH_ROWS), form, output, presentation)
        return
    blocks = csv_lines.blocks(answer) if choose(form, output) is Format.CSV else None
    if blocks is None:
        write(answer.listed.to_arrow_reader(BATCH_ROWS), form, output, presentation)
        return
    terminal = output is None and sys.stdout.isatty()
    show = _shown(terminal=terminal)
    with _destination(output) as file:
        file.write((show(_csv_header(name for name, _ in answer.columns)) + "\n").encode())
        for block in blocks:
            if terminal:
                file.writelines((show(line) + "\n").encode() for line in block.lines())
            else:
                file.write(block.text)


def _csv_header(names: Iterable[str]) -> str:
    """The first line of CSV."""
    return ",".join('"' + name.replace('"', '""') + '"' if _NEEDS_QUOTES.search(name) else name for name in names)


@contextlib.contextmanager
def _destination(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        with _standard_output() as file:
            yield file
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    try:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # typer would end the process with exit code 1.
        raise ReaderLeft from None
    except (AttributeError, UnsupportedOperation):
        # Standard output was replaced by text in memory.
        held = BytesIO()
        yield held
        sys.stdout.write(held.getvalue().decode())


def _write_parquet(reader: pa.RecordBatchReader, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _write_csv(reader: pa.RecordBatchReader, file: BinaryIO, *, terminal: bool) -> None:
    import pyarrow.compute as pc

    from . import values

    show = _shown(terminal=terminal)
    file.write((show(_csv_header(reader.schema.names)) + "\n").encode())
    alone = len(reader.schema.names) == 1
    for batch in reader:
        if not batch.num_rows:
            continue
        columns = [values.quoted(values.text(column)) for column in batch.columns]
        # A line that is empty would be skipped by readers: a lone NULL is written as "".
        lines = pc.fill_null(columns[0], '""') if alone else pc.binary_join_element_wise(*columns, ",", null_handling="replace")
        file.write(("\n".join(map(show, lines.to_pylist())) + "\n").encode())


def _write_json(reader: pa.RecordBatchReader, file: BinaryIO, *, lines: bool, terminal: bool) -> None:
    import json

    from . import values

    written = False
    if not lines:
        file.write(b"[")
    for batch in reader:
        names = batch.schema.names
        columns = [values.plain(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            text = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=terminal, allow_nan=False)
            file.write((f"{text}\n" if lines else f"{',' if written else ''}\n{text}").encode())
            written = True
    if not lines:
        file.write(b"\n]\n" if written else b"]\n")


def _shown(*, terminal: bool) -> Callable[[str], str]:
    from .terminal import safe

    return safe if terminal else str
