"""Sums per flow, minute and direction: what `flows` and `flow_minutes` count.

Each batch is summed on its own; the sums are merged by sorting when as many new ones have come as there were, so that a long
conversation costs a row a minute and not a row a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .formats.base import NO_TIME
from .keys import group

COUNTERS = ("packets", "bytes", "payload_packets", "payload_packet_bytes", "payload_bytes")
"""What is counted, in the order of `Sums.counts`."""
NO_MINUTE = -(1 << 28)
"""Minute of packets without a time; int64 nanoseconds reach neither this far nor its opposite."""
_MINUTE_NS = 60_000_000_000
_MINUTE_BITS = 29
_MERGE_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by flow, minute and direction, sorted in this order.

    Attributes:
        flow: int64[m].
        minute: int64[m], minutes since the epoch, `NO_MINUTE` for packets without a time.
        backward: bool[m], against the direction of the flow's first packet.
        counts: int64[m, 5], see `COUNTERS`.
    """

    flow: Int64
    minute: Int64
    backward: Bool
    counts: npt.NDArray[np.int64]


class Rollup:
    """The sums of one capture: 48 bytes for each flow, minute and direction that has packets, up to twice that between merges."""

    def __init__(self) -> None:
        self._keys: list[Int64] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._merged = 0
        self._fresh = 0

    def add(self, local: Int32, flows: Int32, backward: Bool, ts_ns: Int64, wire_length: Int64, payload_length: Int64) -> None:
        """Add the packets of a batch.

        Args:
            local: int32[n], flow of each packet among those of the batch.
            flows: int32[k], capture-wide number of each of them.
            backward: bool[n], against the direction of the flow's first packet.
            ts_ns: int64[n]. wire_length: int64[n]. payload_length: int64[n], negative where there is none.
        """
        cell = local.astype(np.int64) << 1 | backward
        minute, cells = _by_minute(ts_ns, cell, 2 * len(flows))
        payload = np.flatnonzero(payload_length > 0)
        payload_cell = cell[payload] if cells is None else cells[0][payload]
        cell, size = (cell, 2 * len(flows)) if cells is None else (cells[0], len(cells[1]))
        counts = np.empty((size, len(COUNTERS)), dtype=np.int64)
        counts[:, 0] = np.bincount(cell, minlength=size)
        # Sums in float64 are exact here: at most 65,536 lengths below 2**32.
        counts[:, 1] = np.bincount(cell, wire_length, minlength=size)
        counts[:, 2] = np.bincount(payload_cell, minlength=size)
        counts[:, 3] = np.bincount(payload_cell, wire_length[payload], minlength=size)
        counts[:, 4] = np.bincount(payload_cell, payload_length[payload], minlength=size)
        used = np.flatnonzero(counts[:, 0])
        code = used if cells is None else cells[1][used]
        key = flows[code >> 1].astype(np.int64) << (_MINUTE_BITS + 1) | (minute[used] - NO_MINUTE) << 1 | code & 1
        self._keys.append(key)
        self._counts.append(counts[used])
        self._fresh += len(key)
        if self._fresh > max(_MERGE_ROWS, self._merged):
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([*self._keys, np.zeros(0, dtype=np.int64)])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        if len(keys):
            self._counts = [np.add.reduceat(np.concatenate(self._counts)[order], starts, axis=0)]
        self._keys = [keys[starts]]
        self._merged, self._fresh = len(starts), 0

    def finish(self) -> Sums:
        """All sums."""
        self._merge()
        key = self._keys[0]
        counts = self._counts[0] if self._counts else np.zeros((0, len(COUNTERS)), dtype=np.int64)
        minute = (key >> 1 & (1 << _MINUTE_BITS) - 1) + NO_MINUTE
        return Sums(key >> _MINUTE_BITS + 1, minute, (key & 1).astype(np.bool_), counts)


def _by_minute(ts_ns: Int64, cell: Int64, size: int) -> tuple[Int64, tuple[Int32, Int64] | None]:
    """Split cells by minute.

    Returns:
        When the batch lies within one minute: that minute for each of `size` cells, and None. Else the minute of each new cell, and the
        new cell (int32[n]) of each packet with the old one that each new cell is of.
    """
    if len(ts_ns) and ts_ns.min() // _MINUTE_NS == ts_ns.max() // _MINUTE_NS and ts_ns.min() != NO_TIME:
        return np.full(size, ts_ns[0] // _MINUTE_NS), None
    minute = np.where(ts_ns == NO_TIME, NO_MINUTE, ts_ns // _MINUTE_NS)
    cells, first = group((minute - NO_MINUTE) << 32 | cell)
    return minute[first], (cells, cell[first])
