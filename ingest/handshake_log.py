"""The segments that tell how TCP connections were opened, picked out of all others.

Of each connection these are kept:

- segments with SYN, up to `MOST_SYNS`;
- after each of them, segments with ACK or RST until `MOST_ANSWERS` have come whose time differs from the last SYN's, and as many of those
  that have its time (coarse clocks stamp whole flights alike);
- but after a plain handshake (SYN, SYN/ACK, the client's ACK) nothing until another segment with SYN comes.

Most connections are opened plainly. For these the one ACK that counts is found for a whole batch at once, and nothing is sorted.
What is kept here may be more than the rule says, never less; `handshake_rules.considered` applies the rule to the last letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .columns import Bool, Columns, Int32, Int64
from .formats.base import NO_TIME
from .lanes import ACK, RST, SYN, Lanes
from .resting import Resting, parts
from .vectors import Vector

MOST_SYNS = 256
MOST_ANSWERS = 12
"""A server sends no more than its initial window of 10 segments (RFC 6928) before the client has answered."""
HALF_RANGE = 1 << 31
MASK = 0xFFFFFFFF

NOTHING, SYN_SENT, SYN_RECEIVED, UNUSUAL, DONE = range(5)
"""What is known of a connection: no SYN yet; plain so far, with SYNs or with SYN/ACKs too; anything else; nothing more to be kept."""
_MOST_ROUNDS = 8
_IS_ANSWER = np.array([flags & SYN == 0 and flags & (ACK | RST) != 0 for flags in range((SYN | ACK | RST) + 1)])
"""Whether a segment is an answer, by those of its flags."""


class TcpBatch(NamedTuple):
    """A batch as the log sees it: its columns and lanes, and for each lane the stream (int32[k]) and the sender's side (bool[k])."""

    columns: Columns
    lanes: Lanes
    stream: Int32
    side: Bool


FIELDS: dict[str, type[np.generic]] = {
    "frame": np.int64,
    "ts_ns": np.int64,
    "side": np.bool_,
    "flags": np.int16,
    "seq": np.uint32,
    "ack": np.uint32,
    "length": np.int32,
    "interface_id": np.int32,
    "vlan_id": np.int16,
    "ip_ttl": np.int16,
    "ip_id": np.int64,
    "mss": np.int32,
    "window_scale": np.int16,
    "sack_permitted": np.bool_,
}
"""What is kept of a segment; `length` is the payload's, 0 where it is not known."""


class _Carried(NamedTuple):
    """What is known of streams before a batch, each an array of one length: see the fields of `HandshakeLog` of the same names."""

    phase: npt.NDArray[np.int8]
    syn_ts_ns: Int64
    answers: npt.NDArray[np.int8]
    answers_at_once: npt.NDArray[np.int8]

    def put(self, mask: Bool, other: _Carried, places: Int64) -> None:
        """Replace what is known where `mask` is true by what `other` holds at `places`."""
        self.phase[mask] = other.phase[places]
        self.syn_ts_ns[mask] = other.syn_ts_ns[places]
        self.answers[mask] = other.answers[places]
        self.answers_at_once[mask] = other.answers_at_once[places]


_COPIED = {
    "seq": "tcp_seq",
    "ack": "tcp_ack",
    "flags": "tcp_flags",
    "mss": "tcp_mss",
    "window_scale": "tcp_window_scale",
    "sack_permitted": "tcp_sack_permitted",
    "ts_ns": "ts_ns",
    "interface_id": "interface_id",
    "vlan_id": "vlan_id",
    "ip_ttl": "ip_ttl",
    "ip_id": "ip_id",
}
"""Fields that are columns of the packets."""


