"""Pairs of TCP endpoints and the streams that they have one after the other.

The rule is Wireshark's. Of each side of a pair the initial sequence number is learned from the first segments of the current stream,
and a SYN/ACK may correct it. A SYN (without ACK) whose sequence number differs from what is known of its sender begins a new stream.

Few pairs ever see such a SYN. For all others everything is computed for whole batches; the others' segments are gone through one by
one, but only those that can change anything: segments with SYN, and the first ones after them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .keys import KeyTable, first_places, group
from .vectors import Vector

SYN, ACK = 0x02, 0x10
_UNKNOWN = -1
_MASK = 0xFFFFFFFF
"""Sequence numbers wrap at 2**32."""


@dataclass(slots=True)
class Segments:
    """The TCP segments of a batch, in file order.

    Attributes:
        pair: int32[n], number of the pair of endpoints in the batch, in order of first segments.
        side: bool[n], False when the first endpoint of the pair sent it.
        flags: int16[n]. seq, ack: int64[n].
        measured: bool[n], whether the length of the payload is known; Wireshark learns sequence numbers from such segments only.
    """

    pair: Int32
    side: Bool
    flags: npt.NDArray[np.int16]
    seq: Int64
    ack: Int64
    measured: Bool


class TcpPairs:
    """All pairs of a capture, about 50 bytes each."""

    def __init__(self) -> None:
        self._keys = KeyTable(2)
        self._stream = Vector(np.int32)
        self._isn = Vector(np.int64, _UNKNOWN)
        """Initial sequence numbers: two places a pair, one for each side."""
        self.streams = 0
        """Streams so far."""

    def number(self, words: tuple[Int64, Int64], segments: Segments) -> Int32:
        """Number the streams of a batch.

        Args:
            words: The keys of the batch's pairs, two int64[k].
            segments: n segments.

        Returns:
            int32[n], the stream of each segment.
        """
        pairs, added = self._keys.number(*words)
        current = self._stream.grow(len(self._keys))
        isns = self._isn.grow(2 * len(self._keys)).reshape(-1, 2)
        before = isns[pairs].reshape(-1)
        after, hard = _learn(before, segments)
        order = np.flatnonzero(hard[segments.pair])
        order = order[np.argsort(segments.pair[order], kind="stable")]
        again = _reuses(before, after, segments, order)

        first = first_places(segments.pair)[added]
        begins = np.sort(np.concatenate([first, again]))
        numbers = np.arange(self.streams, self.streams + len(begins), dtype=np.int32)
        self.streams += len(begins)
        latest = current[pairs]
        latest[added] = numbers[np.searchsorted(begins, first)]
        streams: Int32 = latest[segments.pair]
        if len(again):
            streams[again] = numbers[np.searchsorted(begins, again)]
            streams[order] = _carry_on(segments.pair[order], np.isin(order, again), streams[order])
            # Of several values for one pair the last one written stays: the stream of its last segment.
            latest[segments.pair[order]] = streams[order]
        current[pairs] = latest
        isns[pairs] = after.reshape(-1, 2)
        return streams


def _learn(before: Int64, segments: Segments) -> tuple[Int64, Bool]:
    """Learn initial sequence numbers as if no port were used again.

    Args:
        before: int64[2k], what is known of both sides of the batch's k pairs.
        segments: The batch.

    Returns:
        int64[2k], what is known afterwards; bool[k], the pairs for which that must be found out segment by segment.
    """
    count = len(segments.pair)
    sender = segments.pair.astype(np.int64) * 2 + segments.side
    known = before.copy()
    learned_at = np.full(len(before), -1, dtype=np.int64)
    unknown = before == _UNKNOWN
    if unknown.any():
        open_pair = unknown.reshape(-1, 2).any(axis=1)
        rows = np.flatnonzero(segments.measured & open_pair[segments.pair])[::-1]
        acks = rows[segments.flags[rows] & ACK != 0]
        # Written backwards, so that the first segment of each side is what stays.
        own = np.full(len(before), count, dtype=np.int64)
        own[sender[rows]] = rows
        acknowledged = np.full(len(before), count, dtype=np.int64)
        acknowledged[sender[acks] ^ 1] = acks
        learned_at[unknown] = np.minimum(own, acknowledged)[unknown]
        places = np.flatnonzero(unknown & (learned_at < count))
        at = learned_at[places]
        by_itself = segments.seq[at] - (segments.flags[at] & SYN == 0)
        known[places] = np.where(own[places] == at, by_itself, segments.ack[at] - 1) & _MASK

    hard = np.zeros(len(before) // 2, dtype=np.bool_)
    syns = np.flatnonzero(segments.flags & SYN)
    places = sender[syns]
    syns, places = syns[syns > learned_at[places]], places[syns > learned_at[places]]
    differs = segments.seq[syns] != known[places]
    pure = segments.flags[syns] & ACK == 0
    hard[places[differs & pure] >> 1] = True
    corrects = differs & ~pure
    if corrects.any():
        corrected = np.zeros(len(before), dtype=np.bool_)
        corrected[places[corrects]] = True
        hard[places[pure & corrected[places]] >> 1] = True
        answers = syns[~pure & corrected[places]]
        known[sender[answers]] = segments.seq[answers]
    return known, hard


def _reuses(before: Int64, after: Int64, segments: Segments, order: Int64) -> Int64:
    """Go through the segments of hard pairs.

    Args:
        before: int64[2k], initial sequence numbers before the batch.
        after: int64[2k], those after it; set here for the hard pairs.
        segments: The batch.
        order: int64[m], the hard pairs' segments, by pair and then in file order.

    Returns:
        Places in the batch at which a new stream of an old pair begins, ascending.
    """
    again: list[int] = []
    events = order[_events(segments, order)]
    rows = zip(
        events.tolist(),
        segments.pair[events].tolist(),
        segments.side[events].tolist(),
        segments.flags[events].tolist(),
        segments.seq[events].tolist(),
        segments.ack[events].tolist(),
        segments.measured[events].tolist(),
        strict=True,
    )
    last_pair = -1
    isn = [_UNKNOWN, _UNKNOWN]
    for row, pair, side, flags, seq, ack, measured in rows:
        if pair != last_pair:
            if last_pair >= 0:
                after[2 * last_pair : 2 * last_pair + 2] = isn
            last_pair, isn = pair, before[2 * pair : 2 * pair + 2].tolist()
        kind = flags & (SYN | ACK)
        if isn[side] not in (_UNKNOWN, seq):
            if kind == SYN:
                again.append(row)
                isn = [_UNKNOWN, _UNKNOWN]
            elif kind == SYN | ACK:
                isn[side] = seq
        if measured:
            if isn[side] == _UNKNOWN:
                isn[side] = seq if flags & SYN else seq - 1 & _MASK
            if flags & ACK and isn[not side] == _UNKNOWN:
                isn[not side] = ack - 1 & _MASK
    if last_pair >= 0:
        after[2 * last_pair : 2 * last_pair + 2] = isn
    return np.sort(np.array(again, dtype=np.int64))


def _events(segments: Segments, order: Int64) -> Int64:
    """Places in `order` of the segments that can change what is known: those with SYN, and the first ones of each side after them."""
    if not len(order):
        return order
    pair = segments.pair[order]
    syn = segments.flags[order] & SYN != 0
    stretch = np.cumsum(syn | (np.diff(pair, prepend=-1) != 0))
    key = stretch * 2 + segments.side[order]
    measured = np.flatnonzero(segments.measured[order])
    acks = measured[segments.flags[order[measured]] & ACK != 0]
    firsts = [places[group(key[places])[1]] for places in (measured, acks)]
    return np.unique(np.concatenate([np.flatnonzero(syn), *firsts]))


def _carry_on(pair: Int32, begins: Bool, streams: Int32) -> Int32:
    """Let each segment have the stream of the last beginning before it; all arrays by pair and then in file order."""
    begins = begins | (np.diff(pair, prepend=-1) != 0)
    return streams[np.maximum.accumulate(np.where(begins, np.arange(len(pair)), 0))]
