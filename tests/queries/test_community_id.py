"""Community ID v1 against the published vectors and against an independent computation."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import struct
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caphouse.queries.database import connect
from caphouse.queries.definitions import MACROS
from caphouse.queries.engine import Session


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        opened.execute(MACROS.read_text())
        yield opened


def in_sql(connection: duckdb.DuckDBPyConnection, protocol: int, a: str, a_port: int | None, b: str, b_port: int | None) -> str | None:
    query = "select community_id($1::smallint, $2::varchar, $3::integer, $4::varchar, $5::integer)"
    value = connection.execute(query, [protocol, a, a_port, b, b_port]).fetchall()[0][0]
    return None if value is None else str(value)


# From the baseline of the specification (corelight/community-id-spec, baseline_deflt.json).
PUBLISHED = [
    (6, "2001:470:e5bf:dead:4957:2174:e82c:4887", 63943, "2607:f8b0:400c:c03::1a", 25, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="),
    (132, "192.168.170.8", 7, "192.168.170.56", 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
    (6, "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (17, "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (46, "10.1.12.1", None, "10.1.12.2", None, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
]


@pytest.mark.parametrize(("protocol", "a", "a_port", "b", "b_port", "expected"), PUBLISHED)
def test_published_vectors_in_both_directions(
    connection: duckdb.DuckDBPyConnection, protocol: int, a: str, a_port: int | None, b: str, b_port: int | None, expected: str
) -> None:
    assert in_sql(connection, protocol, a, a_port, b, b_port) == expected
    assert in_sql(connection, protocol, b, b_port, a, a_port) == expected


def by_hand(protocol: int, a: str, a_port: int, b: str, b_port: int) -> str:
    ends = sorted([(ipaddress.ip_address(a).packed, a_port), (ipaddress.ip_address(b).packed, b_port)])
    hashed = struct.pack("!H", 0) + ends[0][0] + ends[1][0] + struct.pack("!BBHH", protocol, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(hashed, usedforsecurity=False).digest()).decode()


ports = st.integers(0, 65535)
v6 = st.one_of(
    st.ip_addresses(v=6),
    # Runs of zeros in all places, which the text form shortens.
    st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF]), min_size=8, max_size=8).map(
        lambda groups: ipaddress.IPv6Address(struct.pack("!8H", *groups))
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(v6, v6)), ports, ports, st.sampled_from([6, 17, 132]))
def test_any_addresses(
    connection: duckdb.DuckDBPyConnection,
    ends: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address],
    a_port: int,
    b_port: int,
    protocol: int,
) -> None:
    a, b = str(ends[0]), str(ends[1])
    assert in_sql(connection, protocol, a, a_port, b, b_port) == by_hand(protocol, a, a_port, b, b_port)


def test_a_dotted_end_is_an_ipv6_address(connection: duckdb.DuckDBPyConnection) -> None:
    assert in_sql(connection, 6, "::ffff:192.0.2.1", 1, "::ffff:c000:202", 2) == by_hand(6, "::ffff:192.0.2.1", 1, "::ffff:192.0.2.2", 2)


def test_what_cannot_be_computed_is_null(connection: duckdb.DuckDBPyConnection) -> None:
    assert in_sql(connection, 6, "10.0.0.1", None, "10.0.0.2", None) is None
    assert in_sql(connection, 1, "10.0.0.1", None, "10.0.0.2", None) is None


def test_flows_carry_it(session: Session) -> None:
    found = session.sql("select community_id from flows where capture_id like 'a%' order by flow_id").fetchall()
    expected = [by_hand(6, "10.0.0.1", 40000, "10.0.0.2", 80), by_hand(17, "10.0.0.1", 5353, "10.0.0.3", 53), None, None, None]
    assert [value for (value,) in found] == expected
