"""What is wanted, beside what was measured: one table for all parts, in Markdown, as the documentation quotes it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """A figure to reach.

    Attributes:
        must: The least that is wanted.
        goal: What would be good.
        unit: Written after each figure.
        more: Whether larger figures are better.
    """

    must: float
    goal: float | None = None
    unit: str = ""
    more: bool = False

    def verdict(self, measured: float) -> str:
        """Which of the two was reached."""
        reaches = operator.ge if self.more else operator.le
        if self.goal is not None and reaches(measured, self.goal):
            return "goal"
        return ("yes" if self.goal is None else "must") if reaches(measured, self.must) else "no"

    def text(self, figure: float | None) -> str:
        """A figure with its unit."""
        if figure is None:
            return ""
        digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2
        return f"{figure:,.{digits}f}{self.unit}"


@dataclass(frozen=True)
class Score:
    """A figure that was measured, and what was wanted."""

    name: str
    measured: float
    wanted: Wanted


Scores = list[Score]


def markdown(scores: Scores) -> Iterator[str]:
    """The table."""
    yield "| what | must | goal | measured | reached |"
    yield "|---|---:|---:|---:|---|"
    for score in scores:
        wanted = score.wanted
        sign = ">=" if wanted.more else "<="
        goal = f"{sign} {wanted.text(wanted.goal)}" if wanted.goal is not None else ""
        figures = f"{sign} {wanted.text(wanted.must)} | {goal} | {wanted.text(score.measured)}"
        name = score.name.replace("|", "\\|")  # a cell would end there
        yield f"| {name} | {figures} | {wanted.verdict(score.measured)} |"
