"""What the commands have in common: shared options, exit codes, opening the warehouse. Nothing heavy is imported here."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..queries.engine import Session


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
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")]

DEFAULT_WAREHOUSE = "caphouse-data"


def open_session(warehouse: str, *, sandbox: bool = False) -> Session:
    """Opens the warehouse for questions.

    Raises:
        WarehouseError: There is none, or it cannot be used.
    """
    from ..queries.engine import open_session as open_engine

    return open_engine(warehouse, sandbox=sandbox)
