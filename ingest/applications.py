"""Which application protocol each conversation speaks, learnt packet by packet.

A conversation's label comes from, in this order:

1. the first packet that proves a protocol (a magic value, or a length that agrees);
2. a signature that proves less, on the protocol's own port;
3. the port, for protocols that Wireshark, too, takes by port: first the port that the SYN went to, then the other; without a SYN
   before the first payload, the lower port first;
4. RTP's test over several packets;
5. a signature that proves less, off the protocol's port.

Only the first `TESTED_PACKETS` packets with payload in each direction are looked at, and none after the proof. A packet carries the
label that was known when it came, so that no label depends on how the capture was cut into batches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .columns import TUNNEL, Bool, Columns, Int16, Int32, Int64
from .payloads import Payloads
from .signatures import FLOW_TEST, NO_MATCH, ON_PORT, PROOF, PROOF_ON_PORT, WEAK_ON_PORT, Matcher

Int8 = npt.NDArray[np.int8]

__all__ = ["SOURCES", "TESTED_PACKETS", "Applications", "Labels", "Matcher"]

TESTED_PACKETS = 8
"""Packets with payload, in each direction of a conversation, whose payload is looked at."""

SOURCES = ("sig", "sig+port", "port", "rtp")
"""How a label was found, by the numbers in `Labels.source`."""

_TCP, _UDP = 6, 17
_SYN, _SYN_ACK = 0x02, 0x12

# RTP: a direction passes with this many packets of one synchronisation source, 70 % of whose sequence numbers go on by 1 to 4.
_RTP_PACKETS = 4
_RTP_STEPS = range(1, 5)
_RTP_SHARE = 0.7


class Labels(NamedTuple):
    """The verdict on every flow of a capture.

    Attributes:
        application: int16[flows], index into `names`, -1 for none.
        source: int8[flows], index into `SOURCES`, -1 for none.
        names: Names of the application protocols.
    """

    application: Int16
    source: Int8
    names: list[str]


class _Spoken(NamedTuple):
    """The packets of a batch that have payload over TCP or UDP, k of its n.

    Attributes:
        columns: The batch.
        packets: int64[k], their indices in the batch.
        flow: int64[k], their flows.
        src: int64[k], their source ports, plus 65,536 over UDP.
        dst: int64[k], their destination ports, likewise.
    """

    columns: Columns
    packets: Int64
    flow: Int64
    src: Int64
    dst: Int64


class _Events(NamedTuple):
    """Matches of single packets, in their order: place among the packets with payload, flow, quality, protocol."""

    place: Int64
    flow: Int64
    quality: Int16
    protocol: Int16

    def take(self, rows: npt.NDArray[Any]) -> _Events:
        return _Events(self.place[rows], self.flow[rows], self.quality[rows], self.protocol[rows])

    def merge(self, other: _Events) -> _Events:
        """Both, in order."""
        both = _Events(
            np.concatenate([self.place, other.place]),
            np.concatenate([self.flow, other.flow]),
            np.concatenate([self.quality, other.quality]),
            np.concatenate([self.protocol, other.protocol]),
        )
        return both.take(np.argsort(both.place, kind="stable"))


class _State:
    """What is kept of each flow: arrays indexed by flow, grown by doubling; 50 bytes a flow."""

    _EMPTY = {"label": -1, "by_port": -1, "server_port": -1}  # noqa: RUF012 - never written

    def __init__(self) -> None:
        self.flows = 0
        # The label as it stands, the quality of the best match so far, and the protocol that the ports alone stand for, which is
        # settled when the first payload comes.
        self.label = np.empty(0, np.int16)
        self.quality = np.empty(0, np.int8)
        self.by_port = np.empty(0, np.int16)
        # Where the first SYN went; -1 when there was none up to the first payload.
        self.server_port = np.empty(0, np.int32)
        self.has_payload = np.empty(0, np.bool_)
        # Packets with payload so far in each direction, counted up to TESTED_PACKETS; `settled` when no more are looked at.
        self.tested = np.empty((0, 2), np.int8)
        self.settled = np.empty(0, np.bool_)
        # RTP's test of each direction: synchronisation source, whether it is the second one tried, its last sequence number, its
        # packets and its good steps so far.
        self.rtp_source = np.empty((0, 2), np.uint32)
        self.rtp_second = np.empty((0, 2), np.bool_)
        self.rtp_sequence = np.empty((0, 2), np.uint16)
        self.rtp_packets = np.empty((0, 2), np.int8)
        self.rtp_steps = np.empty((0, 2), np.int8)
        # Room for what a step needs to know of each flow; `place` and `value` mean nothing between steps, `mark` is False.
        self.place = np.empty(0, np.int32)
        self.value = np.empty(0, np.int16)
        self.mark = np.empty(0, np.bool_)

    def grow(self, flows: int) -> None:
        """Make room for at least `flows` flows."""
        self.flows = max(self.flows, flows)
        room = len(self.label)
        if flows <= room:
            return
        for name, array in vars(self).items():
            if isinstance(array, np.ndarray):
                grown = np.full((max(flows, 2 * room, 1024), *array.shape[1:]), self._EMPTY.get(name, 0), dtype=array.dtype)
                grown[:room] = array
                setattr(self, name, grown)

    def first_of_each(self, flow: Int64) -> Bool:
        """bool[k]: which of `flow` are the first of their kind."""
        order = np.arange(len(flow), dtype=np.int32)
        # Written backwards, so that the first one stays.
        self.place[flow[::-1]] = order[::-1]
        first: Bool = self.place[flow] == order
        return first

    def apply(self, events: _Events) -> list[tuple[Int64, Int64, Int16]]:
        """Take matches in their order.

        Returns:
            The changes of labels in rounds: place of the packet, flow, label from then on. A round holds each flow at most once, and
            a flow's change in a later round comes later in the file.
        """
        rounds: list[tuple[Int64, Int64, Int16]] = []
        while True:
            best = self.quality[events.flow]
            events = events.take((events.quality > best) & (best < PROOF))
            if not len(events.flow):
                return rounds
            change = events.take(self.first_of_each(events.flow))
            flow, by_port = change.flow, self.by_port[change.flow]
            label = np.where((change.quality >= WEAK_ON_PORT) | (by_port < 0), change.protocol, by_port)
            self.quality[flow] = change.quality
            self.label[flow] = label
            self.settled[flow] |= change.quality >= PROOF
            rounds.append((change.place, flow, label))


class Applications:
    """The application protocols of one capture's conversations.

    Args:
        matcher: The protocols.
    """

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._state = _State()

    @property
    def names(self) -> list[str]:
        """Names of the application protocols, by number."""
        return self._matcher.names

    def update(self, columns: Columns, flow_id: Int32) -> Int16:
        """Look at the packets of one batch; batches come in file order.

        Args:
            columns: The batch, n packets.
            flow_id: int32[n], flow of each packet, numbered from 0 over the capture.

        Returns:
            int16[n]: number of the application protocol as known when each packet came, -1 for none and for packets without payload.
        """
        labels = np.full(len(columns), -1, dtype=np.int16)
        if not len(columns):
            return labels
        self._state.grow(int(flow_id.max()) + 1)
        with_payload = (columns.payload_length > 0) & (columns.payload_captured != TUNNEL)
        is_udp = columns.transport == _UDP
        packets = np.flatnonzero(with_payload & (is_udp | (columns.transport == _TCP)))
        over = is_udp.take(packets).astype(np.int64) << 16
        spoken = _Spoken(
            columns,
            packets,
            # Widened once, because each use as an index would do it again.
            flow_id.take(packets).astype(np.int64),
            columns.src_port.take(packets) + over,
            columns.dst_port.take(packets) + over,
        )
        labels[packets] = self._labels(spoken, self._begin(spoken, flow_id))
        return labels

    def finish(self) -> Labels:
        """The verdict on every flow, by its number."""
        state, flows = self._state, self._state.flows
        label, quality = state.label[:flows].copy(), state.quality[:flows]
        source = np.full(flows, SOURCES.index("sig"), dtype=np.int8)
        source[(quality == WEAK_ON_PORT) | (quality == ON_PORT) | (quality == PROOF_ON_PORT)] = SOURCES.index("sig+port")
        source[quality == FLOW_TEST] = SOURCES.index("rtp")
        source[(state.by_port[:flows] >= 0) & (quality < WEAK_ON_PORT)] = SOURCES.index("port")
        source[label < 0] = -1
        return Labels(label, source, self.names)

    def _begin(self, spoken: _Spoken, flow_id: Int32) -> Int64:
        """Label by their ports the flows whose first payload is here.

        Args:
            spoken: The packets with payload.
            flow_id: int32[n], the flows of all packets.

        Returns:
            Places in `spoken` of those that are the first of their flows.
        """
        state = self._state
        new = np.flatnonzero(~state.has_payload[spoken.flow])
        begins = new[state.first_of_each(spoken.flow[new])]
        began = spoken.flow[begins]
        self._note_syns(spoken.columns, flow_id, began, spoken.packets[begins])
        state.has_payload[began] = True
        src, dst = spoken.src[begins], spoken.dst[begins]
        server = state.server_port[began]
        one = np.where(server < 0, np.minimum(src, dst), server)
        by_one = self._matcher.by_port(one)
        by_port = np.where(by_one < 0, self._matcher.by_port(src + dst - one), by_one)
        state.by_port[began] = state.label[began] = by_port
        return begins

    def _note_syns(self, columns: Columns, flow_id: Int32, began: Int64, first: Int64) -> None:
        """Keep where the first SYN of each flow went, of SYNs that come no later than the flow's first payload.

        Args:
            columns: The batch.
            flow_id: Flow of each packet.
            began: Flows whose first payload is in this batch ...
            first: ... and the index in the batch of the packet with it.
        """
        state = self._state
        is_syn = (columns.tcp_flags & _SYN_ACK) == _SYN
        syns = np.flatnonzero(is_syn & (columns.tcp_flags >= 0) & (columns.transport == _TCP))
        flow = flow_id[syns]
        state.place[flow] = len(columns)
        state.place[began] = first
        early = ~state.has_payload[flow] & (state.server_port[flow] < 0) & (syns <= state.place[flow])
        syns, flow = syns[early][::-1], flow[early][::-1]
        state.server_port[flow] = columns.dst_port[syns]

    def _labels(self, spoken: _Spoken, begins: Int64) -> Int16:
        """int16[k], the labels of the packets with payload as known at each of them; `begins` is what `_begin` gave."""
        state, flow = self._state, spoken.flow
        # The first payload proves the protocol of most flows: the other packets of those need not be prepared for a look.
        first = self._match(spoken, begins)
        state.apply(first.take(first.quality != FLOW_TEST))

        look = np.flatnonzero(~state.settled[flow])
        direction = _direction(spoken, look)
        fresh = state.tested[flow[look], direction] < TESTED_PACKETS
        look, direction = look[fresh], direction[fresh]
        number = state.tested[flow[look], direction] + _rank(flow[look] * 2 + direction)
        state.tested[flow[look], direction] = np.minimum(number + 1, TESTED_PACKETS)
        state.settled[flow[look]] |= (state.tested[flow[look]] == TESTED_PACKETS).all(axis=1)
        fresh = number < TESTED_PACKETS
        look, direction = look[fresh], direction[fresh]

        is_first = np.zeros(len(flow), dtype=np.bool_)
        is_first[begins] = True
        events = self._match(spoken, look[~is_first[look]])
        maybe_rtp = events.take(events.quality == FLOW_TEST).merge(first.take(first.quality == FLOW_TEST))
        if len(maybe_rtp.flow):
            directions = np.zeros(len(flow), dtype=np.int8)
            directions[look] = direction
            passed = self._test_rtp(spoken, directions, maybe_rtp)
            events = events.take(events.quality != FLOW_TEST).merge(passed)

        labels = state.label.take(flow)
        changes = state.apply(events)
        if changes:
            _relabel(state, labels, flow, changes)
        return labels

    def _match(self, spoken: _Spoken, places: Int64) -> _Events:
        """What the packets at `places` (int64[m], in order) show by themselves."""
        columns, chosen = spoken.columns, spoken.packets[places]
        length = columns.payload_length[chosen]
        captured = np.minimum(columns.payload_captured[chosen], length)
        there = captured > 0
        if not there.all():
            places, chosen, captured, length = places[there], chosen[there], captured[there], length[there]
        payloads = Payloads(columns.buffer, columns.payload_offset[chosen], captured, length)
        quality, protocol = self._matcher.match(payloads, spoken.src[places], spoken.dst[places])
        found = quality > NO_MATCH
        return _Events(places[found], spoken.flow[places[found]], quality[found], protocol[found])

    def _test_rtp(self, spoken: _Spoken, directions: Int8, maybe: _Events) -> _Events:
        """Go on with RTP's test of the flows and directions that `maybe` belongs to; gives the packets at which one passes.

        RTP has no magic value: that packets are RTP shows by a synchronisation source that stays and sequence numbers that go on
        (RFC 3550, section 5.1).
        """
        state = self._state
        direction = directions[maybe.place]
        at = spoken.columns.payload_offset[spoken.packets[maybe.place]]
        payloads = Payloads(spoken.columns.buffer, at, at, at)
        sequence = payloads.number(2, 2).astype(np.uint16)
        source = payloads.number(8, 4).astype(np.uint32)
        passed = np.zeros(len(at), dtype=np.bool_)
        rank = _rank(maybe.flow * 2 + direction)
        # At most TESTED_PACKETS rounds: within one, each flow and direction has one packet.
        for number in range(int(rank.max()) + 1):
            turn = np.flatnonzero(rank == number)
            key = (maybe.flow[turn], direction[turn])
            count = state.rtp_packets[key]
            same = (count > 0) & (state.rtp_source[key] == source[turn])
            # A first packet that the next one does not continue may have been a stray one; a second source is kept, so that of two
            # in turn one passes.
            second = ~same & (count == 1) & ~state.rtp_second[key]
            anew = second | (count == 0)
            step = sequence[turn] - state.rtp_sequence[key]
            good = same & (step >= _RTP_STEPS.start) & (step < _RTP_STEPS.stop)
            kept = same | anew
            count = np.where(anew, 1, count + same)
            steps = np.where(anew, 0, state.rtp_steps[key] + good)
            state.rtp_packets[key], state.rtp_steps[key] = count, steps
            state.rtp_second[key] |= second
            state.rtp_source[key] = np.where(anew, source[turn], state.rtp_source[key])
            state.rtp_sequence[key] = np.where(kept, sequence[turn], state.rtp_sequence[key])
            passed[turn] = same & (count >= _RTP_PACKETS) & (steps >= _RTP_SHARE * (count - 1))
        return maybe.take(passed)


def _relabel(state: _State, labels: Int16, flow: Int64, changes: list[tuple[Int64, Int64, Int16]]) -> None:
    """Write the changed labels on the packets from each change on."""
    for _, changed, _ in changes:
        state.mark[changed] = True
    packets = np.flatnonzero(state.mark[flow])
    concerned = flow[packets]
    state.mark[concerned] = False
    for place, changed, label in changes:
        state.place[concerned] = len(flow)
        state.place[changed] = place
        state.value[changed] = label
        later = packets >= state.place[concerned]
        labels[packets[later]] = state.value[concerned[later]]


def _direction(spoken: _Spoken, places: Int64) -> Int8:
    """int8[m], 0 or 1: which way each packet goes between the two ends of its flow, the same in every batch."""
    src, dst = spoken.src[places], spoken.dst[places]
    direction = (src > dst).astype(np.int8)
    tied = np.flatnonzero(src == dst)
    if len(tied):
        columns, packets = spoken.columns, spoken.packets[places[tied]]
        addresses = columns.addresses
        one, other = columns.src_ip[packets], columns.dst_ip[packets]
        high = addresses.high[one], addresses.high[other]
        direction[tied] = (high[0] > high[1]) | (high[0] == high[1]) & (addresses.low[one] > addresses.low[other])
    return direction


def _rank(key: Int64) -> Int64:
    """int64[m], how many equal keys come before each."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(starts, np.diff(starts, append=len(key)))
    return rank
