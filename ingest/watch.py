"""Watch folders and containers, and ingest what arrives: a loop that looks, reads what is due, waits, and survives everything.

Nothing that goes wrong with a file, with the storage or with the warehouse ends the loop: it is told, and tried again after a time
that grows to a bound. What a killed watcher leaves behind does not count; the next one reads from the warehouse what was done.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..warehouse.errors import CaphouseError, UsageError
from ..warehouse.locations import Location
from ..warehouse.store import KnownCaptures, Warehouse
from .arrivals import Arrivals
from .capture import Options
from .pipeline import CaptureResult, Progress, ingest_sources
from .sources import STDIN, Source, find_sources

LONGEST_PAUSE_SECONDS = 600.0
"""Looks that fail come ever more seldom, down to this, or to the interval where that is longer."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watcher's log; `str` gives it.

    Attributes:
        name: The capture, or what the line is about.
        status: As in `CaptureResult.status`; 'present' for what was there already, 'unread' for what could not be read now; 'trouble' for
            what is no capture's fault, 'recovered' when it is over; 'watching', 'stopped'.
        packets: Packets that are in the warehouse now and were not before; None where the line is not about a capture.
        message: What is wrong, in a sentence.
        time: When, UTC.
    """

    name: str
    status: str
    packets: int | None = None
    message: str | None = None
    time: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def __str__(self) -> str:
        packets = f" {self.packets} packets" if self.packets is not None else ""
        return f"{self.time:%Y-%m-%dT%H:%M:%SZ} {self.name} {self.status}{packets}{f': {self.message}' if self.message else ''}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to watch.

    Attributes:
        words: What to watch, as `find_sources` takes it.
        options: What the user says about the captures.
        interval_seconds: Between the end of one look and the beginning of the next.
        settle_seconds: A file that has not changed for so long is complete.
        growing: Whether files that still grow are read, too.
        recursive: Whether folders below a folder are watched, too.
    """

    words: Sequence[str]
    options: Options = field(default_factory=Options)
    interval_seconds: float = 30.0
    settle_seconds: float = 60.0
    growing: bool = True
    recursive: bool = True


class _StoppedError(BaseException):
    """Ends an ingest between two batches. No `Exception`: what looks after bad captures must let it pass."""


class Watcher:
    """Watches, until it is told to stop.

    Args:
        open_warehouse: Opens the warehouse; called again when it raised a `WarehouseError`.
        settings: How to watch.
        log: Told each event.
        stop: Ends the watch when it is set, by any thread or signal handler: at once between captures and while packets are read, and
            at the end of a commit that is under way. What was read and is not committed leaves nothing behind.

    Raises:
        UsageError: There is something to watch that cannot be watched.
    """

    def __init__(
        self, open_warehouse: Callable[[], Warehouse], settings: Settings, log: Callable[[Event], None], stop: threading.Event
    ) -> None:
        if STDIN in settings.words:
            raise UsageError("Standard input cannot be watched; `caphouse ingest -` reads it.")
        for word in settings.words:
            Location.parse(word)
        self._open = open_warehouse
        self._settings = settings
        self._log = log
        self._stop = stop
        self._arrivals = Arrivals(settings.settle_seconds, growing=settings.growing)
        self._warehouse: Warehouse | None = None

    def run(self) -> None:
        """Look again and again until `stop` is set."""
        self._log(Event(", ".join(self._settings.words), "watching", message=f"every {self._settings.interval_seconds:g} s"))
        failures = 0
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a watcher goes on whatever happens
                failures = min(failures + 1, 32)
                self._trouble(str(error) if isinstance(error, CaphouseError) else f"{type(error).__name__}: {error}")
            else:
                if failures:
                    self._log(Event("caphouse", "recovered"))
                failures = 0
            longest = max(self._settings.interval_seconds, LONGEST_PAUSE_SECONDS)
            self._stop.wait(min(self._settings.interval_seconds * 2.0**failures, longest))
        self._log(Event(", ".join(self._settings.words), "stopped"))

    def look(self) -> bool:
        """Find what is there and ingest what is due.

        Returns:
            Whether all that is watched could be looked at, and all that was due could be read.

        Raises:
            WarehouseError: The warehouse cannot be used.
        """
        if self._warehouse is None:
            self._warehouse = self._open()
        sources = find_sources(self._settings.words, recursive=self._settings.recursive)
        self._arrivals.forget_others(sources)
        for source in sources:
            message = source.problem or ("a pipe cannot be watched" if source.is_stream else None)
            if message is not None and self._arrivals.is_news(source.uri, message):
                self._log(Event(source.display, "unread", message=message))
        due = {source.uri: source for source in self._arrivals.due(sources, self._known)}
        failed = self._ingest(self._warehouse, due) if due else []
        return not failed and all(source.problem is None for source in sources)

    def _known(self) -> KnownCaptures:
        if self._warehouse is None:
            self._warehouse = self._open()
        return self._warehouse.known()

    def _ingest(self, warehouse: Warehouse, due: dict[str, Source]) -> list[Source]:
        """Ingest sources; gives those that could not be read in full."""
        failed: list[Source] = []

        def committed(results: list[CaptureResult]) -> None:
            for result in results:
                source = due[result.uri]
                self._arrivals.done(source, result)
                self._tell(result)
                if result.failed:
                    failed.append(source)
            self._give_up_if_stopped()

        with suppress(_StoppedError):
            ingest_sources(warehouse, list(due.values()), self._settings.options, progress=self._give_up_if_stopped, committed=committed)
        return failed

    def _give_up_if_stopped(self, _: Progress | None = None) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _tell(self, result: CaptureResult) -> None:
        message = "; ".join(filter(None, [result.message, result.warning])) or None
        if result.capture_id is None:
            # Tried again from time to time, told once.
            if self._arrivals.is_news(result.uri, message or result.status):
                self._log(Event(result.source, "vanished" if result.status == "vanished" else "unread", message=message))
        elif result.status == "interrupted":
            # What was read of it counts, and it is tried again in the same way.
            if self._arrivals.is_news(result.uri, message or result.status):
                self._log(Event(result.source, result.status, result.packets, message))
        elif result.already_present:
            self._log(Event(result.source, "present", 0, message))
        else:
            self._log(Event(result.source, result.status, result.packets, message))

    def _trouble(self, message: str) -> None:
        if self._arrivals.is_news("", message):
            self._log(Event("caphouse", "trouble", message=message))
