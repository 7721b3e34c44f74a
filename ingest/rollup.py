"""Sums per flow, minute and direction: what `flows` and `flow_minutes` count.

Lanes come with their sums. These are merged by sorting when as many new ones have come as there were, so that a long conversation
costs a row a minute and not a row a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .lanes import COUNTERS, NO_MINUTE

_MINUTE_BITS = 29
_MERGE_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by flow, minute and direction, sorted in this order.

    Attributes:
        flow: int64[m].
        minute: int64[m], minutes since the epoch, `NO_MINUTE` for packets without a time.
        backward: bool[m], against the direction of the flow's first packet.
        counts: int64[5, m], see `COUNTERS`.
    """

    flow: Int64
    minute: Int64
    backward: Bool
    counts: npt.NDArray[np.int64]

    def of_flows(self, flows: slice) -> Sums:
        """Those of a range of flows."""
        start, end = np.searchsorted(self.flow, [flows.start, flows.stop])
        return Sums(self.flow[start:end], self.minute[start:end], self.backward[start:end], self.counts[:, start:end])


class Rollup:
    """The sums of one capture: 48 bytes for each flow, minute and direction that has packets, up to twice that between merges."""

    def __init__(self) -> None:
        self._keys: list[Int64] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._merged = 0
        self._fresh = 0

    def add(self, flow: Int32, minute: Int64, backward: Bool, counts: npt.NDArray[np.int64]) -> None:
        """Add sums of parts: int32[k], int64[k], bool[k], int64[5, k], as in `Sums`."""
        self._keys.append(flow.astype(np.int64) << _MINUTE_BITS + 1 | (minute - NO_MINUTE) << 1 | backward)
        self._counts.append(counts)
        self._fresh += len(flow)
        if self._fresh > max(_MERGE_ROWS, self._merged):
            self._merge()

    def _merge(self) -> None:
        keys = np.concatenate([*self._keys, np.zeros(0, dtype=np.int64)])
        counts = np.concatenate([*self._counts, np.zeros((len(COUNTERS), 0), dtype=np.int64)], axis=1)
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys, self._counts = [keys[starts]], [np.add.reduceat(counts[:, order], starts, axis=1) if len(keys) else counts]
        self._merged, self._fresh = len(starts), 0

    def finish(self) -> Sums:
        """All sums."""
        self._merge()
        key = self._keys[0]
        minute = (key >> 1 & (1 << _MINUTE_BITS) - 1) + NO_MINUTE
        return Sums(key >> _MINUTE_BITS + 1, minute, (key & 1).astype(np.bool_), self._counts[0])
