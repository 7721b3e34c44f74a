"""Every packet in one flow, the right one; sums equal totals; who is client and who is server."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import ACK, SYN, Packet, converse
from random_traffic import cuts, other_packets, tcp_packets
from tcp_vectors import CLOSED, START_NS, c, s, syn, syn_ack

from caphouse.ingest.formats.base import NO_TIME

BOTH_WAYS = ("packets", "bytes", "payload_packets", "payload_packet_bytes", "payload_bytes")


def kind(packet: Packet, stream: int) -> tuple[object, ...]:
    """What makes packets one flow, written out for one packet."""
    around = (
        packet.counted_path,
        packet.link_type,
        packet.ip_version,
        packet.ip_protocol,
        packet.ipv4_layers,
        packet.ipv6_layers,
        packet.in_icmp_error,
    )
    near = (packet.src_ip, packet.src_port, packet.tunnel_src_ip, packet.tunnel_src_port)
    far = (packet.dst_ip, packet.dst_port, packet.tunnel_dst_ip, packet.tunnel_dst_port)
    peers = (near, far) if str(near) < str(far) else (far, near)
    quoted = (packet.error_ip_protocol, packet.error_src_port, packet.error_dst_port)
    return (*around, peers, packet.transport, quoted, stream)


def expected_counts(packets: Sequence[Packet]) -> Counter[str]:
    counts = Counter(packets=len(packets), bytes=sum(packet.wire_length for packet in packets))
    for packet in packets:
        if packet.payload_length > 0:
            counts.update(payload_packets=1, payload_packet_bytes=packet.wire_length, payload_bytes=packet.payload_length)
    return counts


def both_ways(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Counter[str]:
    return Counter({name: sum(row[f"{name}_to_server"] + row[f"{name}_to_client"] for row in rows) for name in names})


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(tcp_packets() | other_packets(), max_size=40))
def test_as_the_model(data: st.DataObject, packets: list[Packet]) -> None:
    result = converse(packets, data.draw(cuts(len(packets))))
    members: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, (packet, stream) in enumerate(zip(packets, result.streams, strict=True)):
        members[kind(packet, stream)].append(number)
    numbers = {key: flow for flow, key in enumerate(members)}
    assert result.flow_ids == [numbers[kind(packet, stream)] for packet, stream in zip(packets, result.streams, strict=True)]
    assert [row["flow_id"] for row in result.flows] == list(range(len(members)))
    for row, own in zip(result.flows, members.values(), strict=True):
        mine = [packets[number] for number in own]
        assert +both_ways([row], BOTH_WAYS) == +expected_counts(mine)
        minutes = [minute for minute in result.minutes if minute["flow_id"] == row["flow_id"]]
        assert +both_ways(minutes, BOTH_WAYS[:4]) == +both_ways([row], BOTH_WAYS[:4])
        assert {minute["minute"] for minute in minutes} == {packet.ts_ns // 60_000_000_000 for packet in mine}
        assert (row["first_frame"], row["first_ts_ns"], row["last_ts_ns"]) == (own[0] + 1, mine[0].ts_ns, mine[-1].ts_ns)
        check_ends(row, mine)


def check_ends(row: dict[str, Any], packets: list[Packet]) -> None:
    """Addresses and ports are those of the first packet, and what goes to the server is what was sent to it."""
    first = packets[0]
    sender, receiver = ("client", "server") if row["first_from_client"] else ("server", "client")
    assert (row[f"{sender}_ip"], row[f"{receiver}_ip"]) == (first.src_ip, first.dst_ip)
    assert (row[f"tunnel_{sender}_ip"], row[f"tunnel_{receiver}_ip"]) == (first.tunnel_src_ip, first.tunnel_dst_ip)
    outer = (first.tunnel_src_ip, first.tunnel_src_port, first.tunnel_dst_ip, first.tunnel_dst_port)
    fields = (f"{sender}_ip", f"{sender}_udp_port", f"{receiver}_ip", f"{receiver}_udp_port")
    found = [tuple(-1 if header[field] is None else header[field] for field in fields) for header in row["ip_headers"] or []]
    assert found == ([] if first.tunnel_src_ip is None else [outer, (first.src_ip, -1, first.dst_ip, -1)])
    ports = (row[f"{sender}_port"], row[f"{receiver}_port"])
    assert ports == (None if first.src_port < 0 else first.src_port, None if first.dst_port < 0 else first.dst_port)
    same_way = [packet for packet in packets if (packet.src_ip, packet.src_port) == (first.src_ip, first.src_port)]
    assert row[f"packets_to_{receiver}"] == len(same_way)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(tcp_packets() | other_packets(), max_size=40))
def test_batches_change_nothing(data: st.DataObject, packets: list[Packet]) -> None:
    """Neither merging in between, nor letting rows rest in files, nor making rows in parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caphouse.ingest.rollup._HELD_ROWS", data.draw(st.sampled_from((0, 4, 12, 1 << 18))))
        patch.setattr("caphouse.ingest.resting.HELD_BYTES", data.draw(st.sampled_from((1, 500, 1 << 20))))
        patch.setattr("caphouse.ingest.resting.ROWS_AT_ONCE", data.draw(st.sampled_from((1, 2, 1 << 17))))
        cut = converse(packets, data.draw(cuts(len(packets))))
    whole = converse(packets)
    assert (cut.flow_ids, cut.flows, cut.minutes, cut.addresses) == (whole.flow_ids, whole.flows, whole.minutes, whole.addresses)


