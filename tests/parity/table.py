"""The agreement as text: one line per capture, one column per aspect, and totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .compare import ASPECTS, Agreement, Comparison

HEADINGS = {
    "inner addresses": "inner",
    "quoted ports": "quoted",
    "initial rtt": "iRTT",
    "destinations": "dests4",
    "destinations 6": "dests6",
    "conversations": "convs",
}
"""Shorter names of aspects, where a column is narrow."""

NAME_WIDTH = 44
WIDTH = 8


@dataclass(frozen=True)
class Total:
    """One aspect over all captures.

    Attributes:
        share: Equal things of all things compared, 0 to 1; None when nothing was.
        mean: Mean over the captures of each one's share.
        identical: Captures in which nothing differs, those with nothing to compare among them.
        captures: All captures.
        things: How many things were compared.
    """

    share: float | None
    mean: float | None
    identical: int
    captures: int
    things: int

    @property
    def identical_share(self) -> float:
        """Part of the captures in which nothing differs."""
        return self.identical / self.captures


def totals(comparisons: Mapping[str, Comparison]) -> dict[str, Total]:
    """Totals of each aspect over captures by name."""
    return {aspect: _total([comparison[aspect] for comparison in comparisons.values()]) for aspect in ASPECTS}


def _total(agreements: list[Agreement]) -> Total:
    compared = [agreement for agreement in agreements if agreement.total]
    things = sum(agreement.total for agreement in compared)
    return Total(
        share=sum(agreement.equal for agreement in compared) / things if things else None,
        mean=sum(agreement.share or 0.0 for agreement in compared) / len(compared) if compared else None,
        identical=sum(agreement.identical for agreement in agreements),
        captures=len(agreements),
        things=things,
    )


def lines(comparisons: Mapping[str, Comparison], *, examples: bool = False) -> Iterator[str]:
    """The table, line by line.

    Args:
        comparisons: Comparison of each capture, by its name.
        examples: Whether to list some of the disagreements below each capture that has any.
    """
    yield _line("% equal", [HEADINGS.get(aspect, aspect) for aspect in ASPECTS])
    for name, comparison in comparisons.items():
        yield _line(name, [percent(comparison[aspect].share) for aspect in ASPECTS])
        if examples:
            for aspect in ASPECTS:
                yield from (f"    {aspect}: {example}" for example in comparison[aspect].examples)
    yield ""
    total = totals(comparisons).values()
    yield _line("all captures together", [percent(one.share) for one in total])
    yield _line("mean over captures", [percent(one.mean) for one in total])
    yield _line("captures that are identical", [f"{one.identical}/{one.captures}" for one in total])


def percent(share: float | None) -> str:
    """A share in percent, never rounded up to 100; a dash for None."""
    if share is None:
        return "-"
    if share == 1:
        return "100"
    return f"{min(share * 100, 99.99):.2f}"


def _line(name: str, cells: list[str]) -> str:
    short = name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"
    return short.ljust(NAME_WIDTH) + "".join(cell.rjust(max(WIDTH, len(cell) + 1)) for cell in cells)
