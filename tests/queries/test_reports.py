"""The reports over the hand-made warehouse, whole and in part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hand_made_warehouse import CAPTURES, DAY1, MS, PACKETS, SECOND, make_warehouse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caphouse.queries import catalog
from caphouse.queries.engine import Session
from caphouse.queries.scope import MINUTE_NS, Scope
from caphouse.warehouse.errors import UsageError

Report = Callable[..., list[dict[str, Any]]]


def only(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """The named columns of rows."""
    return [tuple(row[name] for name in names) for row in rows]


def test_captures_come_in_order_of_time_with_unreadable_files_last(report: Report) -> None:
    found = only(report("captures"), "file_name", "host", "packets", "duration_s", "status", "error")
    assert found == [
        ("one.pcap", "web-1", 23, 125.0, "complete", None),
        ("two.pcap", "db-1", 4, 3.0, "complete", None),
        ("bad\x1b[31m.txt", None, 0, None, "unsupported", "not a capture"),
    ]


def test_rtt_lists_slowest_first_and_connections_without_answer_last(report: Report) -> None:
    found = only(report("rtt"), "rtt_ms", "status", "retransmitted", "client_port", "host")
    assert found == [
        (1010.0, "complete", True, 40002, "web-1"),
        (30.0, "complete", False, 40001, "web-1"),
        (20.0, "complete", False, 40000, "db-1"),
        (10.0, "complete", False, 40000, "web-1"),
        (-100.0, "complete", False, 40004, "web-1"),
        (None, "refused", False, 40003, "web-1"),
        (None, "unanswered", True, 40005, "web-1"),
    ]
    assert only(report("rtt", top=1), "rtt_ms") == [(1010.0,)]
    assert only(report("rtt", port=3389), "status") == [("unanswered",)]


def test_percentiles_leave_out_missing_and_negative_rtts(report: Report) -> None:
    first, second = report("rtt-by-server")
    assert first == {
        "server_ip": "10.0.0.2", "server_port": 80, "connections": 6, "measured": 4, "min_ms": 10.0, "median_ms": 25.0,
        # 10, 20, 30, 1010: the 95th percentile lies 0.85 of the way from the third to the fourth.
        "p95_ms": pytest.approx(30 + 0.85 * 980), "max_ms": 1010.0, "median_client_ms": 5.0, "median_initial_ms": 25.0,
        "retransmitted": 1, "failed": 1, "clock_anomalies": 1,
    }  # fmt: skip
    assert only([second], "server_ip", "connections", "measured", "median_ms", "retransmitted", "failed") == [
        ("10.0.0.7", 1, 0, None, 1, 1)
    ]


def test_rtt_over_time_has_a_row_per_period(report: Report) -> None:
    found = only(report("rtt-over-time"), "connections", "measured", "median_ms", "failed")
    assert found == [(6, 3, 30.0, 2), (1, 1, 20.0, 0)]
    assert [str(row["start_ts"]) for row in report("rtt-over-time", minutes=1, capture="one.pcap")] == [
        "2026-03-01 10:00:00",
        "2026-03-01 10:01:00",
    ]
    assert [str(row["start_ts"]) for row in report("rtt-over-time", minutes=1440)] == ["2026-03-01 00:00:00", "2026-03-02 00:00:00"]


def test_the_hierarchy_adds_up_over_captures(report: Report) -> None:
    found = {row["path"]: row for row in report("protocol-hierarchy")}
    assert (found["eth"]["packets"], found["eth"]["percent_packets"], found["eth"]["bytes"]) == (27, 100.0, 2400)
    assert found["eth:ipv6:tcp"]["percent_bytes"] == 12.5
    assert list(found) == sorted(found, key=lambda path: path.split(":"))


def test_destinations_come_by_address_then_by_port(report: Report) -> None:
    found = only(report("destinations", top=2), "ip_version", "dst_ip", "protocol", "dst_port", "packets", "dst_packets")
    assert found == [
        (4, "10.0.0.1", "UDP", 161, 5, 12),
        (4, "10.0.0.1", "TCP", 40000, 3, 12),
        (4, "10.0.0.1", "NONE", 0, 2, 12),
        (4, "10.0.0.1", "UDP", 5353, 2, 12),
        (4, "10.0.0.2", "TCP", 80, 4, 6),
        (4, "10.0.0.2", "NONE", 0, 2, 6),
    ]
    assert only(report("destinations", port=111), "dst_ip", "percent") == [("2001:db8::2", 100.0)]
    assert {row["ip_version"] for row in report("destinations", family=6)} == {6}


def test_ports_are_those_of_servers(report: Report) -> None:
    found = only(report("ports"), "protocol", "port", "applications", "flows", "servers", "clients", "packets", "bytes")
    assert found == [("TCP", 80, "http", 1, 1, 1, 7, 700), ("TCP", 1000, None, 1, 1, 1, 4, 300), ("UDP", 53, "dns", 1, 1, 1, 2, 200)]


def test_callers_of_a_port_are_found_on_either_side(report: Report) -> None:
    """The flow to port 111 was captured from its answer on, so that port 111 is on the client's side."""
    found = only(
        report("port-callers"), "caller_ip", "called_ip", "protocol", "port", "packets_to_port", "packets_from_port", "captures", "hosts"
    )
    assert found == [("2001:db8::1", "2001:db8::2", "TCP", 111, 1, 3, 1, "db-1")]
    assert only(report("port-callers", port=80), "caller_ip", "applications", "packets_to_port") == [("10.0.0.1", "http", 4)]


