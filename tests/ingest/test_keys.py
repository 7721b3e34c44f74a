"""Exact numbering of keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caphouse.ingest import keys
from caphouse.ingest.keys import KeyTable, group

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.integers(-3, 3) | INT64, max_size=50))
def test_group(values: list[int]) -> None:
    numbers, first = group(np.array(values, dtype=np.int64))
    distinct = list(dict.fromkeys(values))
    assert numbers.tolist() == [distinct.index(value) for value in values]
    assert first.tolist() == [values.index(value) for value in distinct]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), INT64), max_size=50), st.sampled_from([0, 1, keys.ROUNDS]))
def test_group_by_several_columns(rows: list[tuple[int, int, int]], rounds: int) -> None:
    """However many keys collide in the hash tables."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "ROUNDS", rounds)
        numbers, first = group(*columns)
    distinct = list(dict.fromkeys(rows))
    assert numbers.tolist() == [distinct.index(row) for row in rows]
    assert first.tolist() == [rows.index(row) for row in distinct]


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(INT64, st.integers(0, 3)), max_size=40, unique=True), max_size=5))
def test_key_table(calls: list[list[tuple[int, int]]]) -> None:
    table = KeyTable(2)
    numbers: dict[tuple[int, int], int] = {}
    for call in calls:
        words = np.array(call, dtype=np.int64).reshape(-1, 2)
        new = [place for place, key in enumerate(call) if key not in numbers]
        found, added = table.number(words[:, 0], words[:, 1])
        assert added.tolist() == new
        assert found.tolist() == [numbers.setdefault(key, len(numbers)) for key in call]
    assert len(table) == len(numbers)


def test_key_table_grows() -> None:
    table = KeyTable()
    values = np.random.default_rng(1).permutation(300_000).astype(np.int64) << 40
    for part in np.array_split(values, 7):
        table.number(part)
    assert (table.number(values)[0] == np.arange(300_000)).all()
    assert (table.number(values[::-1].copy())[0] == np.arange(300_000)[::-1]).all()


def test_too_many_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 3)
    table = KeyTable()
    table.number(np.arange(3))
    with pytest.raises(OverflowError, match="more than 3"):
        table.number(np.arange(4))
