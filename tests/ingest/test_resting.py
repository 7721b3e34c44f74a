"""Rows that rest in a file come back as they were, whatever was held in memory and whatever is asked for."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_captures import pcap

from caphouse.ingest import resting
from caphouse.ingest.pipeline import ingest
from caphouse.ingest.resting import Resting
from caphouse.warehouse.errors import CaptureError
from caphouse.warehouse.store import Warehouse


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
        found = rows.of(slice(start, stop))
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


def test_a_capture_whose_conversations_cannot_be_remembered_is_told_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it counts, and it can be read another time."""
    (tmp_path / "long.pcap").write_bytes(pcap(0, 500))
    (tmp_path / "short.pcap").write_bytes(pcap(500, 502))
    warehouse = Warehouse.create(tmp_path / "warehouse")
    sources = [str(tmp_path / name) for name in ("long.pcap", "short.pcap")]
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        patch.setattr(resting, "HELD_BYTES", 2000)
        report = ingest(warehouse, sources)
    assert [(result.status, result.packets) for result in report.results] == [("unsupported", 0), ("complete", 2)]
    assert report.results[0].message == (
        f"what must be remembered of its conversations cannot be written to {tmp_path / 'gone'}: no such file or directory"
    )
    again = ingest(warehouse, sources)
    assert [(result.packets, result.already_present) for result in again.results] == [(500, False), (0, True)]
