"""Which captures and which time a question is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..warehouse.errors import UsageError

MINUTE_NS = 60_000_000_000

Range = tuple[int | None, int | None]
"""From, and up to but not including; None leaves the side open."""

EXAMPLES = "2026-05-31, 2026-05-31T14:05 or 2026-05-31T14:05:09.25+02:00"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(?<=:\d\d)\.(\d+)")
_NS_DIGITS = 9


def instant(text: str) -> int:
    """Returns the nanoseconds since the epoch of a date or time in ISO 8601 form, UTC unless it names an offset.

    A date alone is its first instant. Up to nine digits of a second are exact.

    Raises:
        UsageError: It is not such a time, or lies outside the years 1678 to 2261 that 64 bits of nanoseconds hold.
    """
    fraction = _FRACTION.search(text)
    whole = _FRACTION.sub("", text.strip())
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        moment = None
    if moment is None or (fraction and len(fraction[1]) > _NS_DIGITS):
        raise UsageError(f"{text!r} is not a time; write {EXAMPLES} (UTC when no offset is given)")
    since_epoch = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    ns = (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000_000 + since_epoch.microseconds * 1_000
    ns += int(fraction[1].ljust(_NS_DIGITS, "0")) if fraction else 0
    if not -(2**63) <= ns < 2**63:
        raise UsageError(f"{text!r} is outside the years 1678 to 2261")
    return ns


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a warehouse that a report is about. The empty scope is all of it.

    Attributes:
        since_ns: Only packets at or after this instant; None is no bound.
        until_ns: Only packets before this instant; None is no bound.
        hosts: Only captures of these hosts; empty is all.
        captures: Only these captures, each a prefix of a capture_id, a file name or a source URI; empty is all.
        deduplicate: Whether packets and connections that are in several captures of one host count once.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    hosts: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    deduplicate: bool = False

    @classmethod
    def of(cls, since: str | int | None, until: str | int | None, host: str | Sequence[str], capture: str | Sequence[str]) -> Scope:
        """The scope that a user asks for: times as text or nanoseconds, one name or several.

        Raises:
            UsageError: A time is none, or the range is empty.
        """
        return cls(
            since_ns=instant(since) if isinstance(since, str) else since,
            until_ns=instant(until) if isinstance(until, str) else until,
            hosts=(host,) if isinstance(host, str) else tuple(host),
            captures=(capture,) if isinstance(capture, str) else tuple(capture),
        )

    def __post_init__(self) -> None:
        if self.since_ns is not None and self.until_ns is not None and self.since_ns >= self.until_ns:
            raise UsageError("--since must be earlier than --until")

    @property
    def timed(self) -> bool:
        """Whether time is bounded on either side."""
        return self.since_ns is not None or self.until_ns is not None

    @property
    def whole_minutes(self) -> Range:
        """First minute and the one after the last (minutes since the epoch) that lie in the range as a whole."""
        first = None if self.since_ns is None else -(-self.since_ns // MINUTE_NS)
        stop = None if self.until_ns is None else self.until_ns // MINUTE_NS
        return first, stop if first is None or stop is None else max(first, stop)

    @property
    def edges_ns(self) -> tuple[tuple[int, int], ...]:
        """The parts of the range that are no whole minutes, as [from, before) in nanoseconds: none, one or two."""
        first, stop = self.whole_minutes
        if self.since_ns is not None and self.until_ns is not None and first == stop:
            return ((self.since_ns, self.until_ns),)
        edges = []
        if first is not None and self.since_ns is not None and self.since_ns < first * MINUTE_NS:
            edges.append((self.since_ns, first * MINUTE_NS))
        if stop is not None and self.until_ns is not None and stop * MINUTE_NS < self.until_ns:
            edges.append((stop * MINUTE_NS, self.until_ns))
        return tuple(edges)
