"""Which of the files that a watcher finds are to be read now: what it has seen, and which files are complete.

A file is complete when one of these is so, in the order in which they are asked:
1. it is an object in S3 or Google Cloud Storage, which appear whole;
2. it is not empty, and the system knows that no process has it open for writing (`open_files`);
3. a later file of the same rotation follows it (`rotation`);
4. it has not changed for the settling time, by its modification time or by what was seen of it.

All others grow. What is there of them is read, too, and read again whenever they have doubled, so that all readings of a file of
any size together cost no more than three times the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from .open_files import is_closed
from .rotation import followed

if TYPE_CHECKING:
    from ..warehouse.store import KnownCaptures
    from .pipeline import CaptureResult
    from .sources import Source

GROWTH = 2
"""A file that grows is read again when it is so many times as large as when it was read."""

FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
"""What could not be read and has not changed is tried again after ever longer times."""

WHOLE_SCHEMES = frozenset({"s3", "gs"})
"""Storage in which a file appears when it is complete."""

Stamp = tuple[int | None, int | None]
"""Size and modification time: a file with the same stamp is unchanged."""


class State(Enum):
    """What is to be done about a file as long as its stamp stays the same."""

    WAITING = auto()
    """It may be complete later."""
    DONE = auto()
    FAILED = auto()
    """It could not be read; maybe it can later."""


@dataclass(slots=True)
class Seen:
    """What is known of a file.

    Attributes:
        stamp: As it was when it was last looked at.
        since: When it was first seen so, on the monotonic clock, in seconds.
        state: What came of it.
        read_bytes: Its size when it was last read while it grew; 0 when it was not.
        failures: How often in a row it could not be read.
        retry: When to try again, on the monotonic clock.
        told: What was last said about it.
    """

    stamp: Stamp
    since: float
    state: State = State.WAITING
    read_bytes: int = 0
    failures: int = 0
    retry: float = 0.0
    told: str | None = None


class Arrivals:
    """The memory of a watcher.

    Args:
        settle_seconds: How long a file must stay unchanged to be taken for complete.
        growing: Whether files that still grow are read, too.
        now_ns: The wall clock, nanoseconds since the epoch.
        monotonic: A clock that is never set, in seconds.
    """

    def __init__(
        self,
        settle_seconds: float,
        *,
        growing: bool = True,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settle_seconds = settle_seconds
        self._growing = growing
        self._now_ns = now_ns
        self._monotonic = monotonic
        self._seen: dict[str, Seen] = {}

    def due(self, sources: Sequence[Source], known: Callable[[], KnownCaptures]) -> list[Source]:
        """The sources that are to be read now, those that are not complete marked as growing.

        Args:
            sources: All that was found.
            known: Gives what the warehouse has; called only when there is a file that was not there before.
        """
        files = [source for source in sources if source.problem is None and not source.is_stream]
        self._look(files, known)
        successors = followed({source.uri: source.modified_ns for source in files})
        due = []
        for source in files:
            seen = self._seen[source.uri]
            if seen.state is State.DONE or (seen.state is State.FAILED and self._monotonic() < seen.retry):
                continue
            if self._is_complete(source, seen, successors):
                due.append(source)
            elif self._growing and source.file_bytes and source.file_bytes >= max(1, GROWTH * seen.read_bytes):
                due.append(source._replace(growing=True))
        return due

    def done(self, source: Source, result: CaptureResult) -> None:
        """Remember what came of a source that was due."""
        seen = self._seen[source.uri]
        if result.capture_id is None or result.status == "interrupted":
            seen.state = State.FAILED
            seen.retry = self._monotonic() + min(FIRST_RETRY_SECONDS * 2.0**seen.failures, LONGEST_RETRY_SECONDS)
            seen.failures = min(seen.failures + 1, 32)
        elif source.growing or result.status == "growing":
            seen.state, seen.read_bytes, seen.failures = State.WAITING, source.file_bytes or 0, 0
        else:
            seen.state, seen.failures = State.DONE, 0

    def is_news(self, uri: str, message: str) -> bool:
        """Whether this was not the last that was said about a source."""
        seen = self._seen.setdefault(uri, Seen((None, None), self._monotonic()))
        if seen.told == message:
            return False
        seen.told = message
        return True

    def forget_others(self, sources: Iterable[Source]) -> None:
        """Forget all that is not among the sources, so that memory is bounded by what there is."""
        there = {source.uri for source in sources}
        self._seen = {uri: seen for uri, seen in self._seen.items() if uri in there}

    def _look(self, files: Sequence[Source], known: Callable[[], KnownCaptures]) -> None:
        """Take note of what is new or has changed."""
        captures: KnownCaptures | None = None
        for source in files:
            stamp = (source.file_bytes, source.modified_ns)
            seen = self._seen.get(source.uri)
            if seen is not None and seen.stamp == stamp:
                continue
            captures = captures or known()
            if seen is None:
                seen = self._seen[source.uri] = Seen(stamp, self._monotonic())
                self._recall(source, seen, captures)
            else:
                seen.stamp, seen.since, seen.state, seen.retry = stamp, self._monotonic(), State.WAITING, 0.0
                if (source.file_bytes or 0) < seen.read_bytes:
                    seen.read_bytes = 0  # begun anew

    @staticmethod
    def _recall(source: Source, seen: Seen, known: KnownCaptures) -> None:
        """What an earlier watcher, or an ingest, has read of the file."""
        there = known.unchanged(source.uri, source.file_bytes, source.modified_ns) if source.file_bytes is not None else None
        if there is not None and not there.is_part:
            seen.state = State.DONE
        seen.read_bytes = max((capture.file_bytes or 0 for capture in known.at(source.uri) if capture.status == "growing"), default=0)

    def _is_complete(self, source: Source, seen: Seen, successors: set[str]) -> bool:
        location = source.location
        if location is not None and location.scheme in WHOLE_SCHEMES:
            return True
        if location is not None and location.is_local and source.file_bytes and is_closed(location.path):
            return True
        if source.uri in successors:
            return True
        if source.modified_ns is not None and self._now_ns() - source.modified_ns >= self._settle_seconds * 1e9:
            return True
        return self._monotonic() - seen.since >= self._settle_seconds