def test_endpoints_and_conversations(report: Report) -> None:
    assert only(report("endpoints", top=1), "ip", "packets", "bytes", "captures") == [("10.0.0.1", 18, 1800, 1)]
    found = only(
        report("conversations"), "client_ip", "server_ip", "protocol", "server_port", "flows", "bytes_to_server", "bytes_to_client"
    )
    assert found == [
        ("10.0.0.1", "10.0.0.2", "TCP", 80, 1, 400, 300),
        ("10.0.0.1", "10.0.0.2", "icmp", None, 1, 200, 200),
        ("2001:db8::2", "2001:db8::1", "TCP", 1000, 1, 220, 80),
        ("10.0.0.1", "10.0.0.3", "UDP", 53, 1, 90, 110),
    ]


def test_failed_connections_say_how_and_whether_the_capture_may_have_cut_them(report: Report) -> None:
    found = only(report("failed-connections"), "server_ip", "server_port", "status", "failures", "syns", "maybe_cut_off", "attempts")
    assert found == [("10.0.0.2", 80, "refused", 1, 1, 0, 6), ("10.0.0.7", 3389, "unanswered", 1, 3, 1, 1)]


def test_unwanted_protocols_are_applications_or_parts_of_the_path(report: Report) -> None:
    assert report("unwanted-protocols") == []
    found = only(report("unwanted-protocols", protocols="http, arp"), "protocol", "client_ip", "evidence", "packets", "hosts")
    assert found == [("http", "10.0.0.1", "sig", 7, "web-1"), ("arp", None, None, 5, "web-1")]


SCOPES: list[dict[str, Any]] = [
    {"since": "2026-03-01T10:00:30", "until": "2026-03-02T10:00:01.5Z"},
    {"host": "db-1"},
    {"host": ["db-1", "web-1"]},
    {"capture": "one.pcap"},
    {"capture": ["aaaa", "/captures/two.pcap"]},
    {"since": "2026-03-02", "host": "db-1", "capture": "bb"},
    {"since": "2030-01-01"},
]


@pytest.mark.parametrize("name", catalog.report_names())
def test_every_report_takes_every_scope(session: Session, name: str) -> None:
    whole = session.report(name)
    for scope in SCOPES:
        part = session.report(name, **scope)
        assert part.columns == whole.columns
        assert part.types == whole.types
        part.fetchall()


@pytest.mark.parametrize("name", sorted(set(catalog.report_names()) - {"unwanted-protocols", "port-callers", "failed-connections"}))
def test_scopes_leave_out_what_is_outside(session: Session, name: str) -> None:
    def text(**scope: Any) -> str:
        return str(session.report(name, **scope).fetchall())

    by_host, by_capture, by_time = text(host="db-1"), text(capture="two.pcap"), text(since="2026-03-02", until="2026-03-03")
    assert by_host == by_capture == by_time
    assert by_host != text()
    assert text(until="2026-03-02") == text(capture="one.pcap")


def _count(packets: list[dict[str, Any]], flow_id: int) -> tuple[int, int, int]:
    own = [packet for packet in packets if packet["flow_id"] == flow_id]
    with_payload = [packet for packet in own if packet.get("payload_length")]
    return len(own), sum(packet["wire_length"] for packet in own), len(with_payload)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.none(), st.integers(DAY1 - SECOND, DAY1 + 130 * SECOND), st.integers(-1, 3).map(lambda m: DAY1 + m * MINUTE_NS)),
    st.one_of(st.none(), st.integers(DAY1 - SECOND, DAY1 + 130 * SECOND), st.integers(-1, 3).map(lambda m: DAY1 + m * MINUTE_NS)),
)
def test_traffic_in_a_time_range_counts_exactly_its_packets(session: Session, since: int | None, until: int | None) -> None:
    if since is not None and until is not None and since >= until:
        return
    connection = session.scoped(["traffic"], Scope(since_ns=since, until_ns=until, captures=("one.pcap",)))
    found = connection.sql("""select flow_id, packets_to_server + packets_to_client, bytes_to_server + bytes_to_client,
    payload_packets_to_server + payload_packets_to_client from traffic""").fetchall()
    inside: list[dict[str, Any]] = [
        dict(packet)
        for packet in PACKETS
        if packet["ingest_id"] == 11
        and (since is None or packet["ts_ns"] >= since)  # type: ignore[operator]  # integers
        and (until is None or packet["ts_ns"] < until)  # type: ignore[operator]
    ]
    expected = {flow_id: _count(inside, flow_id) for flow_id in {packet["flow_id"] for packet in inside}}
    assert {flow_id: tuple(counts) for flow_id, *counts in found} == expected


