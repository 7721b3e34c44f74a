"""Times of pcapng: 64-bit counts in a unit and from an instant that each interface states (if_tsresol, if_tsoffset)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import NO_TIME

UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]

MICROSECONDS = 6
"""The value of if_tsresol where an interface does not state it."""
SECOND = 1_000_000_000
LARGEST_SECOND = np.iinfo(np.int64).max // SECOND


def resolution_ns(resolution: int) -> float:
    """Nanoseconds per count for an if_tsresol: a power of ten, or with the highest bit set a power of two."""
    exponent = resolution & 0x7F
    return 1e9 * (2.0**-exponent if resolution & 0x80 else 10.0**-exponent)


def nanoseconds(counts: UInt64, resolution: int, offset_seconds: int) -> Int64:
    """Counts as nanoseconds since the epoch, rounded down, in integers only.

    Args:
        counts: uint64[n] as in the blocks.
        resolution: if_tsresol.
        offset_seconds: if_tsoffset.

    Returns:
        int64[n]; `NO_TIME` for times that 64 bits of nanoseconds cannot hold (before 1677, after 2262).
    """
    exponent = resolution & 0x7F
    seconds, nanos = _binary(counts, exponent) if resolution & 0x80 else _decimal(counts, exponent)
    # Both addends are kept far from 64 bits: a sum beyond them would come back as an ordinary time.
    known = seconds < 1 << 62
    whole = np.where(known, seconds, 0).astype(np.int64) + max(min(offset_seconds, 1 << 62), -1 << 62)
    known &= (whole >= -LARGEST_SECOND) & (whole < LARGEST_SECOND)
    return np.where(known, np.where(known, whole, 0) * SECOND + nanos.astype(np.int64), NO_TIME)


def _decimal(counts: UInt64, exponent: int) -> tuple[UInt64, UInt64]:
    """Seconds and nanoseconds of counts of 10**-exponent seconds."""
    if exponent <= 9:
        seconds, rest = np.divmod(counts, np.uint64(10**exponent))
        return seconds, rest * np.uint64(10 ** (9 - exponent))
    if exponent <= 19:
        seconds, rest = np.divmod(counts, np.uint64(10**exponent))
        return seconds, rest // np.uint64(10 ** (exponent - 9))
    zero = np.zeros_like(counts)
    return zero, counts // np.uint64(10 ** (exponent - 9)) if exponent <= 28 else zero


def _binary(counts: UInt64, exponent: int) -> tuple[UInt64, UInt64]:
    """Seconds and nanoseconds of counts of 2**-exponent seconds."""
    if exponent < 64:
        seconds, fraction = counts >> np.uint64(exponent), counts & np.uint64((1 << exponent) - 1)
    else:
        seconds, fraction = np.zeros_like(counts), counts
    if exponent <= 32:
        return seconds, fraction * np.uint64(SECOND) >> np.uint64(exponent)
    # The product takes up to 94 bits: multiply both halves, and drop the lower half's 32 bits before the rest of the shift.
    high, low = fraction >> np.uint64(32), fraction & np.uint64(0xFFFF_FFFF)
    product = high * np.uint64(SECOND) + (low * np.uint64(SECOND) >> np.uint64(32))
    return seconds, product >> np.uint64(min(exponent - 32, 63))
