"""Numbers as Arrow columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from caphouse.ingest.arrow_columns import texts_or_null


@given(st.integers(1, 60), st.data())
def test_texts_by_their_numbers(size: int, data: st.DataObject) -> None:
    """Whether there are few texts for the numbers or many, a slice of others or not."""
    numbers = data.draw(st.lists(st.integers(-3, size - 1), max_size=40))
    texts = [f"text {number}" for number in range(size)]
    found = texts_or_null(np.array(numbers, dtype=np.int64), pa.array(["before", *texts], pa.string())[1:])
    found.validate(full=True)
    assert found.to_pylist() == [texts[number] if number >= 0 else None for number in numbers]
    assert sorted(found.dictionary.to_pylist()) == sorted({texts[number] for number in numbers if number >= 0})
