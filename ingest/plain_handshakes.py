"""Handshakes of streams in whose log nothing is unusual, all at once.

Such a stream has SYNs of one side, all alike and captured in one place; then, perhaps, SYN/ACKs of the other side, alike too, that
acknowledge them; then answers, all on the same interface. There the rules of `handshake_rules` come down to first and last places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int64
from .formats.base import NO_TIME
from .handshake_log import HALF_RANGE, MASK
from .handshake_records import STATUSES, Records, no_records
from .lanes import ACK, RST, SYN

Log = dict[str, npt.NDArray[Any]]
_NONE = np.iinfo(np.int64).max


class PlainHandshakes:
    """The plain ones among the streams of a log that is not empty.

    Args:
        log: What was kept, by stream and then in file order.

    Attributes:
        stream: int32[k], the streams. starts: int64[k], place of each one's first segment. ends: int64[k], behind its last.
        plain: bool[k], which of them are plain; everything else here means nothing for the others.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.starts = np.flatnonzero(np.diff(log["stream"], prepend=-1))
        self.ends = np.append(self.starts[1:], len(log["stream"]))
        self.stream = log["stream"][self.starts]
        self._place = np.arange(len(log["stream"]))
        kind = log["flags"] & (SYN | ACK)
        self._is_syn, self._is_syn_ack, self._is_answer = kind == SYN, kind == SYN | ACK, kind & SYN == 0
        self._is_ack = kind == ACK
        self._is_rst = self._is_answer & (log["flags"] & RST != 0)
        self._own = log["side"] == self._spread(log["side"][self.starts])
        self._last_syn = self._last(self._is_syn)
        self._syn_ack = self._first(self._is_syn_ack)
        self.plain = self._find_plain()

    def _find_plain(self) -> Bool:
        log, own = self._log, self._own
        seq = log["seq"].astype(np.int64)
        point = (
            (log["ip_ttl"].astype(np.int64) + 1) << 48
            | (log["vlan_id"].astype(np.int64) + 1) << 32
            | log["interface_id"].astype(np.int64) & MASK
        )
        other = self._first(~own)
        same_place = point == np.where(own, self._spread(point[self.starts]), self._spread(self._at(point, other)))
        same_place &= log["interface_id"] == self._spread(log["interface_id"][self.starts])
        first_seq, first_length = self._spread(seq[self.starts]), self._spread(log["length"][self.starts])
        like_first = own & (seq == first_seq) & (log["length"] == first_length)
        acknowledged = (log["ack"] - first_seq - 1) & MASK
        alike = (
            ~own & (seq == self._spread(self._at(seq, self._syn_ack))) & (log["ack"] == self._spread(self._at(log["ack"], self._syn_ack)))
        )
        answers_it = alike & ((acknowledged == 0) | (acknowledged == first_length))
        good = same_place & np.where(self._is_syn, like_first, answers_it | self._is_answer)
        in_order = (self._last_syn < self._syn_ack) & (
            np.maximum(self._last_syn, self._last(self._is_syn_ack)) < self._first(self._is_answer)
        )
        plain: Bool = self._is_syn[self.starts] & in_order & np.logical_and.reduceat(good, self.starts)
        return plain

    def _spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A value of each stream at all of its segments."""
        return np.repeat(values, self.ends - self.starts)

    def _first(self, mask: Bool) -> Int64:
        """Place of each stream's first segment for which `mask` is true, `_NONE` without."""
        places: Int64 = np.minimum.reduceat(np.where(mask, self._place, _NONE), self.starts)
        return places

    def _last(self, mask: Bool) -> Int64:
        """Place of each stream's last segment for which `mask` is true, -1 without."""
        places: Int64 = np.maximum.reduceat(np.where(mask, self._place, -1), self.starts)
        return places

    def _count(self, mask: Bool) -> Int64:
        counts: Int64 = np.add.reduceat(mask.astype(np.int64), self.starts)
        return counts

    def _at(self, values: npt.NDArray[Any], places: Int64) -> npt.NDArray[Any]:
        """Values at the places, anything where there is none."""
        return values.take(places, mode="clip")

    def _field(self, name: str, places: Int64, absent: int) -> Int64:
        """A field at the places, `absent` where there is none."""
        return np.where(_there(places), self._at(self._log[name], places).astype(np.int64), absent)

    def _between(self, start: Int64, end: Int64) -> Int64:
        """Nanoseconds between two places, `NO_TIME` where a place or its time is missing."""
        begin, finish = self._field("ts_ns", start, NO_TIME), self._field("ts_ns", end, NO_TIME)
        known = (begin != NO_TIME) & (finish != NO_TIME)
        return np.where(known, finish - begin, NO_TIME)

    def records(self) -> Records:
        """The answers for all streams; those of plain streams are right."""
        log, syn, last_syn = self._log, self.starts, self._last_syn
        syn_ack, last_syn_ack = self._syn_ack, self._last(self._is_syn_ack)
        answered = _there(syn_ack)
        behind = (log["ack"].astype(np.int64) - self._spread(self._field("seq", syn_ack, 0))) & MASK
        completes = self._is_ack & ~self._is_rst & self._own & (behind > 0) & (behind < HALF_RANGE) & self._spread(answered)
        ack = self._first(completes)
        complete = _there(ack)
        refusal = self._first(self._is_rst & ~self._own)
        refused = ~answered & _there(refusal)
        first_ack = self._initial_ack()
        counts = self._count(self._is_syn), self._count(self._is_syn_ack)

        result = no_records(len(syn))
        result["status"] = np.select(
            [
                complete,
                refused,
                ~answered & _there(self._first(self._is_ack & ~self._is_rst)),
                ~_there(self._first(~self._own)),
                answered & _there(self._first(self._is_rst & self._own)),
            ],
            [STATUSES.index(status) for status in ("complete", "refused", "no-synack", "unanswered", "reset-by-client")],
            STATUSES.index("half-open"),
        )
        result["client_side"] = log["side"][syn]
        for name, place in (("syn", syn), ("syn_ack", syn_ack), ("ack", ack)):
            result[f"{name}_ts_ns"] = self._field("ts_ns", place, NO_TIME)
            result[f"{name}_frame"] = self._field("frame", place, -1)
        result["syn_count"], result["syn_ack_count"] = counts
        result["syn_sides"][:] = 1
        result["rtt_ns"] = self._between(syn, syn_ack)
        result["rtt_last_syn_ns"] = np.where(answered, self._between(last_syn, syn_ack), NO_TIME)
        result["client_rtt_ns"] = self._between(last_syn_ack, ack)
        result["handshake_ns"] = self._between(last_syn, ack)
        result["initial_rtt_ns"] = self._between(last_syn, first_ack)
        result["rst_rtt_ns"] = np.where(refused, self._between(last_syn, refusal), NO_TIME)
        result["retransmitted"] = (counts[0] > 1) | (counts[1] > 1)
        result["tcp_fast_open"] = log["length"][syn] > 0
        accepted = (self._field("ack", syn_ack, 0) - self._field("seq", syn, 0) - 1) & MASK == log["length"][syn]
        result["tcp_fast_open_accepted"] = np.where(result["tcp_fast_open"] & answered, accepted, -1)
        result["interface_id"] = log["interface_id"][syn]
        for side, place in (("client", syn), ("server", syn_ack)):
            result[f"{side}_isn"] = self._field("seq", place, -1)
            for name in ("mss", "window_scale", "sack_permitted"):
                result[f"{side}_{name}"] = self._field(name, place, -1)
        of_handshake = ~self._is_answer
        for places in (ack[complete], refusal[refused]):
            of_handshake[places] = True
        result["last_ns"] = np.maximum.reduceat(np.where(of_handshake, log["ts_ns"], NO_TIME), self.starts)
        return result

    def _initial_ack(self) -> Int64:
        """Place of the segment that ends Wireshark's initial RTT."""
        ts_ns = self._log["ts_ns"]
        syn_ts_ns = self._field("ts_ns", self._last_syn, 0)
        usable = (syn_ts_ns != 0) & (syn_ts_ns != NO_TIME)
        return self._first(self._is_ack & (ts_ns != NO_TIME) & (ts_ns != self._spread(syn_ts_ns)) & self._spread(usable))


def _there(places: Int64) -> Bool:
    there: Bool = (places >= 0) & (places != _NONE)
    return there
