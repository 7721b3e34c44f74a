"""The samples against the tshark that is installed: nothing may differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity import harness, tshark
from parity.compare import ASPECTS, Comparison

SUFFIXES = {".cap", ".pcap", ".pcapng", ".gz", ".zst"}

SAMPLES = sorted(path for path in (Path(__file__).parents[2] / "samples").rglob("*") if path.suffix in SUFFIXES)

pytestmark = pytest.mark.skipif(tshark.version() is None, reason="tshark is not installed")


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    return harness.compare_all(SAMPLES, tshark.run)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_nothing_differs(comparisons: dict[str, Comparison], aspect: str) -> None:
    assert {name: comparison[aspect].examples for name, comparison in comparisons.items() if not comparison[aspect].identical} == {}


def test_something_is_compared_in_every_aspect_that_the_samples_have(comparisons: dict[str, Comparison]) -> None:
    compared = {aspect for comparison in comparisons.values() for aspect, agreement in comparison.items() if agreement.total}
    assert compared >= {"frames", "times", "protocols", "addresses", "ports", "streams", "rtt", "initial rtt", "destinations", "hierarchy"}
