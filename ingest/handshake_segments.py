"""One segment of a handshake, and which segments of a connection count at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .formats.base import NO_TIME
from .handshake_log import DONE, HALF_RANGE, MASK, MOST_ANSWERS, NOTHING, SYN_RECEIVED, SYN_SENT, UNUSUAL
from .lanes import ACK, RST, SYN

DUPLICATE_NS = 50_000_000
"""The same segment captured in two places comes within this time; a retransmission takes longer (RFC 6298: 200 ms and more)."""


class Segment(NamedTuple):
    """A segment of the log; the fields are those of `handshake_log.FIELDS`, absent numbers -1 and absent times `NO_TIME`."""

    frame: int
    ts_ns: int
    side: bool
    flags: int
    seq: int
    ack: int
    length: int = 0
    interface_id: int = 0
    vlan_id: int = -1
    ip_ttl: int = -1
    ip_id: int = -1
    mss: int = -1
    window_scale: int = -1
    sack_permitted: bool = False

    @property
    def is_syn(self) -> bool:
        """SYN without ACK."""
        return self.flags & (SYN | ACK) == SYN

    @property
    def is_syn_ack(self) -> bool:
        """SYN with ACK."""
        return self.flags & (SYN | ACK) == SYN | ACK

    @property
    def is_ack(self) -> bool:
        """ACK without SYN."""
        return self.flags & (SYN | ACK) == ACK

    @property
    def is_rst(self) -> bool:
        """RST without SYN."""
        return self.flags & (SYN | RST) == RST

    def acknowledges(self, syn: Segment) -> bool:
        """Whether it acknowledges a SYN, with or without the data in it."""
        return (self.ack - syn.seq - 1) & MASK in {0, syn.length}

    def may_acknowledge(self, syn_ack: Segment) -> bool:
        """Whether its acknowledgment number lies behind the SYN/ACK's sequence number."""
        return 0 < (self.ack - syn_ack.seq) & MASK < HALF_RANGE

    @property
    def point(self) -> tuple[int, int, int]:
        """Where it was captured."""
        return self.interface_id, self.vlan_id, self.ip_ttl

    def is_like(self, other: Segment) -> bool:
        """Whether it has another one's sender and sequence number and was captured in the same place."""
        return (self.side, self.seq, self.point) == (other.side, other.seq, other.point)

    @property
    def identity(self) -> tuple[int, ...]:
        """What copies of one segment have in common."""
        return self.side, self.flags, self.seq, self.ack, self.length, self.ip_id

    def is_copy_of(self, other: Segment) -> bool:
        """Whether it is the same segment as another one, captured in another place."""
        # The times first: in a capture of traffic that was replayed again and again everything else is the same.
        return (
            abs(self.ts_ns - other.ts_ns) <= DUPLICATE_NS
            and NO_TIME not in {self.ts_ns, other.ts_ns}
            and self.point != other.point
            and self.identity == other.identity
        )


def between(start: Segment | None, end: Segment | None) -> int | None:
    """Nanoseconds from one segment to another; None when a segment or its time is missing."""
    if start is None or end is None or NO_TIME in {start.ts_ns, end.ts_ns}:
        return None
    return end.ts_ns - start.ts_ns


def considered(segments: Sequence[Segment]) -> list[Segment]:
    """Drop what the log may keep beyond its rule, so that no answer depends on how a capture was cut into batches.

    Args:
        segments: One stream's segments of the log, in file order.
    """
    rule = _LogRule()
    return [segment for segment in segments if rule.keeps(segment)]


class _LogRule:
    """The rule of `handshake_log`, for the segments of one stream one after the other."""

    def __init__(self) -> None:
        self._phase = NOTHING
        self._syn: Segment | None = None
        self._syn_ack: Segment | None = None
        self._syn_ts_ns = NO_TIME
        self._later = 0
        self._at_once = 0

    def keeps(self, segment: Segment) -> bool:
        """Whether the next segment counts."""
        if segment.flags & SYN:
            self._advance(segment)
            return True
        if self._phase in {NOTHING, DONE}:
            return False
        if self._is_completed_by(segment):
            self._phase = DONE
            return True
        self._phase = UNUSUAL
        if segment.ts_ns == self._syn_ts_ns:
            self._at_once += 1
            return self._at_once <= MOST_ANSWERS
        self._later += 1
        if self._later == MOST_ANSWERS:
            self._phase = DONE
        return True

    def _advance(self, segment: Segment) -> None:
        self._later = self._at_once = 0
        if self._phase == NOTHING and segment.is_syn:
            self._phase, self._syn = SYN_SENT, segment
        elif self._phase == SYN_SENT and self._syn is not None and _answers_plainly(segment, self._syn):
            self._phase, self._syn_ack = SYN_RECEIVED, segment
        elif not self._is_repeated_by(segment):
            self._phase = UNUSUAL
        if segment.is_syn:
            self._syn_ts_ns = segment.ts_ns

    def _is_repeated_by(self, segment: Segment) -> bool:
        if self._phase == SYN_SENT and self._syn is not None:
            return segment.is_syn and segment.is_like(self._syn) and segment.length == self._syn.length
        if self._phase == SYN_RECEIVED and self._syn_ack is not None:
            return segment.is_syn_ack and segment.is_like(self._syn_ack)
        return False

    def _is_completed_by(self, segment: Segment) -> bool:
        if self._phase != SYN_RECEIVED or self._syn is None or self._syn_ack is None:
            return False
        return (
            segment.is_ack
            and not segment.is_rst
            and segment.side == self._syn.side
            and segment.interface_id == self._syn.interface_id
            and segment.may_acknowledge(self._syn_ack)
            and segment.ts_ns != self._syn_ts_ns
        )


def _answers_plainly(segment: Segment, syn: Segment) -> bool:
    return segment.is_syn_ack and segment.side != syn.side and segment.interface_id == syn.interface_id and segment.acknowledges(syn)
