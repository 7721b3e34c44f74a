"""How one TCP connection was opened: the rules, applied to one connection at a time.

This is the definition. Connections whose handshake has nothing unusual get the same answers from `plain_handshakes`, all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .formats.base import NO_TIME
from .handshake_log import MASK
from .handshake_segments import Segment, between, considered
from .lanes import SYN


@dataclass(slots=True, eq=False, repr=False)
class Handshake:
    """What the rules say of one connection; the fields that are no segments have the names of the columns of `handshakes`.

    Attributes:
        client: The client's side; None when unknown.
        syn: The first SYN, syn_ack: the first SYN/ACK that acknowledges it or another one of the client, or the first one where no SYN
            was captured, ack: the client's ACK.
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


def initial_rtt(segments: Sequence[Segment]) -> int | None:
    """Wireshark's tcp.analysis.initial_rtt: from the most recent SYN to the first segment with ACK and without SYN, of either side.

    A segment with the SYN's own time is passed over, and a SYN stamped with the epoch itself counts as none, as in Wireshark.
    """
    syn_ts_ns = 0
    for segment in segments:
        if segment.is_syn:
            syn_ts_ns = 0 if segment.ts_ns == NO_TIME else segment.ts_ns
        elif segment.is_ack and syn_ts_ns and segment.ts_ns not in {syn_ts_ns, NO_TIME}:
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
        syn_ack=exchange.syn_ack if exchange.syn is not None else exchange.any_syn_ack,
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
    if syn is None or len(seen_by) < 2:
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
            self._follow_syn_ack(self.any_syn_ack)

    def _follow_syn_ack(self, syn_ack: Segment) -> None:
        """What a SYN/ACK tells where the SYN before it was not captured."""
        self.client = not syn_ack.side
        later = self.segments[self.segments.index(syn_ack) + 1 :]
        own = (segment for segment in later if segment.side == self.client and segment.is_ack and not segment.is_rst)
        self.ack = next((segment for segment in own if segment.may_acknowledge(syn_ack)), None)

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
        if self.syn is None:
            return "midstream" if self.any_syn_ack is None else "no-syn"
        segments = self.segments
        after = segments[segments.index(self.syn) + 1 :]
        syn_acks = [segment for segment in segments if segment.is_syn_ack]
        from_client = [segment.side == self.client for segment in after]
        resets = self.syn_ack is not None and any(
            segment.is_rst and segment.side == self.client for segment in segments[segments.index(self.syn_ack) :]
        )
        both_opened = any(segment.is_syn and segment.side != self.client for segment in segments)
        tests = (
            ("simultaneous", self.ack is not None and both_opened),
            ("complete", self.ack is not None),
            ("refused", not syn_acks and self.refusal is not None),
            ("no-synack", not syn_acks and any(segment.is_ack and not segment.is_rst for segment in after)),
            ("bad-synack", bool(syn_acks) and not any(self._answers_one(segment) for segment in syn_acks)),
            ("unanswered", all(from_client)),
            ("reset-by-client", resets),
        )
        return next((status for status, holds in tests if holds), "half-open")

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
