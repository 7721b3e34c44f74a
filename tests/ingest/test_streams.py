"""Stream numbers against the rule written out packet by packet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import ACK, SYN, Packet, converse, make_columns
from random_traffic import cuts, other_packets, tcp_packets
from tcp_vectors import CLOSED, ack, c, s, syn, syn_ack

from caphouse.ingest import lanes
from caphouse.ingest.conversations import Conversations
from caphouse.ingest.formats.base import BATCH_PACKETS
from caphouse.ingest.lanes import find_lanes


def model(packets: Sequence[Packet]) -> list[int]:
    """The rule for one packet after the other, with dictionaries."""
    tcp_streams: dict[frozenset[tuple[str | None, int]], int] = {}
    bases: dict[frozenset[tuple[str | None, int]], dict[object, int]] = {}
    udp_streams: dict[frozenset[tuple[str | None, int]], int] = {}
    count = 0
    numbers = []
    for packet in packets:
        src, dst = (packet.src_ip, packet.src_port), (packet.dst_ip, packet.dst_port)
        pair = frozenset([src, dst])
        # A segment from an endpoint to itself still has two sides.
        sender, receiver = (src, dst) if src != dst else ("sender", "receiver")
        if packet.in_icmp_error or packet.transport != packet.ip_protocol:
            numbers.append(-1)
        elif packet.transport in {17, 136}:
            numbers.append(udp_streams.setdefault(pair, len(udp_streams)))
        elif packet.transport == 6 and packet.tcp_flags >= 0:
            base = bases.get(pair)
            flags = packet.tcp_flags & (SYN | ACK)
            if base is None or (flags == SYN and sender in base and base[sender] != packet.tcp_seq):
                base = bases[pair] = {}
                tcp_streams[pair] = count
                count += 1
            if flags == SYN | ACK and sender in base:
                base[sender] = packet.tcp_seq
            if packet.payload_length >= 0:
                base.setdefault(sender, packet.tcp_seq if flags & SYN else (packet.tcp_seq - 1) % 2**32)
                if flags & ACK:
                    base.setdefault(receiver, (packet.tcp_ack - 1) % 2**32)
            numbers.append(tcp_streams[pair])
        else:
            numbers.append(-1)
    return numbers


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(tcp_packets(measured=False) | other_packets(), max_size=40))
def test_as_the_model(data: st.DataObject, packets: list[Packet]) -> None:
    assert converse(packets, data.draw(cuts(len(packets)))).streams == model(packets)


def test_reuse_again_and_again() -> None:
    packets = [syn(number, 1000 * number) for number in range(20)]
    assert converse(packets).streams == list(range(20))
    assert converse(packets, cuts=[7, 8]).streams == list(range(20))


def test_roles_may_swap() -> None:
    packets = [*CLOSED, s(100, SYN, 99_000), c(101, SYN | ACK, 55_000, 99_001)]
    assert converse(packets).streams == [0] * len(CLOSED) + [1, 1]


def test_same_initial_sequence_number_is_no_new_stream() -> None:
    assert converse([*CLOSED, syn(60_000)]).streams == [0] * (len(CLOSED) + 1)


def test_a_syn_ack_corrects_what_was_guessed() -> None:
    """The guess comes from a segment of the other side; the SYN/ACK then tells, and a SYN with its number opens nothing."""
    packets = [c(0, ACK, 500, 7000), s(1, SYN | ACK, 8000, 501), s(2, SYN, 8000), s(3, SYN, 7000 - 1)]
    assert converse(packets).streams == model(packets) == [0, 0, 0, 1]


def test_numbers_go_by_first_packets() -> None:
    def other(packet: Packet, port: int) -> Packet:
        ends = [port if end == 40_000 else end for end in (packet.src_port, packet.dst_port)]
        return dataclasses.replace(packet, src_port=ends[0], dst_port=ends[1])

    packets = [syn(0), other(syn(1), 41_000), syn_ack(2), ack(3), syn(4, 9), other(syn(5), 42_000), other(syn_ack(6), 41_000)]
    assert converse(packets).streams == [0, 1, 0, 0, 2, 3, 1]


def test_udp_and_udp_lite_share_numbers() -> None:
    """As in Wireshark, where both have udp.stream."""
    packets = [
        Packet(transport=17, ip_protocol=17, payload_length=1),
        Packet(transport=136, ip_protocol=136, payload_length=1, src_port=1),
        Packet(transport=17, ip_protocol=17, payload_length=1, src_ip="10.0.0.2", dst_ip="10.0.0.1", src_port=80, dst_port=40_000),
    ]
    assert converse(packets).streams == [0, 1, 0]


def test_many_addresses() -> None:
    """With so many addresses in a batch the keys of pairs are made another way."""
    count = 17_000
    packets = [
        Packet(src_ip=f"10.1.{number >> 8}.{number & 255}", tcp_flags=SYN, tcp_seq=1, tcp_ack=0, payload_length=0)
        for number in range(count)
    ]
    columns = make_columns([*packets, *reversed(packets)])
    streams, _ = Conversations().update(columns, find_lanes(columns))
    assert streams.tolist() == [*range(count), *reversed(range(count))]


def test_as_many_ends_as_a_batch_can_have() -> None:
    """Two pairs of ends that would look alike if the numbers of ends had fewer bits than they need."""
    sender = np.arange(BATCH_PACKETS)
    receiver = BATCH_PACKETS + np.arange(BATCH_PACKETS)
    before_last, last, distinct = BATCH_PACKETS - 2, BATCH_PACKETS - 1, BATCH_PACKETS - 2
    highest_bit = 1 << (2 * BATCH_PACKETS - 1).bit_length() - 1
    # Ends are numbered as they come, all senders first: here they are 0 and one with the highest bit, then 1 and one without it.
    sender[before_last], receiver[before_last] = 0, receiver[highest_bit + 5 - distinct]
    sender[last], receiver[last] = 1, 5
    pair, _, _ = lanes._pairs(sender, receiver, np.full(BATCH_PACKETS, lanes.UDP_STREAM, dtype=np.uint8), None)
    assert pair[before_last] != pair[last]
    assert len(np.unique(pair)) == BATCH_PACKETS
