"""Times as people write them, and the minutes that a range covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caphouse.queries.scope import MINUTE_NS, Scope, instant
from caphouse.warehouse.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-02", 86_400 * 10**9),
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01 00:01", 60 * 10**9),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59.5", -5 * 10**8),
        ("2026-03-01T10:00:00.123456789Z", 1_772_359_200_123_456_789),
        ("2026-03-01T10:00:00.1+01:00", 1_772_355_600_100_000_000),
    ],
)
def test_instants_are_exact(text: str, expected: int) -> None:
    assert instant(text) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-03-01T25:00", "1500-01-01", "2500-01-01", "2026-03-01T10:00:00.1234567891"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        instant(text)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="earlier"):
        Scope(since_ns=5, until_ns=5)


bounds = st.one_of(st.none(), st.integers(-5 * MINUTE_NS, 5 * MINUTE_NS), st.integers(-5, 5).map(lambda minute: minute * MINUTE_NS))


@given(bounds, bounds, st.lists(st.integers(-6 * MINUTE_NS, 6 * MINUTE_NS), max_size=20))
def test_whole_minutes_and_edges_cover_a_range_once(since: int | None, until: int | None, instants: list[int]) -> None:
    if since is not None and until is not None and since >= until:
        return
    scope = Scope(since_ns=since, until_ns=until)
    first, stop = scope.whole_minutes
    if not scope.timed:
        return
    for ts_ns in [*instants, *(bound + offset for bound in (since, until) if bound is not None for offset in (-1, 0, 1))]:
        inside = (since is None or ts_ns >= since) and (until is None or ts_ns < until)
        minute = ts_ns // MINUTE_NS
        in_minutes = (first is None or minute >= first) and (stop is None or minute < stop)
        in_edges = sum(start <= ts_ns < end for start, end in scope.edges_ns)
        assert in_minutes + in_edges == inside


def test_aligned_ranges_need_no_packets() -> None:
    assert Scope(since_ns=MINUTE_NS, until_ns=3 * MINUTE_NS).edges_ns == ()
