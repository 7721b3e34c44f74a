"""`caphouse compact`, `prune`, `forget`, `vacuum`, `verify` and `export`: looking after a warehouse."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from ..ingest.processors import processors
from ..warehouse.errors import UsageError
from .options import DEFAULT_WAREHOUSE, ExitCode, FormatOption, OutputOption, WarehouseOption
from .terminal import say

if TYPE_CHECKING:
    from ..warehouse.compaction import Compacted
    from ..warehouse.store import Warehouse

_UNITS_NS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_557_600}
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Threads; 0 is one per processor.")]


def age_ns(text: str) -> int:
    """Reads an age: a number and m, h, d, w or y (90d, 12h).

    Raises:
        UsageError: It is not an age.
    """
    match = re.fullmatch(r"(\d{1,6})([mhdwy])", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is not an age; write 90d, 12h, 8w or 2y")
    return int(match[1]) * _UNITS_NS[match[2]] * 1_000_000_000


def compact(warehouse: WarehouseOption = DEFAULT_WAREHOUSE, jobs: JobsOption = 1) -> ExitCode:
    """Merge small files, and drop rows that no longer count. Readers and writers go on meanwhile."""
    from ..warehouse.compaction import compact as merge

    done = merge(_open(warehouse), jobs=_jobs(jobs), progress=_tell)
    say(f"{len(done):,} partitions written anew, {sum(part.files[0] - part.files[1] for part in done):,} files fewer.")
    return ExitCode.FINE


def prune(
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="90d, 12h, 8w, 2y: by a capture's last packet.")],
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    packets_only: Annotated[bool, typer.Option("--packets-only", help="Keep flows, handshakes and rollups.")] = False,  # noqa: FBT002 - typer calls it by name
    originals: Annotated[bool, typer.Option("--originals", help="With --packets-only: remove originals that were kept, too.")] = False,  # noqa: FBT002 - typer calls it by name
    jobs: JobsOption = 1,
) -> ExitCode:
    """Remove old captures, or only their packets. `vacuum` later frees the space."""
    from ..warehouse.maintenance import prune as remove

    if originals and not packets_only:
        raise UsageError("--originals goes with --packets-only; captures that go as a whole take their originals with them")
    before_ns = time.time_ns() - age_ns(older_than)
    done = remove(_open(warehouse), before_ns, packets_only=packets_only, with_originals=originals, jobs=_jobs(jobs))
    say(f"{_captures(done.captures)} {'without packets now' if packets_only else 'removed'}.")
    return ExitCode.FINE


def forget(
    captures: Annotated[list[str], typer.Argument(metavar="CAPTURE...", help="Beginning of its id, its file name or its source.")],
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    jobs: JobsOption = 1,
) -> ExitCode:
    """Remove captures with all their rows. `vacuum` later frees the space."""
    from ..warehouse.maintenance import forget as remove

    done = remove(_open(warehouse), captures, jobs=_jobs(jobs))
    say(f"{_captures(done.captures)} removed.")
    return ExitCode.FINE


def vacuum(
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    retention_hours: Annotated[
        int | None, typer.Option("--retention-hours", help="Keep what was in use within this time; 168 when not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,  # noqa: FBT002 - typer calls it by name
) -> ExitCode:
    """Remove files that no table uses any more: what compaction, prune, forget and killed processes left."""
    from ..warehouse.maintenance import RETENTION_HOURS
    from ..warehouse.maintenance import vacuum as remove

    hours = RETENTION_HOURS if retention_hours is None else retention_hours
    done = remove(_open(warehouse), retention_hours=hours, dry_run=dry_run)
    for file in done.files if dry_run else []:
        say(file)
    say(f"{len(done.files):,} files, {done.bytes:,} bytes {'would be removed' if dry_run else 'removed'}.")
    return ExitCode.FINE


def verify(
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE, jobs: JobsOption = 1, form: FormatOption = None, output: OutputOption = None
) -> ExitCode:
    """Read everything with its checksums and hold it against the receipts; what is found is listed, and damage is exit code 1."""
    import pyarrow as pa

    from ..warehouse.verification import verify as check
    from .output import Presentation, write

    result = check(_open(warehouse), jobs=_jobs(jobs))
    names = ("kind", "damage", "table", "what", "message")
    kinds = {"damage": pa.bool_()}
    found = pa.table(
        {name: pa.array([getattr(finding, name) for finding in result.findings], kinds.get(name, pa.string())) for name in names}
    )
    if found.num_rows or form is not None or output is not None:
        write(found.to_reader(), form, output, Presentation("Findings"))
    verdict = "damage" if result.damaged else "no damage"
    say(f"{_captures(result.captures)}, {result.files:,} files, {result.rows:,} rows read in {result.seconds:.1f} s: {verdict}.")
    return ExitCode.FOUND if result.damaged else ExitCode.FINE


def export(
    folder: Annotated[str, typer.Argument(metavar="DIR|URI", help="An empty folder, or one that is not there.")],
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    tables: Annotated[list[str] | None, typer.Option("--table", metavar="TABLE", help="Only this table; repeatable.")] = None,
) -> ExitCode:
    """Write plain Parquet files, TABLE/date=DAY/part-0.parquet, for tools that read folders by a pattern."""
    from ..warehouse.maintenance import export as write_plain

    for table, rows in write_plain(_open(warehouse), folder, tables).items():
        say(f"{table}: {rows:,} rows")
    return ExitCode.FINE


def _open(warehouse: str) -> Warehouse:
    from ..warehouse.store import Warehouse

    return Warehouse.open(warehouse)


def _jobs(jobs: int) -> int:
    return jobs or processors()


def _captures(count: int) -> str:
    return f"{count:,} capture{'' if count == 1 else 's'}"


def _tell(part: Compacted) -> None:
    (files, fewer), (before, after) = part.files, part.bytes
    say(f"{part.table} {part.date or 'without date'}: {files} files to {fewer}, {before:,} bytes to {after:,}")