def test_partial_minutes_keep_directions_and_payload(session: Session) -> None:
    scope = Scope(since_ns=DAY1 + 12 * MS, until_ns=DAY1 + 90 * SECOND, captures=("one.pcap",))
    query = """select packets_to_server, packets_to_client, bytes_to_server, bytes_to_client,
    payload_packets_to_server, payload_packets_to_client, payload_packet_bytes_to_server, payload_packet_bytes_to_client
    from traffic where flow_id = 0"""
    # Frames 3, 4 and 7 to the server, 5 and 6 back; 4, 7 and 6 have payload.
    assert session.scoped(["traffic"], scope).sql(query).fetchall() == [(3, 2, 320, 240, 2, 1, 240, 180)]


def test_mistakes_are_told(session: Session) -> None:
    mistakes: tuple[dict[str, Any], ...] = (
        {"host": "nobody"},
        {"capture": "none.pcap"},
        {"capture": ""},
        {"top": "many"},
        {"top": -1},
        {"colour": "red"},
        {"since": "soon"},
    )
    for wrong in mistakes:
        with pytest.raises(UsageError):
            session.report("ports", **wrong)
    with pytest.raises(UsageError, match="one of TCP"):
        session.report("ports", protocol="tcp")


def test_a_capture_is_named_by_the_beginning_of_its_id_unless_several_begin_so(tmp_path: Path) -> None:
    ids = ["abc1" + "0" * 60, "abc2" + "0" * 60]
    captures = [{**CAPTURES[0], "capture_id": name, "ingest_id": i, "file_name": f"{i}.pcap"} for i, name in enumerate(ids, 1)]
    with Session(make_warehouse(tmp_path / "w", captures, {})) as session:
        assert only(session.report("captures", capture="ABC2").to_arrow_table().to_pylist(), "file_name") == [("2.pcap",)]
        assert len(session.report("captures", capture=["abc1", "2.pcap"]).fetchall()) == 2
        with pytest.raises(UsageError, match="2 capture ids"):
            session.report("captures", capture="abc")
        with pytest.raises(UsageError, match="no capture"):
            session.report("captures", capture="abd")


def test_values_are_bound_not_pasted(report: Report) -> None:
    assert report("endpoints", ip="' or 1=1 --") == []


@pytest.mark.parametrize("name", ["conversations", "endpoints"])
def test_a_shorter_list_is_the_beginning_of_the_whole(report: Report, name: str) -> None:
    """What cannot be listed is left out before it is counted."""
    for scope in ({}, {"host": "web-1"}, {"since": "2026-03-01T10:00:30"}):
        whole = report(name, top=0, **scope)
        assert len(whole) > 1
        for top in range(1, len(whole) + 2):
            assert report(name, top=top, **scope) == whole[:top]


def test_fewer_destinations_are_the_first_of_all(report: Report) -> None:
    whole = report("destinations", top=0, ports=0)
    order = list(dict.fromkeys((row["ip_version"], row["dst_ip"]) for row in whole))
    for top in range(1, len(order) + 1):
        assert report("destinations", top=top, ports=0) == [row for row in whole if (row["ip_version"], row["dst_ip"]) in order[:top]]
    for row in report("destinations", top=0, ports=1):
        assert row == next(first for first in whole if (first["ip_version"], first["dst_ip"]) == (row["ip_version"], row["dst_ip"]))


def test_endpoints_and_destinations_add_up_the_views(session: Session) -> None:
    def rows(name: str, columns: str, query: str) -> None:
        whole = session.report(name, top=0, ports=0) if name == "destinations" else session.report(name, top=0)
        assert sorted(whole.project(columns).fetchall()) == sorted(session.sql(query).fetchall())

    added = ", ".join(f"sum({column})" for column in ("packets", "bytes", "tx_packets", "tx_bytes", "rx_packets", "rx_bytes"))
    listed = "ip_version, ip, packets, bytes, tx_packets, tx_bytes, rx_packets, rx_bytes, captures"
    rows("endpoints", listed, f"select ip_version, ip, {added}, count(*) from endpoints_ip group by all")
    both = [f"select {version} as ip_version, * from ipv{version}_destinations" for version in (4, 6)]
    query = f"select ip_version, dst_ip, protocol, dst_port, sum(packets), sum(bytes) from ({' union all '.join(both)}) group by all"
    rows("destinations", "ip_version, dst_ip, protocol, dst_port, packets, bytes", query)
