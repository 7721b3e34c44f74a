"""How one TCP connection was opened: the rules, applied to one connection at a time.

This is the definition. Connections whose handshake has nothing unusual get the same answers from `plain_handshakes`, all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .formats.base import NO_TIME
from .handshake_log import DONE, HALF_RANGE, MASK, MOST_ANSWERS, NOTHING, SYN_RECEIVED, SYN_SENT, UNUSUAL
from .lanes import ACK, RST, SYN

DUPLICATE_NS = 50_000_000
"""The same segment captured in two places comes within this time; a retransmission takes longer (RFC 6298: 200 ms and more)."""


@dataclass(frozen=True, slots=True)
class Segment:
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
        return (self.ack - syn.seq - 1) & MASK in (0, syn.length)

    def may_acknowledge(self, syn_ack: Segment) -> bool:
        """Whether its acknowledgment number lies behind the SYN/ACK's sequence number."""
        return 0 < (self.ack - syn_ack.seq) & MASK < HALF_RANGE

    @property
    def point(self) -> tuple[int, int, int]:
        """Where it was captured."""
        return self.interface_id, self.vlan_id, self.ip_ttl

    @property
    def identity(self) -> tuple[int, ...]:
        """What copies of one segment have in common."""
        return self.side, self.flags, self.seq, self.ack, self.length, self.ip_id

    def is_copy_of(self, other: Segment) -> bool:
        """Whether it is the same segment as another one, captured in another place."""
        return (
            self.identity == other.identity
            and self.point != other.point
            and NO_TIME not in (self.ts_ns, other.ts_ns)
            and abs(self.ts_ns - other.ts_ns) <= DUPLICATE_NS
        )


@dataclass(slots=True)
class Handshake:
    """What the rules say of one connection; the fields that are no segments have the names of the columns of `handshakes`.

    Attributes:
        client: The client's side; None when unknown.
        syn: The first SYN, syn_ack: the first SYN/ACK that acknowledges it or another one of the client, ack: the client's ACK.
        server: The SYN/ACK that tells the server's initial sequence number and options.
        last_ns: Time of the last segment of the handshake.
    """

    status: str = "midstream"
    client: bool | None = None
    syn: Segment | None = None
    syn_ack: Segment | None = None
    ack: Segment | None = None
    server: Segment | None = None
    syn_count: int = 0
    syn_ack_count: int = 0
    syn_sides: int = 0
    rtt_ns: int | None = None
    rtt_last_syn_ns: int | None = None
    client_rtt_ns: int | None = None
    handshake_ns: int | None = None
    initial_rtt_ns: int | None = None
    rst_rtt_ns: int | None = None
    retransmitted: bool = False
    reordered: bool = False
    tcp_fast_open: bool = False
    tcp_fast_open_accepted: bool | None = None
    duplicates: int = 0
    last_ns: int = NO_TIME


def between(start: Segment | None, end: Segment | None) -> int | None:
    """Nanoseconds from one segment to another; None when a segment or its time is missing."""
    if start is None or end is None or NO_TIME in (start.ts_ns, end.ts_ns):
        return None
    return end.ts_ns - start.ts_ns


def considered(segments: Sequence[Segment]) -> list[Segment]:
    """Drop what the log may keep beyond its rule, so that no answer depends on how a capture was cut into batches.

    Args:
        segments: One stream's segments of the log, in file order.
    """
    result: list[Segment] = []
    phase = NOTHING
    first: Segment | None = None
    syn_ack: Segment | None = None
    syn_ts_ns = NO_TIME
    later = at_once = 0
    for segment in segments:
        if segment.flags & SYN:
            later = at_once = 0
            if phase == NOTHING and segment.is_syn:
                phase, first = SYN_SENT, segment
            elif phase == SYN_SENT and first is not None and _repeats(segment, first):
                pass
            elif phase == SYN_SENT and first is not None and _answers_plainly(segment, first):
                phase, syn_ack = SYN_RECEIVED, segment
            elif phase == SYN_RECEIVED and syn_ack is not None and _repeats(segment, syn_ack):
                pass
            else:
                phase = UNUSUAL
            if segment.is_syn:
                syn_ts_ns = segment.ts_ns
            result.append(segment)
        elif phase not in (NOTHING, DONE):
            if (
                phase == SYN_RECEIVED
                and first is not None
                and syn_ack is not None
                and _completes_plainly(segment, first, syn_ack, syn_ts_ns)
            ):
                phase = DONE
                result.append(segment)
                continue
            phase = UNUSUAL
            if segment.ts_ns != syn_ts_ns:
                later += 1
                result.append(segment)
                if later == MOST_ANSWERS:
                    phase = DONE
            elif at_once < MOST_ANSWERS:
                at_once += 1
                result.append(segment)
    return result


