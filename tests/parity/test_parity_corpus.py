"""All captures of the corpus, ingested in one command, against what tshark 4.0.17 says of them."""

from __future__ import annotations

import pytest

from parity import harness, oracle, table
from parity.compare import ASPECTS, Comparison
from parity.deliberate import DELIBERATE
from parity.thresholds import IDENTICAL, MEANS, SHARES

pytestmark = pytest.mark.skipif(not oracle.captures(), reason="no corpus beside the checkout")


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return harness.compare_all(oracle.captures(), harness.stored)


def differences(comparisons: dict[str, Comparison], aspect: str) -> str:
    """The captures that differ in one aspect, with some examples: what a failed test says."""
    lines = [f"{aspect} {table.totals(comparisons)[aspect]}"]
    for name, comparison in comparisons.items():
        if not comparison[aspect].identical:
            lines += [
                f"{name}: {comparison[aspect].equal} of {comparison[aspect].total}",
                *(f"  {one}" for one in comparison[aspect].examples),
            ]
    return "\n".join(lines)


def test_every_aspect_has_a_bound() -> None:
    assert {*DELIBERATE, *SHARES, *IDENTICAL} == set(ASPECTS)


@pytest.mark.parametrize(("aspect", "deliberate"), DELIBERATE.items())
def test_only_what_is_documented_differs(comparisons: dict[str, Comparison], aspect: str, deliberate: dict[str, int]) -> None:
    if deliberate and not table.totals(comparisons)[aspect].things:  # without a tshark to ask for what the stored oracle does not hold
        pytest.skip("tshark is not installed")
    counts = {name: comparison[aspect].total - comparison[aspect].equal for name, comparison in comparisons.items()}
    assert {name: count for name, count in counts.items() if count} == deliberate, differences(comparisons, aspect)


@pytest.mark.parametrize(("aspect", "least"), SHARES.items())
def test_enough_is_equal_over_all_captures(comparisons: dict[str, Comparison], aspect: str, least: float) -> None:
    share = table.totals(comparisons)[aspect].share
    if share is None:  # without a tshark to ask for what the stored oracle does not hold
        pytest.skip("tshark is not installed")
    assert share >= least, differences(comparisons, aspect)


@pytest.mark.parametrize(("aspect", "least"), MEANS.items())
def test_enough_is_equal_in_the_mean_over_captures(comparisons: dict[str, Comparison], aspect: str, least: float) -> None:
    mean = table.totals(comparisons)[aspect].mean
    assert mean is not None
    assert mean >= least, differences(comparisons, aspect)


@pytest.mark.parametrize(("aspect", "least"), IDENTICAL.items())
def test_enough_captures_are_identical(comparisons: dict[str, Comparison], aspect: str, least: float) -> None:
    identical = table.totals(comparisons)[aspect].identical_share
    assert identical >= least, differences(comparisons, aspect)