class HandshakeLog:
    """Handshake segments of one capture, which rest in a file; 50 bytes a stream."""

    def __init__(self) -> None:
        self._kept = Resting(FIELDS)
        self._phase = Vector(np.int8, NOTHING)
        self._client = Vector(np.bool_)
        self._syn = Vector(np.int64)
        """Sequence number, and above it the length of the payload, of a plain connection's SYNs."""
        self._server_isn = Vector(np.uint32)
        self._syn_point = Vector(np.int64)
        self._syn_ack_point = Vector(np.int64)
        self._syn_ts_ns = Vector(np.int64, NO_TIME)
        """Time of the last SYN."""
        self._syns = Vector(np.int32)
        self._answers = Vector(np.int8)
        self._answers_at_once = Vector(np.int8)
        # Scratch: places in the current batch.
        self._first = Vector(np.int32)
        self._last_syn = Vector(np.int32, -1)
        self._held = Vector(np.bool_)
        self.beyond: dict[int, list[int]] = {}
        """SYNs and SYN/ACKs that were not kept, of streams with more than `MOST_SYNS`."""

    def parts(self, streams: int) -> Iterator[tuple[slice, dict[str, npt.NDArray[Any]]]]:
        """What was kept of `streams` streams, so many at a time: their range; `stream` and `FIELDS` by stream and then in file order."""
        for part in parts(streams, len(self._kept)):
            rows = self._kept.of(part)
            rows = rows.take(np.lexsort((rows["frame"], rows["owner"])))
            yield part, {"stream": rows["owner"].astype(np.int32), **{name: np.ascontiguousarray(rows[name]) for name in FIELDS}}

    def update(self, batch: TcpBatch, streams: int) -> None:
        """Take the next batch; `streams` is the number of streams so far."""
        for vector in (
            self._phase, self._client, self._syn, self._server_isn, self._syn_point, self._syn_ack_point, self._syn_ts_ns, self._syns,
            self._answers, self._answers_at_once, self._first, self._last_syn, self._held,
        ):  # fmt: skip
            vector.grow(streams)
        syns = batch.lanes.syns
        syns = syns[np.argsort(batch.stream[batch.lanes.number[syns]], kind="stable")]
        changed = batch.stream[batch.lanes.number[syns]]
        changed = changed[np.flatnonzero(np.diff(changed, prepend=-1))]
        before = self._carried(changed)
        if len(syns):
            syns = self._note_syns(batch, syns)
        self._note_answers(batch, syns, changed, before)
        self._last_syn.array[batch.stream[batch.lanes.number[syns]]] = -1

    def _keep(self, batch: TcpBatch, places: Int64) -> None:
        columns, lane = batch.columns, batch.lanes.number[places]
        self._kept.put(
            batch.stream[lane],
            {
                **{name: getattr(columns, column)[places] for name, column in _COPIED.items()},
                "frame": columns.first_frame + places,
                "side": batch.side[lane],
                "length": np.maximum(columns.payload_length[places], 0),
            },
        )

    def _note_syns(self, batch: TcpBatch, syns: Int64) -> Int64:
        """Keep segments with SYN (given by stream and then in file order) and advance the phases; returns those that were kept."""
        flags, lane = batch.columns.tcp_flags, batch.lanes.number[syns]
        stream = batch.stream[lane]
        starts = np.flatnonzero(np.diff(stream, prepend=-1))
        rank = np.arange(len(syns)) - np.repeat(starts, np.diff(starts, append=len(syns)))
        count = self._syns.array
        fits = rank + count[stream] < MOST_SYNS
        for lost in np.flatnonzero(~fits).tolist():
            self.beyond.setdefault(int(stream[lost]), [0, 0])[bool(flags[syns[lost]] & ACK)] += 1
        syns, stream, rank = syns[fits], stream[fits], rank[fits]
        self._keep(batch, syns)
        ends = np.flatnonzero(np.diff(stream, append=-1))
        count[stream[ends]] += rank[ends].astype(np.int32) + np.int32(1)
        self._last_syn.array[stream[ends]] = syns[ends]
        self._answers.array[stream[ends]] = 0
        self._answers_at_once.array[stream[ends]] = 0
        for turn in range(min(_MOST_ROUNDS, int(rank.max(initial=-1)) + 1)):
            self._advance(batch, syns[rank == turn])
        self._phase.array[stream[rank >= _MOST_ROUNDS]] = UNUSUAL
        pure = flags[syns] & ACK == 0
        # Of several SYNs of one stream the last one written stays.
        self._syn_ts_ns.array[stream[pure]] = batch.columns.ts_ns[syns[pure]]
        return syns

    def _advance(self, batch: TcpBatch, places: Int64) -> None:
        """Advance the phases by one segment with SYN for each of some streams."""
        columns, lane = batch.columns, batch.lanes.number[places]
        stream, side = batch.stream[lane], batch.side[lane]
        phase, client = self._phase.array, self._client.array
        seq = columns.tcp_seq[places]
        syn = seq | np.maximum(columns.payload_length[places], 0) << 32
        point = _points(columns, places)
        pure = columns.tcp_flags[places] & ACK == 0
        own, now, known_point = self._syn.array[stream], phase[stream], self._syn_point.array[stream]
        from_client = side == client[stream]
        acknowledged = (columns.tcp_ack[places] - own - 1) & MASK
        answers = ~pure & ~from_client & (point & MASK == known_point & MASK) & ((acknowledged == 0) | (acknowledged == own >> 32))
        first = pure & (now == NOTHING)
        again = pure & (now == SYN_SENT) & from_client & (syn == own) & (point == known_point)
        answered = answers & (now == SYN_SENT)
        answered_again = (
            answers & (now == SYN_RECEIVED) & (seq == self._server_isn.array[stream]) & (point == self._syn_ack_point.array[stream])
        )
        phase[stream[~(first | again | answered | answered_again)]] = UNUSUAL
        begun = stream[first]
        phase[begun] = SYN_SENT
        client[begun] = side[first]
        self._syn.array[begun] = syn[first]
        self._syn_point.array[begun] = point[first]
        begun = stream[answered]
        phase[begun] = SYN_RECEIVED
        self._server_isn.array[begun] = seq[answered]
        self._syn_ack_point.array[begun] = point[answered]

    def _note_answers(self, batch: TcpBatch, syns: Int64, changed: Int32, before: _Carried) -> None:
        """Keep segments without SYN of streams of which something may still be kept."""
        lanes, flags = batch.lanes, batch.columns.tcp_flags
        open_lanes = np.flatnonzero(lanes.answer >= 0)
        phase = self._phase.array[batch.stream[open_lanes]]
        open_lanes = open_lanes[(phase != NOTHING) & (phase != DONE)]
        if not len(open_lanes):
            return
        stream, answer = batch.stream[open_lanes], lanes.answer[open_lanes]
        # The first answer of each stream: what is written last stays.
        order = np.argsort(answer)[::-1]
        first = self._first.array
        first[stream[order]] = answer[order]
        firsts = answer[first[stream] == answer]
        plain = self._completes(batch, firsts)
        self._keep(batch, firsts[plain])
        self._phase.array[batch.stream[lanes.number[firsts[plain]]]] = DONE
        unusual = batch.stream[lanes.number[firsts[~plain]]]
        if len(unusual):
            held = self._held.array
            held[unusual] = True
            held_lane = np.zeros(len(lanes), dtype=np.bool_)
            held_lane[open_lanes] = held[stream]
            places = np.flatnonzero(held_lane[lanes.number])
            answers = places[_IS_ANSWER[flags[places] & (SYN | ACK | RST)]]
            self._sift(batch, np.concatenate([syns[held[batch.stream[lanes.number[syns]]]], answers]), changed, before)
            held[unusual] = False

    def _carried(self, stream: Int32) -> _Carried:
        return _Carried(
            self._phase.array[stream], self._syn_ts_ns.array[stream], self._answers.array[stream], self._answers_at_once.array[stream]
        )

    def _completes(self, batch: TcpBatch, places: Int64) -> Bool:
        """Whether segments, each the first without SYN of its stream, are the client's ACK of a plain handshake."""
        columns, lane = batch.columns, batch.lanes.number[places]
        stream, flags = batch.stream[lane], columns.tcp_flags[places]
        acknowledged = (columns.tcp_ack[places] - self._server_isn.array[stream]) & MASK
        completes: Bool = (
            (self._phase.array[stream] == SYN_RECEIVED)
            & (places > self._last_syn.array[stream])
            & (flags & (ACK | RST) == ACK)
            & (batch.side[lane] == self._client.array[stream])
            & (acknowledged > 0)
            & (acknowledged < HALF_RANGE)
            & (columns.interface_id[places].astype(np.int64) & MASK == self._syn_point.array[stream] & MASK)
            & (columns.ts_ns[places] != self._syn_ts_ns.array[stream])
        )
        return completes

    def _sift(self, batch: TcpBatch, at: Int64, changed: Int32, before: _Carried) -> None:
        """Keep what the rule says of streams that are not opened plainly.

        Args:
            batch: The batch.
            at: Places of those streams' segments with SYN, and their answers.
            changed: Streams that had a segment with SYN in this batch, ascending.
            before: What was known of these before the batch.
        """
        at = np.sort(at)
        stream = batch.stream[batch.lanes.number[at]]
        order = np.argsort(stream, kind="stable")
        at, stream = at[order], stream[order]
        ts_ns, flags = batch.columns.ts_ns[at], batch.columns.tcp_flags[at]
        place = np.arange(len(at))
        syn = flags & SYN != 0
        start = np.diff(stream, prepend=-1) != 0
        first_place = np.maximum.accumulate(np.where(start, place, 0))
        last_syn = np.maximum.accumulate(np.where(syn, place, -1))
        continued = last_syn < first_place
        pure = np.maximum.accumulate(np.where(syn & (flags & ACK == 0), place, -1))
        carried = self._carried(stream)
        if len(changed):
            known = np.minimum(np.searchsorted(changed, stream), len(changed) - 1)
            is_changed = changed[known] == stream
            carried.put(is_changed, before, known[is_changed])
        syn_ts_ns = np.where(pure >= first_place, ts_ns[pure], carried.syn_ts_ns)
        considered = ~syn & (~continued | ((carried.phase != NOTHING) & (carried.phase != DONE)))
        at_once = considered & (ts_ns == syn_ts_ns)
        epoch = np.maximum(first_place, last_syn)
        later, at_once_so_far = (
            running - running[epoch] + mask[epoch] + np.where(continued, count, 0)
            for mask, running, count in (
                (considered & ~at_once, np.cumsum(considered & ~at_once), carried.answers),
                (at_once, np.cumsum(at_once), carried.answers_at_once),
            )
        )
        # Both counts include the segment itself.
        keep = considered & np.where(at_once, (later < MOST_ANSWERS) & (at_once_so_far <= MOST_ANSWERS), later <= MOST_ANSWERS)
        self._keep(batch, at[keep])
        ends = np.flatnonzero(np.diff(stream, append=-1))
        self._answers.array[stream[ends]] = np.minimum(later[ends], MOST_ANSWERS)
        self._answers_at_once.array[stream[ends]] = np.minimum(at_once_so_far[ends], MOST_ANSWERS)
        self._phase.array[stream[ends]] = np.where(later[ends] >= MOST_ANSWERS, DONE, UNUSUAL)


def _points(columns: Columns, places: Int64) -> Int64:
    """Where packets were captured: interface in the low 32 bits, VLAN and hops above."""
    vlan, ttl = columns.vlan_id[places].astype(np.int64), columns.ip_ttl[places].astype(np.int64)
    return (ttl + 1) << 48 | (vlan + 1) << 32 | columns.interface_id[places].astype(np.int64) & MASK
