"""A short run of captures all the way to their receipts, and of the long run's step; a long one is started by hand (`make fuzz`)."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from fuzz import whole


def test_mutated_captures_all_the_way() -> None:
    status: Counter[str] = Counter()
    for number, content, within in islice(whole.cases(0), 60):
        try:
            status[whole.check(content, within)["status"]] += 1
        except Exception as error:
            msg = f"case {number}"
            raise AssertionError(msg) from error
    assert {"complete", "damaged"} <= set(status)
