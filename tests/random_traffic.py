"""Random packets of few endpoints, so that streams meet, ports are used again and handshakes go wrong."""

from __future__ import annotations

from hypothesis import strategies as st
from made_columns import ACK, FIN, PSH, RST, SYN, Packet
from tcp_vectors import START_NS

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


@st.composite
def other_packets(draw: st.DrawFn) -> Packet:
    """A packet that is not, or not visibly, a TCP segment."""
    src, dst = draw(st.sampled_from(ENDPOINTS)), draw(st.sampled_from(ENDPOINTS))
    peers = {"src_ip": src[0], "src_port": src[1], "dst_ip": dst[0], "dst_port": dst[1]}
    kind = draw(st.sampled_from(("udp", "udplite", "sctp", "cut", "icmp", "error", "arp", "fragment", "tunnel")))
    common = {"wire_length": draw(st.integers(0, 2**32 - 1)), "ts_ns": START_NS + draw(st.integers(0, 200)) * 1_000_000_000}
    match kind:
        case "udp" | "udplite" | "sctp":
            number = {"udp": 17, "udplite": 136, "sctp": 132}[kind]
            payload = -1 if kind == "sctp" else draw(st.integers(0, 1500))
            return Packet(**common, **peers, transport=number, ip_protocol=number, counted_path=2, payload_length=payload)
        case "cut":
            return Packet(**common, **peers)
        case "icmp":
            return Packet(**common, src_ip=src[0], dst_ip=dst[0], src_port=-1, dst_port=-1, transport=-1, ip_protocol=1, counted_path=4)
        case "error":
            return Packet(
                **common, src_ip=src[0], dst_ip=dst[0], src_port=-1, dst_port=-1, transport=-1, ip_protocol=1, counted_path=4, in_icmp_error=True,
                error_ip_protocol=17, error_src_port=dst[1], error_dst_port=src[1],
            )  # fmt: skip
        case "arp":
            return Packet(
                **common,
                src_ip=None,
                dst_ip=None,
                src_port=-1,
                dst_port=-1,
                transport=-1,
                ip_protocol=-1,
                ip_version=-1,
                counted_path=3,
                ipv4_layers=0,
            )
        case "fragment":
            return Packet(**common, src_ip=src[0], dst_ip=dst[0], src_port=-1, dst_port=-1, transport=-1, ip_protocol=6)
        case _:
            # The ports are those of the tunnel; the inner packet has none.
            return Packet(
                **common,
                **peers,
                transport=17,
                ip_protocol=1,
                counted_path=4,
                ipv4_layers=2,
                tunnel_src_ip="192.0.2.1",
                tunnel_dst_ip="192.0.2.2",
            )


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Where batches begin in a list of `size` packets."""
    return sorted(draw(st.sets(st.integers(1, max(1, size - 1)), max_size=5)) - {size}) if size > 1 else []
