"""What the commands have in common: shared options, exit codes, opening the warehouse. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..queries.engine import Session
    from ..queries.scope import Scope


class ExitCode(IntEnum):
    """What the process tells its caller; part of the contract."""

    FINE = 0
    FOUND = 1
    """A check or policy found something."""
    USAGE = 2
    """The request makes no sense."""
    UNREAD = 3
    """Some captures could not be read; the others are in."""
    WAREHOUSE = 4
    """The warehouse cannot be used."""
    INTERRUPTED = 130


class Format(StrEnum):
    """Forms of output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    PARQUET = "parquet"


WarehouseOption = Annotated[
    str,
    typer.Option("--warehouse", "-w", metavar="DIR|URI", envvar="CAPHOUSE_WAREHOUSE", help="The warehouse."),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="Form of the output; when not given: by the name of FILE, table on a terminal, csv in a pipe."),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only packets at or after this time: 2026-05-31, 2026-05-31T14:05, UTC unless it names an offset."
    ),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only packets before this time.")]
HostOption = Annotated[list[str] | None, typer.Option("--host", metavar="HOST", help="Only captures of this host; repeatable.")]
CaptureOption = Annotated[
    list[str] | None,
    typer.Option("--capture", metavar="CAPTURE", help="Only this capture: the beginning of its id, its file name or its URI; repeatable."),
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")]

DEFAULT_WAREHOUSE = "caphouse-data"


left_open: list[object] | None = None
"""Takes what is left as it is for the end of the process: DuckDB is 10 to 30 ms about putting itself and its answers away."""


def leave_open(*held: object) -> None:
    """Keep what a session gave until the end of the process, where this is one of its own."""
    if left_open is not None:
        left_open.extend(held)


@contextmanager
def open_session(warehouse: str, *, tables: Sequence[str], sandbox: bool = False, scope: Scope | None = None) -> Iterator[Session]:
    """Opens the warehouse for questions to tables.

    Raises:
        WarehouseError: There is none, or it cannot be used.
    """
    from ..queries.definitions import EVERYTHING
    from ..queries.opening import open_session as open_warehouse

    session = open_warehouse(warehouse, tables=tables, sandbox=sandbox, scope=scope or EVERYTHING)
    if left_open is not None:
        left_open.append(session)
        yield session
    else:
        with session:
            yield session
