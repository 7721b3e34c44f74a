"""Every kind of handshake, whatever the batches; the fast way and the rules agree; and so do SQL and tshark."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import ACK, PSH, RST, SYN, Packet, converse
from random_traffic import FLAGS, cuts, odd_handshakes, tcp_packets
from tcp_vectors import C_ISN, CLOSED, MS, S_ISN, START_NS, VECTORS, Vector, ack, c, s, syn, syn_ack

from caphouse.ingest.formats.base import NO_TIME
from caphouse.ingest.plain_handshakes import PlainHandshakes

DURATIONS = ("rtt", "rtt_last_syn", "client_rtt", "handshake", "initial_rtt", "rst_rtt")


def assert_expected(vector: Vector, rows: list[dict[str, Any]]) -> None:
    assert len(rows) == len(vector.expected)
    for row, expected in zip(rows, vector.expected, strict=True):
        for name, value in expected.items():
            column, found = (f"{name}_ns", None if value is None else round(value * MS)) if name in DURATIONS else (name, value)
            assert row[column] == found, (vector.name, column)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
class TestVectors:
    def test_in_one_batch(self, vector: Vector) -> None:
        assert_expected(vector, converse(vector.packets).handshakes)

    def test_cut_anywhere(self, vector: Vector) -> None:
        """Where batches begin changes nothing, not even in the other columns."""
        whole = converse(vector.packets).handshakes
        places = range(1, len(vector.packets))
        pairs = itertools.combinations(places, 2) if len(vector.packets) < 7 else ()
        for cut in [*((place,) for place in places), *pairs, tuple(places)]:
            assert converse(vector.packets, cut).handshakes == whole


SQL = """
with t as (select *, tcp_flags & 18 = 2 syn, tcp_flags & 18 = 18 synack, tcp_flags & 18 = 16 ackonly,
                  (seq + greatest(tcp_len, 0) + 1) % 4294967296 next_syn from packets where stream >= 0),
w as (select *, last_value(case when syn then ts_ns end ignore nulls)
        over (partition by stream order by frame rows unbounded preceding) last_syn from t),
irtt as (select stream, arg_min(ts_ns - last_syn, frame)
           filter (ackonly and last_syn is not null and ts_ns <> last_syn) irtt from w group by all),
syn1 as (select stream, dst, dport, seq, next_syn, min(frame) f, arg_min(ts_ns, frame) t0 from t where syn group by all),
synack as (select a.stream, arg_min(a.ts_ns - b.t0, a.frame) rtt
           from t a join syn1 b on a.stream=b.stream and a.src=b.dst and a.sport=b.dport and a.frame>b.f
                and a.ack in (b.next_syn, (b.seq+1) % 4294967296) where a.synack group by all)
select stream, irtt, rtt from irtt left join synack using (stream) order by stream
"""
"""initial_rtt and the SYN/ACK's ack_rtt as questions to the packets; checked against tshark on 400 captures."""


@st.composite
def client_traffic(draw: st.DrawFn) -> list[Packet]:
    """Segments of one pair of endpoints in order of time, of which only the client opens connections."""
    packets = draw(
        st.lists(st.builds(_segment, st.booleans(), st.sampled_from(FLAGS), *[st.sampled_from((0, 1, 2, 100, 101))] * 2), max_size=30)
    )
    times = sorted(draw(st.lists(st.integers(0, 40), min_size=len(packets), max_size=len(packets))))
    return [dataclasses.replace(packet, ts_ns=START_NS + ms * MS) for packet, ms in zip(packets, times, strict=True)]


