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

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Bool, Columns, Int32, Int64
from .formats.base import NO_TIME
from .vectors import Vector

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
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


@dataclass(slots=True)
class Segments:
    """The TCP segments of a batch, in file order: arrays of length n, of `Columns` unless told otherwise.

    Attributes:
        rows: int64[n], places in the batch.
        stream: int32[n]. flags: int16[n].
        columns: The batch.
        src, dst: int32 for the whole batch, capture-wide address numbers.
    """

    columns: Columns
    rows: Int64
    stream: Int32
    flags: npt.NDArray[np.int16]
    src: Int32
    dst: Int32

    def side(self, at: Int64) -> Bool:
        """Whether the sender is the second of the stream's two endpoints."""
        rows = self.rows[at]
        sender = self.src[rows].astype(np.int64) << 16 | self.columns.src_port[rows]
        return sender > (self.dst[rows].astype(np.int64) << 16 | self.columns.dst_port[rows])


FIELDS: dict[str, type[np.generic]] = {
    "stream": np.int32,
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


@dataclass(slots=True)
class _Carried:
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


class HandshakeLog:
    """Handshake segments of one capture: about 60 bytes each, three of them for a plain handshake; and 50 bytes a stream."""

    def __init__(self) -> None:
        self._kept: dict[str, Vector[Any]] = {name: Vector(dtype) for name, dtype in FIELDS.items()}
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

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What was kept, by stream and then in file order; see `FIELDS`."""
        order = np.lexsort((self._kept["frame"].array, self._kept["stream"].array))
        return {name: vector.array[order] for name, vector in self._kept.items()}

    def update(self, segments: Segments, streams: int) -> None:
        """Take the next batch; `streams` is the number of streams so far."""
        for vector in (
            self._phase, self._client, self._syn, self._server_isn, self._syn_point, self._syn_ack_point, self._syn_ts_ns, self._syns,
            self._answers, self._answers_at_once, self._first, self._last_syn, self._held,
        ):  # fmt: skip
            vector.grow(streams)
        syns = np.flatnonzero(segments.flags & SYN)
        syns = syns[np.argsort(segments.stream[syns], kind="stable")]
        changed = segments.stream[syns]
        changed = changed[np.flatnonzero(np.diff(changed, prepend=-1))]
        before = self._carried(changed)
        if len(syns):
            syns = self._note_syns(segments, syns)
        answers = self._open_answers(segments)
        if len(answers):
            self._note_answers(segments, syns, answers, changed, before)
        self._last_syn.array[segments.stream[syns]] = -1

    def _keep(self, segments: Segments, at: Int64) -> None:
        columns, rows = segments.columns, segments.rows[at]
        kept = self._kept
        for name, column in (
            ("seq", "tcp_seq"), ("ack", "tcp_ack"), ("mss", "tcp_mss"), ("window_scale", "tcp_window_scale"), ("ts_ns", "ts_ns"),
            ("sack_permitted", "tcp_sack_permitted"), ("interface_id", "interface_id"), ("vlan_id", "vlan_id"), ("ip_ttl", "ip_ttl"), ("ip_id", "ip_id"),
        ):  # fmt: skip
            kept[name].append(getattr(columns, column)[rows])
        kept["stream"].append(segments.stream[at])
        kept["frame"].append(columns.first_frame + rows)
        kept["side"].append(segments.side(at))
        kept["flags"].append(segments.flags[at])
        kept["length"].append(np.maximum(columns.payload_length[rows], 0))

    def _note_syns(self, segments: Segments, syns: Int64) -> Int64:
        """Keep segments with SYN (given by stream and then in file order) and advance the phases; returns those that were kept."""
        stream = segments.stream[syns]
        starts = np.flatnonzero(np.diff(stream, prepend=-1))
        rank = np.arange(len(syns)) - np.repeat(starts, np.diff(starts, append=len(syns)))
        count = self._syns.array
        fits = rank + count[stream] < MOST_SYNS
        for lost in np.flatnonzero(~fits).tolist():
            self.beyond.setdefault(int(stream[lost]), [0, 0])[bool(segments.flags[syns[lost]] & ACK)] += 1
        syns, stream, rank = syns[fits], stream[fits], rank[fits]
        self._keep(segments, syns)
        np.add.at(count, stream, 1)
        self._last_syn.array[stream] = syns
        self._answers.array[stream] = 0
        self._answers_at_once.array[stream] = 0
        for turn in range(min(_MOST_ROUNDS, int(rank.max(initial=-1)) + 1)):
            self._advance(segments, syns[rank == turn])
        self._phase.array[stream[rank >= _MOST_ROUNDS]] = UNUSUAL
        pure = segments.flags[syns] & ACK == 0
        # Of several SYNs of one stream the last one written stays.
        self._syn_ts_ns.array[stream[pure]] = segments.columns.ts_ns[segments.rows[syns[pure]]]
        return syns

    def _advance(self, segments: Segments, at: Int64) -> None:
        """Advance the phases by one segment with SYN for each of some streams."""
        columns, rows, stream = segments.columns, segments.rows[at], segments.stream[at]
        phase, client, side = self._phase.array, self._client.array, segments.side(at)
        seq = columns.tcp_seq[rows]
        syn = seq | np.maximum(columns.payload_length[rows], 0) << 32
        point = _points(columns, rows)
        pure = segments.flags[at] & ACK == 0
        known, now = self._syn.array, phase[stream]
        same_interface = point & MASK == self._syn_point.array[stream] & MASK
        own = known[stream]
        acknowledged = (columns.tcp_ack[rows] - own - 1) & MASK
        answers = ~pure & (side != client[stream]) & same_interface & ((acknowledged == 0) | (acknowledged == own >> 32))
        first = pure & (now == NOTHING)
        again = pure & (now == SYN_SENT) & (side == client[stream]) & (syn == own) & (point == self._syn_point.array[stream])
        answered = answers & (now == SYN_SENT)
        answered_again = answers & (now == SYN_RECEIVED) & (seq == self._server_isn.array[stream]) & (point == self._syn_ack_point.array[stream])
        phase[stream[~(first | again | answered | answered_again)]] = UNUSUAL
        phase[stream[first]] = SYN_SENT
        client[stream[first]] = side[first]
        known[stream[first]] = syn[first]
        self._syn_point.array[stream[first]] = point[first]
        phase[stream[answered]] = SYN_RECEIVED
        self._server_isn.array[stream[answered]] = seq[answered]
        self._syn_ack_point.array[stream[answered]] = point[answered]

    def _open_answers(self, segments: Segments) -> Int64:
        """Segments with ACK or RST and without SYN of streams of which something may still be kept."""
        answers = np.flatnonzero(_IS_ANSWER[segments.flags & (SYN | ACK | RST)])
        phase = self._phase.array[segments.stream[answers]]
        return answers[(phase != NOTHING) & (phase != DONE)]

    def _carried(self, stream: Int32) -> _Carried:
        return _Carried(self._phase.array[stream], self._syn_ts_ns.array[stream], self._answers.array[stream], self._answers_at_once.array[stream])

    def _note_answers(self, segments: Segments, syns: Int64, answers: Int64, changed: Int32, before: _Carried) -> None:
        stream = segments.stream[answers]
        first = self._first.array
        # Written backwards, so that the first segment of each stream is what stays.
        first[stream[::-1]] = answers[::-1]
        firsts = answers[first[stream] == answers]
        plain = self._completes(segments, firsts)
        self._keep(segments, firsts[plain])
        self._phase.array[segments.stream[firsts[plain]]] = DONE
        unusual = segments.stream[firsts[~plain]]
        if len(unusual):
            held = self._held.array
            held[unusual] = True
            self._sift(segments, np.concatenate([syns[held[segments.stream[syns]]], answers[held[stream]]]), changed, before)
            held[unusual] = False

    def _completes(self, segments: Segments, at: Int64) -> Bool:
        """Whether segments, each the first answer of its stream, are the client's ACK of a plain handshake."""
        columns, rows, stream, flags = segments.columns, segments.rows[at], segments.stream[at], segments.flags[at]
        acknowledged = (columns.tcp_ack[rows] - self._server_isn.array[stream]) & MASK
        ts_ns = columns.ts_ns[rows]
        return (
            (self._phase.array[stream] == SYN_RECEIVED)
            & (at > self._last_syn.array[stream])
            & (flags & (ACK | RST) == ACK)
            & (segments.side(at) == self._client.array[stream])
            & (acknowledged > 0)
            & (acknowledged < HALF_RANGE)
            & (columns.interface_id[rows].astype(np.int64) & MASK == self._syn_point.array[stream] & MASK)
            & (ts_ns != self._syn_ts_ns.array[stream])
        )

    def _sift(self, segments: Segments, at: Int64, changed: Int32, before: _Carried) -> None:
        """Keep what the rule says of streams that are not opened plainly.

        Args:
            segments: The batch.
            at: Those streams' segments with SYN, and their answers.
            changed: Streams that had a segment with SYN in this batch, ascending.
            before: What was known of these before the batch.
        """
        at = np.sort(at)
        at = at[np.argsort(segments.stream[at], kind="stable")]
        stream = segments.stream[at]
        ts_ns = segments.columns.ts_ns[segments.rows[at]]
        place = np.arange(len(at))
        syn = segments.flags[at] & SYN != 0
        start = np.diff(stream, prepend=-1) != 0
        first_place = np.maximum.accumulate(np.where(start, place, 0))
        last_syn = np.maximum.accumulate(np.where(syn, place, -1))
        continued = last_syn < first_place
        pure = np.maximum.accumulate(np.where(syn & (segments.flags[at] & ACK == 0), place, -1))
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
        self._keep(segments, at[keep])
        ends = np.flatnonzero(np.diff(stream, append=-1))
        self._answers.array[stream[ends]] = np.minimum(later[ends], MOST_ANSWERS)
        self._answers_at_once.array[stream[ends]] = np.minimum(at_once_so_far[ends], MOST_ANSWERS)
        self._phase.array[stream[ends]] = np.where(later[ends] >= MOST_ANSWERS, DONE, UNUSUAL)


def _points(columns: Columns, rows: Int64) -> Int64:
    """Where packets were captured: interface in the low 32 bits, VLAN and hops above."""
    vlan, ttl = columns.vlan_id[rows].astype(np.int64), columns.ip_ttl[rows].astype(np.int64)
    return (ttl + 1) << 48 | (vlan + 1) << 32 | columns.interface_id[rows].astype(np.int64) & MASK
