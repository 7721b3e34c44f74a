"""Exact times in any unit and from any instant."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caphouse.ingest.formats.base import NO_TIME
from caphouse.ingest.formats.pcapng_times import nanoseconds, resolution_ns

LIMIT = (2**63 - 1) // 10**9 * 10**9


def exact(count: int, resolution: int, offset: int) -> int:
    """With fractions of any length."""
    exponent = resolution & 0x7F
    unit = Fraction(1, 2**exponent) if resolution & 0x80 else Fraction(1, 10**exponent)
    whole = floor(count * unit)
    time = (whole + offset) * 10**9 + floor((count * unit - whole) * 10**9)
    return time if -LIMIT <= time < LIMIT else NO_TIME


@given(
    st.integers(0, 2**64 - 1) | st.integers(0, 64).map(lambda bits: 2**bits - 1) | st.integers(0, 63).map(lambda bits: 2**bits),
    st.integers(0, 255),
    st.just(0) | st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10),
)
def test_nanoseconds(count: int, resolution: int, offset: int) -> None:
    assert nanoseconds(np.array([count], dtype=np.uint64), resolution, offset).tolist() == [exact(count, resolution, offset)]


@pytest.mark.parametrize(("resolution", "unit"), [(6, 1000.0), (9, 1.0), (0, 1e9), (3, 1e6), (0x80, 1e9), (0x8A, 1e9 / 1024), (12, 0.001)])
def test_resolution(resolution: int, unit: float) -> None:
    assert resolution_ns(resolution) == pytest.approx(unit)
