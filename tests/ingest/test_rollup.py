"""Sums come out the same whatever was put away meanwhile."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caphouse.ingest import resting, rollup
from caphouse.ingest.rollup import Rollup

parts = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.booleans(), st.integers(0, 9)), max_size=12)


@given(st.lists(parts, max_size=6), st.sampled_from((0, 5, 15, 1 << 17)), st.sampled_from((1, 100, 1 << 20)), st.integers(1, 8))
def test_sums_of_flows(lots: list[list[tuple[int, int, bool, int]]], held_rows: int, held_bytes: int, at_once: int) -> None:
    expected: Counter[tuple[int, int, bool]] = Counter()
    found: Counter[tuple[int, int, bool]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup, "_HELD_ROWS", held_rows)
        patch.setattr(resting, "HELD_BYTES", held_bytes)
        sums = Rollup()
        for lot in lots:
            flow, minute, backward, count = (np.array(column) for column in zip(*lot, strict=True)) if lot else (np.zeros(0, int),) * 4
            sums.add(flow.astype(np.int32), minute, backward.astype(np.bool_), np.outer(np.arange(1, 6), count))
            for number, at, way, value in lot:
                expected[number, at, way] += value
        assert len(sums) >= len(expected)
        for start in range(0, 7, at_once):
            part = sums.of_flows(slice(start, start + at_once))
            keys = list(zip(part.flow.tolist(), part.minute.tolist(), part.backward.tolist(), strict=True))
            assert keys == sorted(set(keys))
            assert all(start <= key[0] < start + at_once for key in keys)
            assert part.counts.tolist() == [[number * value for value in part.counts[0].tolist()] for number in range(1, 6)]
            found.update(dict(zip(keys, part.counts[0].tolist(), strict=True)))
    assert dict(found) == dict(expected)
