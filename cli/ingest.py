"""`caphouse ingest`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..ingest.processors import processors
from ..warehouse.errors import UsageError
from .options import DEFAULT_WAREHOUSE, ExitCode, WarehouseOption
from .terminal import say

KeepOriginalsOption = Annotated[
    bool, typer.Option("--keep-originals", help="Keep the captures themselves in the warehouse, too, compressed, as evidence.")
]

MaxExpansionOption = Annotated[
    int, typer.Option("--max-expansion", min=0, help="Stop where a compressed capture gives more than so many times its size; 0 is never.")
]

SHORT_S = 0.04
"""Seconds that are rather waited than used to load what could be loaded while a capture is read."""

if TYPE_CHECKING:
    from ..ingest.pipeline import IngestReport, Progress
    from ..ingest.sources import Source


def ingest(
    sources: Annotated[list[str], typer.Argument(metavar="PATH|GLOB|DIR|URI|-...", help="Captures; - is standard input.")],
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    host: Annotated[str | None, typer.Option("--host", help="The machine that captured, where the path does not tell.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="Tag for every capture; repeatable.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Captures read side by side; 0 is one per processor.")] = 1,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Search folders with their sub-folders.")] = True,  # noqa: FBT002 - typer calls it by name
    keep_originals: KeepOriginalsOption = False,  # noqa: FBT002 - typer calls it by name
    max_expansion: MaxExpansionOption = 250,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be read.")] = False,  # noqa: FBT002 - typer calls it by name
) -> ExitCode:
    """Read captures into the warehouse, which is made when it is not there.

    A capture that the warehouse has already, under whatever name or compression, is recognised by its content and not counted twice.
    A file that cannot be read is told on standard error and does not stop the others; the exit code is then 3.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    from ..warehouse.store import Warehouse

    labels = parse_tags(tags or [])
    if dry_run:
        return _list(sources, recursive=recursive)
    processes = jobs or processors()
    with ThreadPoolExecutor(max_workers=1) as pool:
        opening = pool.submit(Warehouse.open_or_create, warehouse)
        # NumPy and Arrow are loaded while the warehouse is opened: a tenth of a second of waiting less. So are the tables of protocols
        # where that takes longer, as in object storage; else they are loaded while the first bytes of the capture are read.
        from ..ingest import capture, pipeline

        if processes == 1 and not wait([opening], timeout=SHORT_S).done:
            capture.load_tables()
        target = opening.result()
    with _progress() as show:
        report = pipeline.ingest(
            target,
            sources,
            host=host,
            tags=labels,
            jobs=processes,
            recursive=recursive,
            keep_originals=keep_originals,
            max_expansion=max_expansion or None,
            progress=show,
        )
    return _tell(report)


def reingest(
    captures: Annotated[
        list[str] | None, typer.Argument(metavar="[CAPTURE...]", help="Beginning of its id, its file name or its source.")
    ] = None,
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    everything: Annotated[bool, typer.Option("--all", help="All captures, whatever their decoder.")] = False,  # noqa: FBT002 - typer calls it by name
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Captures read side by side; 0 is one per processor.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be read.")] = False,  # noqa: FBT002 - typer calls it by name
) -> ExitCode:
    """Read captures once more, in the place of what was made of them before.

    Without CAPTURE: those that an older decoder has read. A capture is read from its original, where one was kept, else from where it
    came from; readers see its earlier rows until the new ones are complete. One that is gone, or is another file now, is told on
    standard error, its earlier rows stay, and the exit code is 3.
    """
    from ..ingest import reingest as again
    from ..warehouse.store import Warehouse

    target = Warehouse.open(warehouse)
    rows = again.choose(target, captures or [], everything=everything)
    if not rows:
        say("There is nothing to read again: all captures were read by this decoder. --all reads them all the same.")
        return ExitCode.FINE
    if dry_run:
        return _show([again.source_of(target.root, row) for row in rows])
    with _progress() as show:
        report = again.reingest(target, rows, jobs=jobs or processors(), progress=show)
    return _tell(report, read="read again", present="not the same any more")


def _list(words: list[str], *, recursive: bool) -> ExitCode:
    """Lists the sources, one row each, without opening any."""
    from ..ingest.sources import find_sources

    return _show(find_sources(words, recursive=recursive))


def _show(sources: Sequence[Source]) -> ExitCode:
    import pyarrow as pa

    from .output import Presentation, write

    names = {"source": pa.string(), "file_bytes": pa.int64(), "host": pa.string(), "problem": pa.string()}
    values = [(source.uri, source.file_bytes, source.facts.host, source.problem) for source in sources]
    columns = zip(*values, strict=True) if values else [()] * len(names)
    table = pa.table({name: pa.array(column, kind) for (name, kind), column in zip(names.items(), columns, strict=True)})
    write(table.to_reader(), None, None, Presentation("Captures to read", {"file_bytes": "bytes"}))
    return ExitCode.UNREAD if any(source.problem for source in sources) else ExitCode.FINE


def parse_tags(given: list[str]) -> dict[str, str]:
    """Reads the values of --tag.

    Raises:
        UsageError: One is not KEY=VALUE.
    """
    tags = {}
    for tag in given:
        key, equals, value = tag.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {tag!r} is not KEY=VALUE")
        tags[key] = value
    return tags


def _tell(report: IngestReport, *, read: str = "added", present: str = "already there") -> ExitCode:
    """Says which captures could not be read in full, and, to people, what was done."""
    for result in report.failed:
        say(f"caphouse: {result.source}: {result.message or result.status}")
    for result in report.results:
        if result.status == "growing" and not result.already_present:
            say(f"caphouse: {result.source}: still being written, {result.packets:,} packets so far; ingest it again when it is complete")
    for warning in dict.fromkeys(result.warning for result in report.results if result.warning):
        say(f"caphouse: warning: {warning}")
    if report.trouble is not None:
        say(f"caphouse: warning: the captures are in, but small files could not be merged: {report.trouble}")
    if sys.stderr.isatty():
        left = sum(result.already_present for result in report.results)
        done = sum(result.capture_id is not None for result in report.results) - left
        say(f"{done:,} capture{'' if done == 1 else 's'} with {report.packets:,} packets {read}{f', {left:,} {present}' if left else ''}.")
    return ExitCode.UNREAD if report.failed else ExitCode.FINE


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None] | None]:
    """Gives what draws progress on a terminal; None in a pipe, where all is quiet."""
    if not sys.stderr.isatty():
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("captures"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rates]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    began = time.monotonic()
    with bar:
        task = bar.add_task("", total=None, rates="")

        def show(progress: Progress) -> None:
            seconds = max(time.monotonic() - began, 1e-3)
            rates = f"{progress.packets:,} packets, {progress.packets / seconds:,.0f}/s, {progress.file_bytes / seconds / 1e6:,.1f} MB/s"
            bar.update(task, completed=progress.captures, total=progress.total, rates=rates)

        yield show
