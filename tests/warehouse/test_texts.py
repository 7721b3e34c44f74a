"""Text by number, as Arrow's own functions give it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caphouse.warehouse.texts import take


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30), st.data())
def test_as_arrow_does(values: list[str], data: st.DataObject) -> None:
    texts = pa.array(values, pa.string()).slice(data.draw(st.integers(0, len(values) - 1)))
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=40))
    for dtype in (np.int32, np.int64):
        found = take(texts, np.array(rows, dtype=dtype))
        found.validate(full=True)
        assert found.equals(texts.take(pa.array(rows, pa.int64())))


def test_more_than_an_array_can_hold() -> None:
    texts = pa.array(["x" * (1 << 20)])
    with pytest.raises(pa.ArrowInvalid, match="more text"):
        take(texts, np.zeros(1 << 11, dtype=np.int64))
