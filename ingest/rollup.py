"""Sums per flow, minute and direction: what `flows` and `flow_minutes` count.

Lanes come with their sums. These are merged by sorting when as many new ones have come as there were, so that a long conversation
costs a row a minute and not a row a batch; and put away (see `resting`) when there are many, so that it costs no memory at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .lanes import COUNTERS, NO_MINUTE
from .resting import Resting

_MINUTE_BITS = 29
_MERGE_ROWS = 1 << 16
_MOST_ROWS = 1 << 16
"""Merged rows, beyond which they are put away."""


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


class Rollup:
    """The sums of one capture."""

    def __init__(self) -> None:
        self._away = Resting({"key": np.int64, **dict.fromkeys(COUNTERS, np.int64)})
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
            if self._merged > _MOST_ROWS:
                self._put_away()

    def _merge(self) -> None:
        keys, counts = _merged(self._keys, self._counts)
        self._keys, self._counts = [keys], [counts]
        self._merged, self._fresh = len(keys), 0

    def _put_away(self) -> None:
        (keys,), (counts,) = self._keys, self._counts
        self._away.put(keys >> _MINUTE_BITS + 1, {"key": keys, **dict(zip(COUNTERS, counts, strict=True))})
        self._keys, self._counts, self._merged = [], [], 0

    def __len__(self) -> int:
        """About how many sums there are; no fewer."""
        return len(self._away) + self._merged + self._fresh

    def of_flows(self, flows: range) -> Sums:
        """The sums of a range of flows, once all packets have been counted."""
        if self._fresh:
            self._merge()
        rows = self._away.of(flows)
        keys, counts = [rows["key"]], [np.stack([rows[name] for name in COUNTERS])]
        for held, held_counts in zip(self._keys, self._counts, strict=True):
            begin, end = np.searchsorted(held, np.array([flows.start, flows.stop]) << _MINUTE_BITS + 1)
            keys.append(held[begin:end])
            counts.append(held_counts[:, begin:end])
        key, count = _merged(keys, counts)
        minute = (key >> 1 & (1 << _MINUTE_BITS) - 1) + NO_MINUTE
        return Sums(key >> _MINUTE_BITS + 1, minute, (key & 1).astype(np.bool_), count)


def _merged(keys: list[Int64], counts: list[npt.NDArray[np.int64]]) -> tuple[Int64, npt.NDArray[np.int64]]:
    """Each key once, ascending, with the sum of its counts."""
    key = np.concatenate([*keys, np.zeros(0, dtype=np.int64)])
    count = np.concatenate([*counts, np.zeros((len(COUNTERS), 0), dtype=np.int64)], axis=1)
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    return key[starts], np.add.reduceat(count[:, order], starts, axis=1) if len(key) else count
