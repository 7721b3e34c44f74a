"""Rows that rest in a file come back as they were, whatever was held in memory and whatever is asked for."""

from __future__ import annotations

import errno
import tempfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caphouse.ingest import resting
from caphouse.ingest.resting import Resting
from caphouse.warehouse.errors import CaptureError


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 40), max_size=60), max_size=8),
    st.integers(0, 45),
    st.integers(0, 45),
    st.sampled_from((1, 200, 1 << 20)),
    st.sampled_from((1, 3, 1024)),
)
def test_rows_of_a_range_of_owners(lots: list[list[int]], start: int, stop: int, held_bytes: int, stride: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resting, "HELD_BYTES", held_bytes)
        patch.setattr(resting, "_STRIDE", stride)
        rows = Resting({"number": np.int32, "even": np.bool_})
        put: list[tuple[int, int]] = []
        for owners in lots:
            numbers = np.arange(len(put), len(put) + len(owners))
            rows.put(np.array(owners, dtype=np.int32), {"number": numbers, "even": numbers % 2 == 0})
            put += zip(owners, numbers.tolist(), strict=True)
        found = rows.of(range(start, stop))
    # Sorting in Python is stable.
    assert [tuple(row) for row in found.tolist()] == [
        (owner, number, number % 2 == 0) for owner, number in sorted(put, key=lambda row: row[0]) if start <= owner < stop
    ]


def test_no_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, *_: object) -> int:
            return 0

        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    def full(**_: Any) -> Full:
        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(resting, "HELD_BYTES", 1)
    rows = Resting({"number": np.int64})
    with pytest.raises(CaptureError, match=r"conversations cannot be written to .*: no space left on device"):
        rows.put(np.array([1]), {"number": np.array([1])})
