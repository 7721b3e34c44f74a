"""Bringing headers together that lie scattered in a buffer.

Each look at a packet in a buffer of tens of megabytes waits for memory, 50 ns, whether one byte is read there or a hundred. So what most
packets are asked for, their record's header and the first of their own, is brought together in one go, and taken apart from there.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

HEAD_BYTES = 96
"""Bytes of each packet that are brought together, whether they belong to it or not: Ethernet, IPv4 and TCP with all its options, or a VLAN
tag, IPv6 and TCP. Fewer than there are behind any packet (`base.PADDING_BYTES`)."""


def gather(buffer: Bytes, start: Int64, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Records of `dtype` that begin at `start` (int64[m]) in `buffer` (uint8[n]) and end within it.

    One fancy index over a view of all overlapping records. (`take` would copy the view, gigabytes.)
    """
    width = dtype.itemsize
    records = np.ndarray((max(len(buffer) - width + 1, 0),), f"V{width}", buffer=buffer.data, strides=(1,))
    found: npt.NDArray[Any] = records[start].view(dtype)
    return found


class Heads:
    """The first bytes of n packets, and before them those of their records.

    Args:
        records: Bytes[n], n records' first bytes.
        packet_at: Where in them the packets begin.
    """

    def __init__(self, records: npt.NDArray[np.void], packet_at: int) -> None:
        self._records = records
        self._packet_at = packet_at

    @classmethod
    def of_records(cls, buffer: Bytes, start: Int64, packet_at: int) -> Self:
        """Of the records at `start` (int64[n]) of a padded buffer, `packet_at` bytes into which their packets begin."""
        return cls(gather(buffer, start, np.dtype(f"V{packet_at + HEAD_BYTES}")), packet_at)

    def record_headers(self, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """`dtype`[n], what the records begin with."""
        return self._column(0, dtype).copy().view(dtype)

    def headers(self, rows: Int64 | None, at: Int64, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
        """Headers that begin `at` bytes (int64[m]) into the packets `rows` (int64[m], None for all); None where one is not in here."""
        width = dtype.itemsize
        first, last = int(at.min(initial=HEAD_BYTES)), int(at.max(initial=0))
        if first < -self._packet_at or last + width > HEAD_BYTES:
            return None
        if first == last:
            column = self._column(self._packet_at + first, dtype)
            return (column.copy() if rows is None else column[rows]).view(dtype)
        begin = (np.arange(len(self._records)) if rows is None else rows) * self._records.itemsize + self._packet_at
        return gather(self._records.view(np.uint8), begin + at, dtype)

    def _column(self, at: int, dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
        records = self._records
        return np.ndarray((len(records),), f"V{dtype.itemsize}", buffer=records.data, offset=at, strides=(records.itemsize,))
