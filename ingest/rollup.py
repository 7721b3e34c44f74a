"""Sums per flow, minute and direction: what `flows` and `flow_minutes` count.

Lanes come with their sums. When there are many, those of the same flow, minute and direction are added up by sorting, and put away
(see `resting`): a conversation costs no memory however long it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .lanes import COUNTERS, NO_MINUTE
from .resting import Resting

_MINUTE_BITS = 29
_FLOW_SHIFT = _MINUTE_BITS + 1
_HELD_ROWS = 3 << 15
"""Sums of lanes that are held in memory."""


class Sums(NamedTuple):
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
        self._keys: list[Int64] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._held = 0
        self._away = Resting({"key": np.int64, **dict.fromkeys(COUNTERS, np.int64)})

    def __len__(self) -> int:
        """About how many sums there are; no fewer."""
        return len(self._away) + self._held

    def add(self, flow: Int32, minute: Int64, backward: Bool, counts: npt.NDArray[np.int64]) -> None:
        """Add sums of parts: int32[k], int64[k], bool[k], int64[5, k], as in `Sums`."""
        self._keys.append(flow.astype(np.int64) << _FLOW_SHIFT | (minute - NO_MINUTE) << 1 | backward)
        self._counts.append(counts)
        self._held += len(flow)
        if self._held > _HELD_ROWS:
            self._put_away()

    def _put_away(self) -> None:
        key, count = _merged(self._keys, self._counts)
        self._away.put(key >> _FLOW_SHIFT, {"key": key, **dict(zip(COUNTERS, count, strict=True))})
        self._keys, self._counts, self._held = [], [], 0

    def of_flows(self, flows: slice) -> Sums:
        """The sums of some flows, once all packets have been counted."""
        if self._held:
            self._put_away()
        rows = self._away.of(flows)
        key, count = _merged([rows["key"]], [np.stack([rows[name] for name in COUNTERS])])
        minute = (key >> 1 & (1 << _MINUTE_BITS) - 1) + NO_MINUTE
        return Sums(key >> _FLOW_SHIFT, minute, (key & 1).astype(np.bool_), count)


def _merged(keys: list[Int64], counts: list[npt.NDArray[np.int64]]) -> tuple[Int64, npt.NDArray[np.int64]]:
    """Each key once, ascending, with the sum of its counts."""
    key = np.concatenate(keys)
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    count = np.zeros((len(COUNTERS), len(starts)), dtype=np.int64)
    if len(key):
        # One after the other, so that only one of them is there twice.
        for row, sums in enumerate(count):
            np.add.reduceat(np.concatenate([part[row] for part in counts]).take(order), starts, out=sums)
    return key[starts], count
