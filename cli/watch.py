"""`caphouse watch`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from .ingest import KeepOriginalsOption, MaxExpansionOption, parse_tags
from .options import DEFAULT_WAREHOUSE, ExitCode, WarehouseOption
from .terminal import say


def watch(
    sources: Annotated[list[str], typer.Argument(metavar="DIR|GLOB|URI...", help="What to watch.")],
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between two looks.")] = 30.0,
    settle: Annotated[float, typer.Option("--settle", min=0, help="Seconds without a change after which a file is complete.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, for cron and timers.")] = False,  # noqa: FBT002 - typer calls it by name
    growing: Annotated[bool, typer.Option("--growing/--no-growing", help="Also read files that still grow, as they grow.")] = True,  # noqa: FBT002 - typer calls it by name
    host: Annotated[str | None, typer.Option("--host", help="The machine that captured, where the path does not tell.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="Tag for every capture; repeatable.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Watch folders with their sub-folders.")] = True,  # noqa: FBT002 - typer calls it by name
    keep_originals: KeepOriginalsOption = False,  # noqa: FBT002 - typer calls it by name
    max_expansion: MaxExpansionOption = 250,
) -> ExitCode:
    """Ingest captures as they arrive, until SIGTERM or SIGINT.

    Each capture is a line on standard error: time, name, status, packets, and what is wrong with it. Files that are still written are
    read in part and replaced when they have grown. Nothing that goes wrong ends the watch; it is told and tried again.
    """
    from ..ingest.capture import Options
    from ..ingest.watch import Event, Settings, Watcher
    from ..warehouse.store import Warehouse

    def log(event: Event) -> None:
        with suppress(OSError):  # whoever reads the log may go away, the watch goes on
            say(str(event))

    settings = Settings(
        sources, Options(host, parse_tags(tags or []), keep_originals, max_expansion or None), interval, settle, growing, recursive
    )
    with _stop_on_signals() as stop:
        watcher = Watcher(partial(Warehouse.open_or_create, warehouse), settings, log, stop)
        if once:
            return ExitCode.FINE if watcher.look() else ExitCode.UNREAD
        watcher.run()
    return ExitCode.FINE


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Gives an event that the first SIGTERM or SIGINT sets; the second one does what it always does."""
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