def _repeats(segment: Segment, earlier: Segment) -> bool:
    same = (segment.side, segment.seq, segment.point, segment.is_syn) == (earlier.side, earlier.seq, earlier.point, earlier.is_syn)
    return same and (segment.is_syn_ack or segment.length == earlier.length)


def _answers_plainly(segment: Segment, syn: Segment) -> bool:
    return segment.is_syn_ack and segment.side != syn.side and segment.interface_id == syn.interface_id and segment.acknowledges(syn)


def _completes_plainly(segment: Segment, syn: Segment, syn_ack: Segment, syn_ts_ns: int) -> bool:
    return (
        segment.is_ack
        and not segment.is_rst
        and segment.side == syn.side
        and segment.interface_id == syn.interface_id
        and segment.may_acknowledge(syn_ack)
        and segment.ts_ns != syn_ts_ns
    )


def initial_rtt(segments: Sequence[Segment]) -> int | None:
    """Wireshark's tcp.analysis.initial_rtt: from the most recent SYN to the first segment with ACK and without SYN, of either side.

    A segment with the SYN's own time is passed over, and a SYN stamped with the epoch itself counts as none, as in Wireshark.
    """
    syn_ts_ns = 0
    for segment in segments:
        if segment.is_syn:
            syn_ts_ns = 0 if segment.ts_ns == NO_TIME else segment.ts_ns
        elif segment.is_ack and syn_ts_ns and segment.ts_ns not in (syn_ts_ns, NO_TIME):
            return segment.ts_ns - syn_ts_ns
    return None


def examine(kept: Sequence[Segment]) -> Handshake:
    """Apply the rules to one stream's segments of the log, in file order, of which the first has SYN."""
    segments = considered(kept)
    originals, copies = _without_copies(segments)
    view = _view(segments, originals, copies)
    exchange = _Exchange(view)
    reordered = False
    if exchange.syn is not None and exchange.syn_ack is None:
        by_time = _Exchange(sorted(view, key=lambda segment: segment.ts_ns))
        if by_time.syn_ack is not None and by_time.answered and by_time.syn_ack.frame < by_time.answered[0].frame:
            exchange, reordered = by_time, True
    result = Handshake(
        status=exchange.status(),
        client=exchange.client,
        syn=exchange.syn,
        syn_ack=exchange.syn_ack,
        ack=exchange.ack,
        server=exchange.syn_ack or exchange.any_syn_ack,
        initial_rtt_ns=initial_rtt(segments),
        reordered=reordered,
    )
    sent = Counter((segment.is_syn, segment.side) for segment in originals if segment.flags & SYN)
    result.syn_count = sent[True, False] + sent[True, True]
    result.syn_ack_count = sent[False, False] + sent[False, True]
    result.syn_sides = (sent[True, False] > 0) + (sent[True, True] > 0)
    result.retransmitted = any(times > 1 for times in sent.values())
    result.duplicates = sum(copy.flags & SYN != 0 for copy in copies)
    if exchange.ack is not None:
        result.duplicates += sum(segment.is_copy_of(exchange.ack) for segment in segments)
    _measure(result, exchange)
    return result


