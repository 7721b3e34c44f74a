"""Random packets of few endpoints, so that streams meet, ports are used again and handshakes go wrong."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st
from made_columns import ACK, FIN, PSH, RST, SYN, Packet
from tcp_vectors import C_ISN, START_NS, VECTORS, c

FLAGS = (SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, SYN | FIN, 0)
NUMBERS = (0, 1, 2, 100, 101, 102, 2**31, 2**32 - 2, 2**32 - 1)
ENDPOINTS = (("10.0.0.1", 40_000), ("10.0.0.2", 80), ("10.0.0.1", 80), ("2001:db8::1", 40_000))


@st.composite
def tcp_packets(draw: st.DrawFn, *, numbers: tuple[int, ...] = NUMBERS, measured: bool = True) -> Packet:
    """A TCP segment between any two of `ENDPOINTS`, even from one to itself; times are set by the caller."""
    src, dst = draw(st.sampled_from(ENDPOINTS)), draw(st.sampled_from(ENDPOINTS))
    length = draw(st.sampled_from((0, 0, 5) if measured else (-1, 0, 5)))
    return Packet(
        src_ip=src[0], src_port=src[1], dst_ip=dst[0], dst_port=dst[1], tcp_flags=draw(st.sampled_from(FLAGS)),
        tcp_seq=draw(st.sampled_from(numbers)), tcp_ack=draw(st.sampled_from(numbers)), payload_length=length,
        ts_ns=START_NS + draw(st.integers(0, 20)) * 10_000_000,
    )  # fmt: skip


NO_PORTS = Packet(src_port=-1, dst_port=-1, transport=-1, ip_protocol=1, counted_path=4)
TUNNEL = Packet(transport=17, ip_protocol=1, counted_path=4, ipv4_layers=2, tunnel_src_ip="192.0.2.1", tunnel_dst_ip="192.0.2.2")
KINDS = {
    "udp": Packet(transport=17, ip_protocol=17, counted_path=2),
    "udplite": Packet(transport=136, ip_protocol=136, counted_path=2),
    "sctp": Packet(transport=132, ip_protocol=132, counted_path=2),
    "cut": Packet(),
    "icmp": NO_PORTS,
    "error": dataclasses.replace(NO_PORTS, in_icmp_error=True, error_ip_protocol=17, error_src_port=53, error_dst_port=40_000),
    "other error": dataclasses.replace(NO_PORTS, in_icmp_error=True, error_ip_protocol=17, error_src_port=40_000, error_dst_port=53),
    "arp": dataclasses.replace(NO_PORTS, src_ip=None, dst_ip=None, ip_protocol=-1, ip_version=-1, counted_path=3, ipv4_layers=0),
    "fragment": dataclasses.replace(NO_PORTS, ip_protocol=6, counted_path=1),
    # The ports are those of the tunnel; the inner packet has none.
    "tunnel": TUNNEL,
    "tunnel back": dataclasses.replace(TUNNEL, tunnel_src_ip="192.0.2.2", tunnel_dst_ip="192.0.2.1"),
    "tunnel by UDP": dataclasses.replace(TUNNEL, tunnel_src_port=4789, tunnel_dst_port=0),
    "tunnel by UDP back": dataclasses.replace(
        TUNNEL, tunnel_src_ip="192.0.2.2", tunnel_dst_ip="192.0.2.1", tunnel_src_port=0, tunnel_dst_port=4789
    ),
}


@st.composite
def other_packets(draw: st.DrawFn) -> Packet:
    """A packet that is not, or not visibly, a TCP segment."""
    packet = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    src, dst = draw(st.sampled_from(ENDPOINTS)), draw(st.sampled_from(ENDPOINTS))
    if packet.src_ip is not None:
        packet = dataclasses.replace(packet, src_ip=src[0], dst_ip=dst[0])
    if packet.src_port >= 0:
        packet = dataclasses.replace(packet, src_port=src[1], dst_port=dst[1])
    return dataclasses.replace(
        packet,
        ts_ns=START_NS + draw(st.integers(0, 200)) * 1_000_000_000,
        wire_length=draw(st.integers(0, 2**32 - 1)),
        payload_length=draw(st.integers(0, 1500)) if packet.transport in {17, 136} else -1,
    )


@st.composite
def odd_handshakes(draw: st.DrawFn) -> list[Packet]:
    """One of the known handshakes, with packets repeated, lost, swapped, seen elsewhere, stamped alike or turned into others."""
    packets = list(draw(st.sampled_from(VECTORS)).packets)
    packets += [c(2000 + number, ACK, C_ISN + 1 + number, length=number % 2) for number in range(draw(st.sampled_from((0, 0, 30))))]
    for _ in range(draw(st.integers(0, 3))):
        place, other = draw(st.integers(0, len(packets) - 1)), draw(st.integers(0, len(packets) - 1))
        packet = packets[place]
        match draw(st.sampled_from(("repeat", "lose", "swap", "elsewhere", "stamp", "turn"))):
            case "repeat":
                packets.insert(other, packet)
            case "lose" if len(packets) > 1:
                packets.pop(place)
            case "swap":
                packets[place], packets[other] = packets[other], packet
            case "elsewhere":
                packets[place] = dataclasses.replace(packet, interface_id=draw(st.integers(0, 1)), ip_ttl=draw(st.sampled_from((64, 63))))
            case "stamp":
                packets[place] = dataclasses.replace(packet, ts_ns=packets[other].ts_ns)
            case "turn":
                flags, length = draw(st.sampled_from(FLAGS)), draw(st.sampled_from((-1, 0, 5)))
                packets[place] = dataclasses.replace(packet, tcp_flags=flags, payload_length=length)
    return packets


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Where batches begin in a list of `size` packets."""
    return sorted(draw(st.sets(st.integers(1, max(1, size - 1)), max_size=5)) - {size}) if size > 1 else []
