"""The views over the hand-made warehouse; every expected number was added up by hand from its flows and packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hand_made_warehouse import A, B

Rows = Callable[..., list[Any]]


def test_ipv4_destinations_count_headers_and_take_the_port_that_an_icmp_error_is_about(rows: Rows) -> None:
    found = rows("select dst_ip, protocol, dst_port, packets, bytes, frames from ipv4_destinations order by 1, 2, 3")
    assert found == [
        ("10.0.0.1", "NONE", 0, 2, 200, 2),
        ("10.0.0.1", "TCP", 40000, 3, 300, 3),
        ("10.0.0.1", "UDP", 161, 5, 500, 5),
        ("10.0.0.1", "UDP", 5353, 2, 220, 1),
        ("10.0.0.2", "NONE", 0, 2, 200, 2),
        ("10.0.0.2", "TCP", 80, 4, 400, 4),
        ("10.0.0.3", "UDP", 53, 2, 180, 1),
    ]


def test_ipv6_destinations_are_apart(rows: Rows) -> None:
    found = rows("select capture_id, dst_ip, protocol, dst_port, packets, bytes from ipv6_destinations order by 2")
    assert found == [(B, "2001:db8::1", "TCP", 1000, 3, 220), (B, "2001:db8::2", "TCP", 111, 1, 80)]


def test_the_hierarchy_counts_a_packet_at_each_node_of_its_path(rows: Rows) -> None:
    found = rows(
        "select path, depth, name, packets, bytes, end_packets, end_bytes from protocol_hierarchy where capture_id = $id order by 1", id=A
    )
    assert found == [
        ("eth", 1, "eth", 23, 2100, 0, 0),
        ("eth:arp", 2, "arp", 5, 300, 5, 300),
        ("eth:ip", 2, "ip", 18, 1800, 0, 0),
        ("eth:ip:icmp", 3, "icmp", 9, 900, 9, 900),
        ("eth:ip:ip", 3, "ip", 2, 200, 0, 0),
        ("eth:ip:ip:udp", 4, "udp", 2, 200, 0, 0),
        ("eth:ip:ip:udp:dns", 5, "dns", 2, 200, 2, 200),
        ("eth:ip:tcp", 3, "tcp", 7, 700, 4, 240),
        ("eth:ip:tcp:http", 4, "http", 3, 460, 3, 460),
    ]


def test_every_packet_ends_at_one_node(rows: Rows) -> None:
    query = (
        "select capture_id, sum(end_packets)::bigint, sum(packets) filter (depth = 1)::bigint from protocol_hierarchy group by 1 order by 1"
    )
    assert rows(query) == [(A, 23, 23), (B, 4, 4)]


def test_rtts_are_also_given_in_milliseconds_with_the_capture(rows: Rows) -> None:
    query = (
        "select tcp_stream, rtt_ms, client_rtt_ms, initial_rtt_ms, failed, host, file_name from tcp_rtt where capture_id = $id order by 1"
    )
    assert rows(query, id=A) == [
        (0, 10.0, 5.0, 15.0, False, "web-1", "one.pcap"),
        (1, 30.0, 5.0, 35.0, False, "web-1", "one.pcap"),
        (2, 1010.0, None, None, False, "web-1", "one.pcap"),
        (3, None, None, None, True, "web-1", "one.pcap"),
        (4, -100.0, None, None, False, "web-1", "one.pcap"),
        (5, None, None, None, True, "web-1", "one.pcap"),
        (6, None, None, None, None, "web-1", "one.pcap"),
    ]


def test_ip_endpoints_count_outer_and_inner_addresses(rows: Rows) -> None:
    found = rows(
        "select ip, packets, bytes, tx_packets, tx_bytes, rx_packets, rx_bytes from endpoints_ip where capture_id = $id order by 1", id=A
    )
    assert found == [
        ("10.0.0.1", 18, 1800, 7, 690, 11, 1110),
        ("10.0.0.2", 11, 1100, 5, 500, 6, 600),
        ("10.0.0.3", 2, 200, 1, 110, 1, 90),
        ("10.0.0.9", 5, 500, 5, 500, 0, 0),
        ("192.0.2.1", 2, 200, 1, 90, 1, 110),
        ("192.0.2.2", 2, 200, 1, 110, 1, 90),
    ]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (
            "endpoints_tcp",
            [("10.0.0.1", 40000, 7, 4, 3), ("10.0.0.2", 80, 7, 3, 4), ("2001:db8::1", 1000, 4, 1, 3), ("2001:db8::2", 111, 4, 3, 1)],
        ),
        ("endpoints_udp", [("10.0.0.1", 5353, 2, 1, 1), ("10.0.0.3", 53, 2, 1, 1)]),
    ],
)
def test_transport_endpoints_leave_icmp_errors_out(rows: Rows, view: str, expected: list[Any]) -> None:
    assert rows(f"select ip, port, packets, tx_packets, rx_packets from {view} order by 1, 2") == expected


def test_ip_conversations_start_with_the_first_sender(rows: Rows) -> None:
    query = """select ip_version, a_ip, b_ip, packets, bytes, packets_a_to_b, bytes_a_to_b, packets_b_to_a, bytes_b_to_a,
    relative_start_s, duration_s from conversations_ip order by 1, 2, 3"""
    assert rows(query) == [
        (4, "10.0.0.1", "10.0.0.2", 11, 1100, 6, 600, 5, 500, 0.0, 61.0),
        (4, "10.0.0.1", "10.0.0.3", 2, 200, 1, 90, 1, 110, 1.0, 1.0),
        (4, "10.0.0.9", "10.0.0.1", 5, 500, 5, 500, 0, 0, 3.0, 1.0),
        (4, "192.0.2.1", "192.0.2.2", 2, 200, 1, 90, 1, 110, 1.0, 1.0),
        (6, "2001:db8::2", "2001:db8::1", 4, 300, 3, 220, 1, 80, 0.0, 3.0),
    ]


def test_transport_conversations_are_one_row_per_stream(rows: Rows) -> None:
    query = "select stream, a_ip, a_port, b_ip, b_port, packets_a_to_b, packets_b_to_a from {} order by a_ip"
    assert rows(query.format("conversations_tcp")) == [
        (0, "10.0.0.1", 40000, "10.0.0.2", 80, 4, 3),
        (0, "2001:db8::2", 111, "2001:db8::1", 1000, 3, 1),
    ]
    assert rows(query.format("conversations_udp")) == [(0, "10.0.0.1", 5353, "10.0.0.3", 53, 1, 1)]


def test_ipv4_statistics_count_headers(rows: Rows) -> None:
    assert rows("select ip, packets, percent from ipv4_hosts order by 1") == [
        ("10.0.0.1", 20, 100.0),
        ("10.0.0.2", 11, 55.0),
        ("10.0.0.3", 4, 20.0),
        ("10.0.0.9", 5, 25.0),
    ]
    assert rows("select direction, ip, packets, percent from ipv4_src_dst order by 1, 2") == [
        ("destination", "10.0.0.1", 12, 60.0),
        ("destination", "10.0.0.2", 6, 30.0),
        ("destination", "10.0.0.3", 2, 10.0),
        ("source", "10.0.0.1", 8, 40.0),
        ("source", "10.0.0.2", 5, 25.0),
        ("source", "10.0.0.3", 2, 10.0),
        ("source", "10.0.0.9", 5, 25.0),
    ]
    assert rows("select protocol, packets, percent from ipv4_protocols order by 1") == [
        ("NONE", 4, 20.0),
        ("TCP", 7, 35.0),
        ("UDP", 9, 45.0),
    ]


def test_packet_lengths_have_the_ranges_of_wireshark(rows: Rows) -> None:
    columns = "bucket, packets, average_bytes, min_bytes, max_bytes, percent"
    assert rows(f"select {columns} from packet_lengths where capture_id = $id order by min_length", id=B) == [
        ("40-79", 2, 70.0, 70, 70, 50.0),
        ("80-159", 2, 80.0, 80, 80, 50.0),
    ]


def test_rows_of_an_attempt_that_is_no_capture_are_seen_by_nobody(rows: Rows) -> None:
    for table in ("flows", "handshakes", "traffic", "tcp_rtt"):
        assert rows(f"select distinct ingest_id from {table} order by 1") in ([(11,), (12,)], [(11,)])
    assert rows("select count(*) from flows where client_ip = '203.0.113.1'") == [(0,)]