def _segment(from_client: bool, flags: int, seq: int, acknowledged: int) -> Packet:  # noqa: FBT001
    if flags & (SYN | ACK) == SYN:
        return c(0, flags, seq, length=5 if seq % 2 else 0)
    return (c if from_client else s)(0, flags, seq, acknowledged)


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own; one for all examples."""
    with duckdb.connect() as connection:
        yield connection


@settings(max_examples=80, deadline=None)
@given(st.data(), client_traffic())
def test_round_trips_as_sql_finds_them(sql: duckdb.DuckDBPyConnection, data: st.DataObject, packets: list[Packet]) -> None:
    result = converse(packets, data.draw(cuts(len(packets))))
    packet_rows = pa.table(
        {
            "frame": range(1, len(packets) + 1),
            "stream": pa.array(result.streams, pa.int64()),
            **{
                name: pa.array([getattr(packet, field) for packet in packets], pa.string() if field.endswith("_ip") else pa.int64())
                for name, field in (
                    ("src", "src_ip"), ("dst", "dst_ip"), ("sport", "src_port"), ("dport", "dst_port"), ("tcp_flags", "tcp_flags"),
                    ("seq", "tcp_seq"), ("ack", "tcp_ack"), ("tcp_len", "payload_length"), ("ts_ns", "ts_ns"),
                )
            },
        }
    )  # fmt: skip
    sql.register("packets", packet_rows)
    expected = sql.execute(SQL).fetchall()
    assert [(row["tcp_stream"], row["initial_rtt_ns"], row["rtt_ns"]) for row in result.handshakes] == expected


@settings(max_examples=150, deadline=None)
@given(st.data(), odd_handshakes() | st.lists(tcp_packets(numbers=(100, 101, 102)), max_size=40))
def test_batches_change_nothing(data: st.DataObject, packets: list[Packet]) -> None:
    """Nor does making rows in parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caphouse.ingest.resting.HELD_BYTES", data.draw(st.sampled_from((1, 500, 1 << 20))))
        patch.setattr("caphouse.ingest.resting.ROWS_AT_ONCE", data.draw(st.sampled_from((1, 2, 1 << 17))))
        cut = converse(packets, data.draw(cuts(len(packets))))
    assert cut.handshakes == converse(packets).handshakes


@settings(max_examples=150, deadline=None)
@given(odd_handshakes() | st.lists(tcp_packets(numbers=(100, 101)), max_size=30))
def test_plain_handshakes_follow_the_rules(packets: list[Packet]) -> None:
    """The way for many at once and the rules for one give the same for every plain handshake."""
    fast = converse(packets).handshakes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainHandshakes, "_find_plain", lambda self: np.zeros(len(self.starts), dtype=np.bool_))
        assert converse(packets).handshakes == fast


