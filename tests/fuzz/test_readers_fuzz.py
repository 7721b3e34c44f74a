"""A short run of the readers' fuzzer; a long one is started by hand (see `readers`)."""

from __future__ import annotations

from itertools import islice

import pytest
from fuzz import readers


@pytest.mark.parametrize("name", readers.seeds())
def test_seeds_are_captures(name: str) -> None:
    frames = readers.outcome(readers.seeds()[name], 1 << 20)
    assert not isinstance(frames, str)
    assert len(frames) >= 30


def test_mutations() -> None:
    for number, name, content, rng in islice(readers.cases(0), 150):
        try:
            readers.check(content, rng)
        except Exception as error:
            msg = f"case {number}, made from {name}"
            raise AssertionError(msg) from error
