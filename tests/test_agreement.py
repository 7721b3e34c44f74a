"""The page that says how agreement with Wireshark is checked names samples, captures and tests that are there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from made_packets import SAMPLES

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "agreement.md"
SECTIONS = dict(zip(*[iter(re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)[1:])] * 2, strict=True))


def named(section: str, column: int | None = None) -> set[str]:
    """What stands in backquotes in a section, or in one column of its tables."""
    lines = SECTIONS[section].splitlines()
    parts = lines if column is None else [line.split("|")[column] for line in lines if line.startswith("|")]
    return {name for part in parts for name in re.findall(r"`([^`]+)`", part)}


def test_samples_are_there() -> None:
    samples = {sample.name: sample for sample in SAMPLES}
    compared = named("Link types", 2) | named("What lies in a packet", 2)
    assert {name for name in compared if name not in samples or not samples[name].in_wireshark} == set()
    by_hand = {sample.name for sample in SAMPLES if not sample.in_wireshark}
    assert named("Link types") - compared == by_hand


def test_made_captures_are_there() -> None:
    sys.path.insert(0, str(TESTS / "ingest" / "readers"))
    try:
        from test_formats_tshark import MADE  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    assert named("Formats", 2) == set(MADE)


def test_tests_of_damage_are_there() -> None:
    code = "".join(path.read_text() for path in (TESTS / "ingest" / "readers").glob("test_*.py"))
    assert {name for name in named("Damage", 2) if f"def {name}(" not in code} == set()