def test_most_vectors_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: plain handshakes do come the fast way."""
    monkeypatch.setattr("caphouse.ingest.handshakes.examine", lambda _: pytest.fail("a plain handshake was examined alone"))
    for vector in VECTORS:
        if vector.name in {"clean", "syn lost", "refused", "unanswered", "half-open", "reset by client", "fast open accepted"}:
            converse(vector.packets)


def row_of(packets: Sequence[Packet]) -> dict[str, Any]:
    """The only handshake of some packets."""
    rows = converse(packets).handshakes
    assert len(rows) == 1
    return rows[0]


class TestColumns:
    def test_ends_frames_and_times(self) -> None:
        row = row_of([s(-5, ACK, C_ISN), *CLOSED[:3]])
        assert (row["client_ip"], row["client_port"], row["server_ip"], row["server_port"]) == ("10.0.0.1", 40_000, "10.0.0.2", 80)
        assert (row["syn_frame"], row["syn_ack_frame"], row["ack_frame"]) == (2, 3, 4)
        assert (row["first_ts_ns"], row["syn_ts_ns"]) == (START_NS - 5 * MS, START_NS)
        assert (row["syn_ack_ts_ns"], row["ack_ts_ns"]) == (START_NS + 10 * MS, START_NS + 15 * MS)
        assert (row["client_isn"], row["server_isn"]) == (C_ISN, S_ISN)
        assert (row["syn_sides"], row["interfaces"], row["interface_id"]) == (1, 1, 0)

    def test_options_of_both_sides(self) -> None:
        client = {"tcp_mss": 1460, "tcp_window_scale": 7, "tcp_sack_permitted": True}
        server = {"tcp_mss": 1380, "tcp_window_scale": 0}
        row = row_of([syn(0, **client), syn_ack(10, **server), ack(15)])
        assert (row["client_mss"], row["client_window_scale"], row["client_sack_permitted"]) == (1460, 7, True)
        assert (row["server_mss"], row["server_window_scale"], row["server_sack_permitted"]) == (1380, 0, False)
        row = row_of([syn(0)])
        assert (row["client_mss"], row["client_window_scale"], row["client_sack_permitted"]) == (None, None, False)
        assert (row["server_mss"], row["server_window_scale"], row["server_sack_permitted"]) == (None, None, None)
        assert row["tcp_fast_open_accepted"] is None

    def test_midstream_knows_no_client(self) -> None:
        row = row_of(CLOSED[3:])
        assert row["status"] == "midstream"
        unknown = {name for name, value in row.items() if value is None}
        assert {"client_ip", "server_ip", "client_port", "interface_id", "to_capture_end_ns", "client_isn", "rtt_ns"} <= unknown

    def test_time_to_the_end_of_the_capture(self) -> None:
        assert row_of(CLOSED)["to_capture_end_ns"] == 45 * MS
        assert row_of([syn(0), s(10, RST | ACK, 0)])["to_capture_end_ns"] == 0
        assert row_of([syn(0), syn(1000), s(1002, ACK)])["to_capture_end_ns"] == 2 * MS

    def test_without_times(self) -> None:
        """Nothing is measured from or to a packet without a time, and the rest is as it is."""
        row = row_of([dataclasses.replace(packet, ts_ns=NO_TIME) for packet in CLOSED[:2]] + [CLOSED[2]])
        assert row["status"] == "complete"
        assert {row[name] for name in ("rtt_ns", "client_rtt_ns", "handshake_ns", "initial_rtt_ns", "syn_ts_ns", "first_ts_ns")} == {None}
        assert row["clock_anomaly"] is False


class TestSeveralPlaces:
    def test_an_interface_for_each_direction(self) -> None:
        """No segment is seen twice, so both interfaces are one view."""
        packets = [dataclasses.replace(packet, interface_id=int(packet.src_port == 80)) for packet in CLOSED]
        row = row_of(packets)
        assert (row["status"], row["rtt_ns"], row["client_rtt_ns"]) == ("complete", 10 * MS, 5 * MS)
        assert (row["interfaces"], row["duplicates"], row["interface_id"]) == (2, 0, 0)

    def test_times_of_the_first_syns_interface(self) -> None:
        """The second tap is nearer to the server and its clock runs ahead."""
        packets = [syn(0), syn_ack(10), ack(15)]
        elsewhere = [
            dataclasses.replace(packet, interface_id=1, ts_ns=packet.ts_ns + shift * MS)
            for packet, shift in zip(packets, (25, 15, 25), strict=True)
        ]
        row = row_of([packets[0], *elsewhere[:2], packets[1], packets[2], elsewhere[2]])
        assert (row["rtt_ns"], row["client_rtt_ns"], row["duplicates"], row["interfaces"]) == (10 * MS, 5 * MS, 3, 2)
        assert row["retransmitted"] is False

    def test_before_and_after_a_router(self) -> None:
        """One interface, two time-to-lives: the second copy is no retransmission."""
        packets = [packet for first in CLOSED[:3] for packet in (first, dataclasses.replace(first, ts_ns=first.ts_ns + 1000, ip_ttl=63))]
        row = row_of(packets)
        assert (row["syn_count"], row["syn_ack_count"], row["duplicates"], row["retransmitted"]) == (1, 1, 3, False)
        assert (row["rtt_ns"], row["client_rtt_ns"]) == (10 * MS, 5 * MS)

    def test_a_retransmission_elsewhere_is_none_after_50_ms(self) -> None:
        packets = [syn(0), dataclasses.replace(syn(51), interface_id=1), syn_ack(60)]
        assert (row_of(packets)["duplicates"], row_of(packets)["syn_count"]) == (0, 2)
        packets[1] = dataclasses.replace(syn(50), interface_id=1)
        assert (row_of(packets)["duplicates"], row_of(packets)["syn_count"]) == (1, 1)

    def test_interfaces_are_counted_once_each(self) -> None:
        packets = [dataclasses.replace(CLOSED[number % 3], interface_id=number % 4) for number in range(12)]
        assert row_of(packets)["interfaces"] == 4


class TestLimits:
    def test_more_syns_than_are_kept(self) -> None:
        packets = [syn(number) for number in range(300)] + [syn_ack(400), syn_ack(401), ack(402)]
        row = row_of(packets)
        assert (row["syn_count"], row["syn_ack_count"], row["retransmitted"]) == (300, 2, True)
        assert converse(packets, [100, 260]).handshakes == [row]

    def test_a_whole_flight_with_one_time(self) -> None:
        """A coarse clock: the initial RTT ends at the first segment with another time, however many come before."""
        packets = [syn(0), syn_ack(0), *(s(0, PSH | ACK, S_ISN + 1 + number, length=1) for number in range(40)), ack(1000)]
        row = row_of(packets)
        assert (row["initial_rtt_ns"], row["client_rtt_ns"], row["status"]) == (1000 * MS, 1000 * MS, "complete")
        assert converse(packets, [20]).handshakes == [row]
