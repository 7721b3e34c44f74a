"""The decoded columns of one batch: what the decoder gives and what streams, handshakes, flows and the writer take.

Integers that may be absent are signed and hold -1 where they are; no field of a packet is negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

ABSENT = -1
TUNNEL = -1
"""Value of `Columns.payload_captured` for what a tunnel carries."""


@dataclass(slots=True, eq=False, repr=False)
class Columns:
    """The packets of one batch, column by column; every array has length n.

    Addresses are numbers into `addresses`, a table of this batch's distinct addresses. `path` numbers into the decoder's `Paths`.
    Ports, TCP fields and payload are those of the innermost transport header that is not inside an ICMP error.
    """

    first_frame: int
    ts_ns: Int64
    interface_id: Int32
    captured_length: Int64
    wire_length: Int64
    record_offset: Int64
    link_type: Int32

    buffer: npt.NDArray[np.uint8]
    """The batch's buffer, for looking at payload."""

    addresses: AddressTable

    path: Int32
    """Number of the packet's protocol path down to the transport layer, what an ICMP error quotes included."""
    counted_path: Int32
    """The same without what an ICMP error quotes: the path that flows and the protocol hierarchy count."""
    decoded: Bool
    """False where the link type is not decoded."""
    eth_src: Int32
    """Index into `macs`; -1 without an Ethernet-like header."""
    eth_dst: Int32
    macs: pa.Array
    vlan_id: Int16
    ip_version: Int16
    """4, 6 or -1."""
    src_ip: Int32
    dst_ip: Int32
    tunnel_src_ip: Int32
    tunnel_dst_ip: Int32
    ipv4_layers: Int16
    ipv6_layers: Int16
    ip_protocol: Int16
    ip_ttl: Int16
    ip_id: Int64
    ip_dscp: Int16
    ip_fragment_offset: Int32
    ip_more_fragments: Bool
    """Meaningful where `ip_version` is not -1."""
    in_icmp_error: Bool
    icmp_type: Int16
    icmp_code: Int16
    error_src_ip: Int32
    error_dst_ip: Int32
    error_ip_protocol: Int16
    error_src_port: Int32
    error_dst_port: Int32
    transport: Int16
    """IP protocol number (6 TCP, 17 UDP, 132 SCTP, 33 DCCP, 136 UDP-Lite) of the header that gave the ports; -1 where none were read."""
    src_port: Int32
    dst_port: Int32
    payload_length: Int64
    """By the IP length fields; -1 where not computable (fragments, cut headers, no TCP or UDP)."""
    payload_offset: Int64
    """Index in `buffer` where the TCP or UDP payload begins; meaningful where `payload_captured` > 0."""
    payload_captured: Int64
    """Bytes of payload that are in the buffer; 0 where none, `TUNNEL` where the payload is a tunnel's and was looked into."""
    tcp_flags: Int16
    """12 flag bits; -1 without a TCP header that reaches its flags."""
    tcp_seq: Int64
    tcp_ack: Int64
    tcp_window: Int32
    tcp_mss: Int32
    tcp_window_scale: Int16
    tcp_sack_permitted: Bool
    """Meaningful where `tcp_flags` is not -1."""
    tcp_header_cut: Bool
    """Whether a TCP header is not whole: not captured to the end that it states, or stating an impossible one."""
    tcp_ts_val: Int64
    tcp_ts_ecr: Int64
    headers: HeaderStacks | None = None
    """The IP headers of the packets that have several; None where none has."""

    def __len__(self) -> int:
        return len(self.ts_ns)


class HeaderStacks(NamedTuple):
    """The distinct stacks of IP headers, each header a link to the one around it.

    Attributes:
        innermost: int32[n], the innermost header of each packet; -1 where it has no more than one.
        around: int32[k], the header around each, a lower number; -1 for the outermost ones.
        src_ip, dst_ip: int32[k], addresses by their numbers in the batch's table.
        src_port, dst_port: int32[k], of the UDP header right behind each; -1 where there is none.
    """

    innermost: Int32
    around: Int32
    src_ip: Int32
    dst_ip: Int32
    src_port: Int32
    dst_port: Int32


class AddressTable(NamedTuple):
    """Distinct IP addresses.

    Attributes:
        family: int16[k], 4 or 6.
        high: uint64[k], first eight bytes of the 16-byte form (0 for IPv4) as a number.
        low: uint64[k], last eight bytes; for IPv4 the address as 0x0000ffff_aabbccdd, so that (high, low) is the mapped form and unique.
        text: Arrow string[k], canonical text.
    """

    family: Int16
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    text: pa.Array

    def __len__(self) -> int:
        return len(self.family)
