"""Pairs of TCP endpoints and the streams that they have one after the other.

The rule is Wireshark's. Of each side of a pair the initial sequence number is learned from the first segments of the current stream,
and a SYN/ACK may correct it. A SYN (without ACK) whose sequence number differs from what is known of its sender begins a new stream.

Few pairs ever see such a SYN. For all others everything is found from the first segments of lanes; the others' segments are gone
through one by one, but only those that can change anything: segments with SYN, and the first ones after them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .columns import Bool, Columns, Int32, Int64
from .keys import KeyTable, group
from .lanes import ACK, SEEN_SYN_ACK, SYN, TCP_STREAM, Lanes
from .vectors import Vector

_UNKNOWN = -1
_NEVER = np.iinfo(np.int64).max
_MASK = 0xFFFFFFFF
"""Sequence numbers wrap at 2**32."""


class _Segments(NamedTuple):
    """Segments of pairs that must be looked at one by one, by pair and then in file order: arrays of length m.

    Attributes:
        place: int64, in the batch. pair: int64, among the batch's TCP pairs. side: bool, whether the second endpoint sent it.
        flags, seq, ack: As in `Columns`.
        measured: bool, whether the length of the payload is known; Wireshark learns sequence numbers from such segments only.
    """

    place: Int64
    pair: Int64
    side: Bool
    flags: npt.NDArray[np.int16]
    seq: Int64
    ack: Int64
    measured: Bool


class Numbered(NamedTuple):
    """The streams of a batch's TCP pairs.

    Attributes:
        stream: int32[t], stream of each pair's first segment in the batch.
        places: int64[m], ascending places of all segments of pairs whose ports were used again in this batch.
        streams: int32[m], their streams.
    """

    stream: Int32
    places: Int64
    streams: Int32


class TcpPairs:
    """All pairs of a capture, about 50 bytes each."""

    def __init__(self) -> None:
        self._keys = KeyTable(2)
        self._stream = Vector(np.int32)
        self._isn = Vector(np.int64, _UNKNOWN)
        """Initial sequence numbers: two places a pair, one for each side."""
        self.streams = 0
        """Streams so far."""

    def number(self, words: tuple[Int64, Int64], pairs: Int64, columns: Columns, lanes: Lanes, turned: Bool) -> Numbered:
        """Number the streams of a batch.

        Args:
            words: The keys of the batch's TCP pairs, two int64[t].
            pairs: int64[t], the numbers of these among all pairs of the batch's lanes.
            columns: The batch. lanes: Its lanes.
            turned: bool[k], whether the sender of each lane is the second of its pair, in the order of the words.
        """
        known, added = self._keys.number(*words)
        current = self._stream.grow(len(self._keys))
        isns = self._isn.grow(2 * len(self._keys)).reshape(-1, 2)
        before = isns[known].reshape(-1)
        place_of_pair = np.empty(len(lanes.pair_lane), dtype=np.int64)
        place_of_pair[pairs] = np.arange(len(pairs))
        # Two places a pair, one for each side; means nothing for other lanes.
        sender = np.where(lanes.kind == TCP_STREAM, place_of_pair[lanes.pair] * 2 + turned, 0)
        after, hard = _learn(before, columns, lanes, sender)
        segments = _segments(columns, lanes, sender, hard)
        again = _reuses(before, after, segments)

        first = lanes.first[lanes.pair_lane[pairs[added]]]
        begins = np.sort(np.concatenate([first, again]))
        numbers = np.arange(self.streams, self.streams + len(begins), dtype=np.int32)
        self.streams += len(begins)
        latest = current[known]
        latest[added] = numbers[np.searchsorted(begins, first)]
        result = Numbered(latest.copy(), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))
        if len(again):
            begin = np.isin(segments.place, again)
            streams = latest[segments.pair]
            streams[begin] = numbers[np.searchsorted(begins, segments.place[begin])]
            streams = _carry_on(segments.pair, begin, streams)
            # Of several values for one pair the last one written stays: the stream of its last segment.
            latest[segments.pair] = streams
            order = np.argsort(segments.place)
            result = result._replace(places=segments.place[order], streams=streams[order])
        current[known] = latest
        isns[known] = after.reshape(-1, 2)
        return result


def _learn(before: Int64, columns: Columns, lanes: Lanes, sender: Int64) -> tuple[Int64, Bool]:
    """Learn initial sequence numbers as if no port were used again.

    Args:
        before: int64[2t], what is known of both sides of the batch's t pairs.
        columns: The batch. lanes: Its lanes.
        sender: int64[k], the side (of 2t) that sent each lane.

    Returns:
        int64[2t], what is known afterwards; bool[t], the pairs for which that must be found out segment by segment.
    """
    known = before.copy()
    hard = np.zeros(len(before) // 2, dtype=np.bool_)
    learned_at = np.full(len(before), -1, dtype=np.int64)
    unknown = before == _UNKNOWN
    flags, seq, ack = columns.tcp_flags, columns.tcp_seq, columns.tcp_ack
    if unknown.any():
        open_pair = unknown.reshape(-1, 2).any(axis=1)
        open_lanes = np.flatnonzero((lanes.kind == TCP_STREAM) & open_pair[sender >> 1])
        side = sender[open_lanes]
        first, answer = lanes.first[open_lanes], lanes.answer[open_lanes]
        # The first segment of the lane that has ACK.
        first_ack = np.where(flags[first] & ACK != 0, first, answer)
        measured = columns.payload_length[first] >= 0
        acknowledges = (first_ack >= 0) & (flags[first_ack] & ACK != 0) & (columns.payload_length[first_ack] >= 0)
        # Else a later segment of the lane may tell; a SYN/ACK behind a SYN of the same sender comes before the lane's answer.
        odd = ~measured | ((first_ack >= 0) & ~acknowledges)
        odd |= (flags[first] & ACK == 0) & (lanes.seen[open_lanes] & SEEN_SYN_ACK != 0)
        hard[side[odd & (lanes.counts[0, open_lanes] > 1)] >> 1] = True
        own = np.full(len(before), _NEVER, dtype=np.int64)
        # Written backwards, so that the first lane of each side is what stays.
        own[side[measured][::-1]] = first[measured][::-1]
        acknowledged = np.full(len(before), _NEVER, dtype=np.int64)
        np.minimum.at(acknowledged, side[acknowledges] ^ 1, first_ack[acknowledges])
        learned_at[unknown] = np.minimum(own, acknowledged)[unknown]
        places = np.flatnonzero(unknown & (learned_at != _NEVER))
        at = learned_at[places]
        by_itself = seq[at] - (flags[at] & SYN == 0)
        known[places] = np.where(own[places] == at, by_itself, ack[at] - 1) & _MASK

    syns = lanes.syns
    places = sender[lanes.number[syns]]
    late = syns > learned_at[places]
    syns, places = syns[late], places[late]
    differs = seq[syns] != known[places]
    pure = flags[syns] & ACK == 0
    hard[places[differs & pure] >> 1] = True
    corrects = differs & ~pure
    if corrects.any():
        corrected = np.zeros(len(before), dtype=np.bool_)
        corrected[places[corrects]] = True
        hard[places[pure & corrected[places]] >> 1] = True
        answers = ~pure & corrected[places]
        known[places[answers]] = seq[syns[answers]]
    return known, hard


def _segments(columns: Columns, lanes: Lanes, sender: Int64, hard: Bool) -> _Segments:
    """The segments of hard pairs."""
    place = np.zeros(0, dtype=np.int64)
    if hard.any():
        place = np.flatnonzero(((lanes.kind == TCP_STREAM) & hard[sender >> 1])[lanes.number])
    side = sender[lanes.number[place]]
    order = np.argsort(side >> 1, kind="stable")
    place, side = place[order], side[order]
    return _Segments(
        place=place,
        pair=side >> 1,
        side=side & 1 != 0,
        flags=columns.tcp_flags[place],
        seq=columns.tcp_seq[place],
        ack=columns.tcp_ack[place],
        measured=columns.payload_length[place] >= 0,
    )


def _reuses(before: Int64, after: Int64, segments: _Segments) -> Int64:
    """Go through the segments of hard pairs.

    Args:
        before: int64[2t], initial sequence numbers before the batch.
        after: int64[2t], those after it; set here for the hard pairs.
        segments: All segments of the hard pairs.

    Returns:
        Places in the batch at which a new stream of an old pair begins, ascending.
    """
    again: list[int] = []
    events = _events(segments)
    rows = zip(
        segments.place[events].tolist(),
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
    for place, pair, side, flags, seq, ack, measured in rows:
        if pair != last_pair:
            if last_pair >= 0:
                after[2 * last_pair : 2 * last_pair + 2] = isn
            last_pair, isn = pair, before[2 * pair : 2 * pair + 2].tolist()
        if _begins_again(isn, flags, seq, int(side)):
            again.append(place)
        if measured:
            _learn_one(isn, flags, seq, ack, int(side))
    if last_pair >= 0:
        after[2 * last_pair : 2 * last_pair + 2] = isn
    return np.sort(np.array(again, dtype=np.int64))


def _begins_again(isn: list[int], flags: int, seq: int, side: int) -> bool:
    """Whether a segment begins a new stream; then nothing is known any more. A SYN/ACK corrects what is known of its sender."""
    if isn[side] in {_UNKNOWN, seq}:
        return False
    kind = flags & (SYN | ACK)
    if kind == SYN:
        isn[:] = [_UNKNOWN, _UNKNOWN]
    elif kind == SYN | ACK:
        isn[side] = seq
    return kind == SYN


def _learn_one(isn: list[int], flags: int, seq: int, ack: int, side: int) -> None:
    """Learn initial sequence numbers that are not known yet from one segment."""
    if isn[side] == _UNKNOWN:
        isn[side] = seq if flags & SYN else (seq - 1) & _MASK
    if flags & ACK and isn[1 - side] == _UNKNOWN:
        isn[1 - side] = (ack - 1) & _MASK


def _events(segments: _Segments) -> Int64:
    """Numbers of the segments that can change what is known: those with SYN, and the first ones of each side after them."""
    if not len(segments.place):
        return segments.place
    syn = segments.flags & SYN != 0
    stretch = np.cumsum(syn | (np.diff(segments.pair, prepend=-1) != 0))
    key = stretch * 2 + segments.side
    measured = np.flatnonzero(segments.measured)
    acks = measured[segments.flags[measured] & ACK != 0]
    event = syn.copy()
    for places in (measured, acks):
        event[places[group(key[places])[1]]] = True
    return np.flatnonzero(event)


def _carry_on(pair: Int64, begins: Bool, streams: Int32) -> Int32:
    """Let each segment have the stream of the last beginning before it; all arrays by pair and then in file order."""
    begins = begins | (np.diff(pair, prepend=-1) != 0)
    return streams[np.maximum.accumulate(np.where(begins, np.arange(len(pair)), 0))]