def _without_copies(segments: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Segments, and those among them that are copies of earlier ones, apart."""
    originals: list[Segment] = []
    copies: list[Segment] = []
    alike: dict[tuple[int, ...], list[Segment]] = {}
    for segment in segments:
        earlier = alike.setdefault(segment.identity, [])
        if any(segment.is_copy_of(other) for other in earlier):
            copies.append(segment)
        else:
            originals.append(segment)
            earlier.append(segment)
    return originals, copies


def _view(segments: list[Segment], originals: list[Segment], copies: list[Segment]) -> list[Segment]:
    """The segments on which times are taken.

    Where several interfaces saw the same segments that is the interface of the first SYN, because clocks of two places do not mix. A
    capture with one interface for each direction has no copies; there all interfaces together are the view.
    """
    syn = next((segment for segment in originals if segment.is_syn), None)
    seen_by = {segment.interface_id for segment in copies if segment.flags & SYN}
    seen_by |= {segment.interface_id for segment in originals if any(copy.is_copy_of(segment) for copy in copies if copy.flags & SYN)}
    if syn is None or len(seen_by) < 2:  # noqa: PLR2004
        return originals
    return _without_copies([segment for segment in segments if segment.interface_id == syn.interface_id])[0]


class _Exchange:
    """Who answered what: SYN, the SYN/ACK for it, the client's ACK for that, in the order in which the segments are given.

    Attributes:
        answered: The client's SYNs before `syn_ack` that it acknowledges, oldest first.
        refusal: The server's first RST after the first SYN.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self.syn = next((segment for segment in segments if segment.is_syn), None)
        self.any_syn_ack = next(
            (segment for segment in segments if segment.is_syn_ack and (self.syn is None or segment.side != self.syn.side)), None
        )
        self.client: bool | None = None
        self.syn_ack: Segment | None = None
        self.ack: Segment | None = None
        self.refusal: Segment | None = None
        self.answered: list[Segment] = []
        if self.syn is not None:
            self.client = self.syn.side
            self._follow(self.client)
        elif self.any_syn_ack is not None:
            self.client = not self.any_syn_ack.side

    def _follow(self, client: bool) -> None:  # noqa: FBT001
        syns: list[Segment] = []
        for segment in self.segments:
            own = segment.side == client
            if segment.is_syn and own:
                syns.append(segment)
            elif segment.is_syn_ack and not own and self.syn_ack is None:
                self.answered = [syn for syn in syns if segment.acknowledges(syn)]
                if self.answered:
                    self.syn_ack = segment
            elif segment.is_rst and not own and syns and self.refusal is None:
                self.refusal = segment
            elif (
                segment.is_ack
                and not segment.is_rst
                and own
                and self.ack is None
                and self.syn_ack is not None
                and segment.may_acknowledge(self.syn_ack)
            ):
                self.ack = segment

    def last_before(self, end: Segment, *, syn_ack: bool) -> Segment | None:
        """The client's last SYN, or the server's last SYN/ACK like the one that counts, before a segment."""
        last = None
        for segment in self.segments:
            if segment is end:
                break
            if syn_ack:
                if segment.is_syn_ack and self.syn_ack is not None and (segment.side, segment.seq) == (self.syn_ack.side, self.syn_ack.seq):
                    last = segment
            elif segment.is_syn and segment.side == self.client:
                last = segment
        return last

    def status(self) -> str:
        """The first of these that holds."""
        segments = self.segments
        if self.syn is None:
            return "midstream" if self.any_syn_ack is None else "no-syn"
        after = [segment for segment in segments[segments.index(self.syn) + 1 :]]
        syn_acks = [segment for segment in segments if segment.is_syn_ack]
        if self.ack is not None:
            return "simultaneous" if any(segment.is_syn and segment.side != self.client for segment in segments) else "complete"
        if not syn_acks:
            if self.refusal is not None:
                return "refused"
            if any(segment.is_ack and not segment.is_rst for segment in after):
                return "no-synack"
        elif not any(self._answers_one(segment) for segment in syn_acks):
            return "bad-synack"
        if all(segment.side == self.client for segment in after):
            return "unanswered"
        if self.syn_ack is not None and any(
            segment.is_rst and segment.side == self.client for segment in segments[segments.index(self.syn_ack) :]
        ):
            return "reset-by-client"
        return "half-open"

    def _answers_one(self, syn_ack: Segment) -> bool:
        """Whether a SYN/ACK acknowledges a SYN of the other side that came before it."""
        for segment in self.segments:
            if segment is syn_ack:
                return False
            if segment.is_syn and segment.side != syn_ack.side and syn_ack.acknowledges(segment):
                return True
        return False


def _measure(result: Handshake, exchange: _Exchange) -> None:
    """Set the durations and what fast open came to."""
    last = [segment for segment in exchange.segments if segment.flags & SYN]
    if exchange.syn_ack is not None:
        result.rtt_ns = between(exchange.answered[0], exchange.syn_ack)
        result.rtt_last_syn_ns = between(exchange.answered[-1], exchange.syn_ack)
    if exchange.ack is not None:
        result.client_rtt_ns = between(exchange.last_before(exchange.ack, syn_ack=True), exchange.ack)
        result.handshake_ns = between(exchange.last_before(exchange.ack, syn_ack=False), exchange.ack)
        last.append(exchange.ack)
    if result.status == "refused" and exchange.refusal is not None:
        result.rst_rtt_ns = between(exchange.last_before(exchange.refusal, syn_ack=False), exchange.refusal)
        last.append(exchange.refusal)
    result.last_ns = max(segment.ts_ns for segment in last)
    with_data = next(
        (segment for segment in exchange.segments if segment.is_syn and segment.side == result.client and segment.length), None
    )
    if with_data is not None:
        result.tcp_fast_open = True
        if exchange.syn_ack is not None:
            result.tcp_fast_open_accepted = (exchange.syn_ack.ack - with_data.seq - 1) & MASK == with_data.length