def only(packets: Sequence[Packet], known_ports: npt.NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """The only flow of some packets."""
    rows = converse(packets, known_ports=known_ports).flows
    assert len(rows) == 1
    return rows[0]


class TestRoles:
    def test_syn(self) -> None:
        row = only(CLOSED)
        assert (row["client_ip"], row["client_port"], row["role_source"], row["first_from_client"]) == ("10.0.0.1", 40_000, "syn", True)

    def test_syn_ack(self) -> None:
        row = only(CLOSED[1:])
        assert (row["client_ip"], row["role_source"], row["first_from_client"]) == ("10.0.0.1", "syn-ack", False)

    def test_syn_beats_the_port(self) -> None:
        """FTP's active data connections come from port 20."""
        row = only([s(0, SYN, 1)])
        assert (row["client_ip"], row["client_port"], row["role_source"]) == ("10.0.0.2", 80, "syn")

    def test_first_syn_counts(self) -> None:
        row = only([syn(0), s(4, SYN, 5000), syn_ack(10)])
        assert row["client_ip"] == "10.0.0.1"

    def test_lower_port_serves(self) -> None:
        for packets in ([c(0, ACK)], [s(0, ACK)]):
            row = only(packets)
            assert (row["server_port"], row["role_source"]) == (80, "port")

    def test_high_ports_tell_nothing(self) -> None:
        row = only([Packet(transport=17, ip_protocol=17, src_port=40_000, dst_port=50_000)])
        assert (row["client_port"], row["role_source"]) == (40_000, "first")
        row = only([Packet(transport=17, ip_protocol=17, src_port=50_000, dst_port=40_000)])
        assert (row["client_port"], row["role_source"]) == (50_000, "first")

    def test_known_port_serves(self) -> None:
        """3389 serves, although 1200 is lower."""
        known = np.zeros(65_536, dtype=np.bool_)
        known[3389] = True
        row = only([dataclasses.replace(c(0, ACK), src_port=3389, dst_port=1200)], known)
        assert (row["server_port"], row["role_source"]) == (3389, "port")


def test_connection_seen_with_and_without_vlan() -> None:
    """Two rows, because the headers differ; one stream, and the same roles in both."""
    packets = [dataclasses.replace(packet, counted_path=5) if packet.src_port == 80 else packet for packet in CLOSED]
    result = converse(packets)
    assert [row["protocols"] for row in result.flows] == ["eth:ip:tcp", "eth:vlan:ip:tcp"]
    assert {row["stream"] for row in result.flows} == {0}
    assert [(row["client_ip"], row["role_source"]) for row in result.flows] == [("10.0.0.1", "syn")] * 2
    assert [(row["packets_to_server"], row["packets_to_client"]) for row in result.flows] == [(5, 0), (0, 3)]


def test_both_ways_through_a_tunnel_between_the_same_end_and_itself_are_one_flow() -> None:
    """The headers around them tell the ways apart, where the addresses inside do not."""
    there = Packet(
        src_ip="10.0.0.2", dst_ip="10.0.0.2", transport=-1, ip_protocol=1, src_port=-1, dst_port=-1, tcp_flags=-1, ipv4_layers=2,
        tunnel_src_ip="192.0.2.2", tunnel_dst_ip="192.0.2.1", tunnel_src_port=4789, tunnel_dst_port=50_000,
    )  # fmt: skip
    back = dataclasses.replace(
        there,
        tunnel_src_ip=there.tunnel_dst_ip,
        tunnel_dst_ip=there.tunnel_src_ip,
        tunnel_src_port=there.tunnel_dst_port,
        tunnel_dst_port=there.tunnel_src_port,
    )
    for packets in ([there, back, there], [back, there, there]):
        row = only(packets)
        first = packets[0]
        assert row["ip_headers"][0] == {
            "client_ip": first.tunnel_src_ip,
            "client_udp_port": first.tunnel_src_port,
            "server_ip": first.tunnel_dst_ip,
            "server_udp_port": first.tunnel_dst_port,
        }
        assert (row["tunnel_client_ip"], row["tunnel_server_ip"]) == (first.tunnel_src_ip, first.tunnel_dst_ip)
        assert row["packets_to_server"] + row["packets_to_client"] == 3


def test_icmp_errors_keep_what_they_quote() -> None:
    error = Packet(
        transport=-1,
        src_port=-1,
        dst_port=-1,
        ip_protocol=1,
        counted_path=4,
        in_icmp_error=True,
        error_ip_protocol=17,
        error_src_port=5,
        error_dst_port=0,
    )
    row = only([error, error])
    assert (row["transport"], row["stream"], row["in_icmp_error"]) == (None, None, True)
    assert (row["error_ip_protocol"], row["error_src_port"], row["error_dst_port"]) == (17, 5, 0)
    assert len(converse([error, dataclasses.replace(error, error_dst_port=53)]).flows) == 2


def test_without_ip() -> None:
    """All ARP of a capture is one row."""
    arp = Packet(
        src_ip=None,
        dst_ip=None,
        src_port=-1,
        dst_port=-1,
        transport=-1,
        ip_protocol=-1,
        ip_version=-1,
        counted_path=3,
        ipv4_layers=0,
        wire_length=42,
    )
    row = only([arp, arp, arp])
    assert (row["protocols"], row["packets_to_server"], row["bytes_to_server"], row["role_source"]) == ("eth:arp", 3, 126, "first")
    assert {row[name] for name in ("client_ip", "server_ip", "client_port", "transport", "ip_version", "ip_protocol", "stream")} == {None}


def test_packets_without_time() -> None:
    packets = [dataclasses.replace(packet, ts_ns=NO_TIME) for packet in CLOSED[:2]]
    result = converse(packets)
    assert [row["minute"] for row in result.minutes] == [None]
    assert (result.flows[0]["first_ts_ns"], result.flows[0]["last_ts_ns"]) == (None, None)
    assert converse([*packets, CLOSED[2]]).flows[0]["last_ts_ns"] == CLOSED[2].ts_ns
    assert {row["minute"] for row in converse([*packets, CLOSED[2]]).minutes} == {None, START_NS // 60_000_000_000}


def test_times_before_the_epoch() -> None:
    packet = dataclasses.replace(CLOSED[0], ts_ns=-1)
    assert [row["minute"] for row in converse([packet]).minutes] == [-1]


def test_times_at_the_ends_of_the_range() -> None:
    packets = [dataclasses.replace(CLOSED[0], ts_ns=ts_ns) for ts_ns in (2**63 - 1, -(2**63) + 1, 0)]
    minutes = sorted(row["minute"] for row in converse(packets).minutes)
    assert minutes == sorted(packet.ts_ns // 60_000_000_000 for packet in packets)
