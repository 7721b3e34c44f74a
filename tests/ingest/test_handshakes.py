"""Every kind of handshake, whatever the batches; the fast way and the rules agree; and so do SQL and tshark."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_columns import ACK, SYN, Packet, converse
from random_traffic import FLAGS, cuts, tcp_packets
from tcp_vectors import MS, START_NS, VECTORS, Vector, c, s

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
        for cuts in [*((place,) for place in places), *itertools.combinations(places, 2), tuple(places)]:
            assert converse(vector.packets, cuts).handshakes == whole


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


@settings(max_examples=150, deadline=None)
@given(st.data(), client_traffic())
def test_round_trips_as_sql_finds_them(data: st.DataObject, packets: list[Packet]) -> None:
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
    with duckdb.connect() as connection:
        connection.register("packets", packet_rows)
        expected = connection.execute(SQL).fetchall()
    assert [(row["tcp_stream"], row["initial_rtt_ns"], row["rtt_ns"]) for row in result.handshakes] == expected


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(tcp_packets(numbers=(100, 101, 102)), max_size=40))
def test_batches_change_nothing(data: st.DataObject, packets: list[Packet]) -> None:
    placed = [
        dataclasses.replace(packet, interface_id=data.draw(st.integers(0, 1)), ip_ttl=data.draw(st.sampled_from((64, 63))))
        for packet in packets
    ]
    assert converse(placed, data.draw(cuts(len(placed)))).handshakes == converse(placed).handshakes


@settings(max_examples=200, deadline=None)
@given(st.lists(tcp_packets(numbers=(100, 101)), max_size=30))
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
