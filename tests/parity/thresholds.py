"""How much must be equal over the corpus, and whether it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .compare import Comparison
from .deliberate import DELIBERATE
from .table import percent, totals

SHARES = {
    "protocols": 0.999,
    "addresses": 0.999,
    "inner addresses": 0.999,
    "ports": 0.999,
    "rtt": 0.999,
    "initial rtt": 0.999,
}
"""Least part of all things compared, over all captures, that must be equal."""

MEANS = {"protocols": 0.99}
"""Least mean over the captures of the part that is equal."""

IDENTICAL = {"streams": 0.99, "destinations": 0.97, "destinations 6": 0.97, "hierarchy": 0.97, "conversations": 0.97}
"""Least part of the captures in which nothing may differ."""

MISSED = "MISSED"
_VERDICTS = {True: "reached", False: MISSED, None: "not compared"}


def verdict(comparisons: Mapping[str, Comparison]) -> Iterator[str]:
    """One line for each thing that is asked of the corpus: what is asked, what was found, and whether that is enough."""
    found = totals(comparisons)
    for aspect, meant in DELIBERATE.items():
        counts = {name: comparison[aspect].total - comparison[aspect].equal for name, comparison in comparisons.items()}
        differing = {name: count for name, count in counts.items() if count}
        if meant and not found[aspect].things:
            yield _line(aspect, f"nothing but {sum(meant.values())} meant differs", "nothing", ok=None)
            continue
        yield _line(aspect, f"nothing but {sum(meant.values())} meant differs", f"{sum(differing.values())} differ", ok=differing == meant)
    for aspect, least in SHARES.items():
        share = found[aspect].share
        yield _line(aspect, f"{least:.1%} of all equal", f"{percent(share)} %", ok=None if share is None else share >= least)
    for aspect, least in MEANS.items():
        mean = found[aspect].mean
        yield _line(aspect, f"{least:.0%} in the mean over captures", f"{percent(mean)} %", ok=None if mean is None else mean >= least)
    for aspect, least in IDENTICAL.items():
        total = found[aspect]
        yield _line(
            aspect, f"{least:.0%} of captures identical", f"{total.identical} of {total.captures}", ok=total.identical_share >= least
        )


def _line(aspect: str, asked: str, found: str, *, ok: bool | None) -> str:
    return f"{aspect:<18}{asked:<36}{found:<20}{_VERDICTS[ok]}"
