"""Questions to a warehouse in Azure Blob Storage and in S3, on emulators: the same answers as from a local disk."""

from __future__ import annotations

from typing import Any

import duckdb
import hand_made_warehouse
import pytest

import caphouse
from caphouse.queries.engine import Session
from caphouse.queries.opening import open_session
from caphouse.queries.scope import Scope
from caphouse.warehouse.errors import UsageError
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import TABLES

REPORTS = ["rtt-by-server", "protocol-hierarchy", "destinations"]
"""A report for each of the three questions: all of them are made of the same tables, and an emulator is slow."""

SCOPES: list[dict[str, Any]] = [
    {"since": "2026-03-01T10:00:00.5", "until": "2026-03-02T10:00:01"},
    {"host": "web-1"},
    {"deduplicate": True},
]


def rows(relation: duckdb.DuckDBPyRelation) -> list[str]:
    return sorted(map(str, relation.fetchall()))


@pytest.fixture
def remote(place: str) -> Warehouse:
    return hand_made_warehouse.make(place)


def test_reports_and_tables_are_those_of_a_local_warehouse(remote: Warehouse, warehouse: Warehouse) -> None:
    with Session(remote) as there, Session(warehouse) as here:
        for table in TABLES:
            assert rows(there.sql(f"select * from {table.name}")) == rows(here.sql(f"select * from {table.name}")), table.name
        for name in REPORTS:
            assert rows(there.report(name)) == rows(here.report(name)), name
        for scope in SCOPES:
            assert rows(there.report("ports", **scope)) == rows(here.report("ports", **scope)), scope
        assert there.sql("select count(*) from packets").fetchall() == [(27,)]


def test_a_session_sees_a_scope_and_moves_on(remote: Warehouse, place: str) -> None:
    with open_session(place, scope=Scope.of("2026-03-02", None, (), ())) as session:
        assert session.sql("select count(*) from packets").fetchall() == [(4,)]
        session.refresh()
        assert session.connection.execute("select count(*) from packets").fetchall() == [(4,)]
    assert remote.root.file_uri == place


def test_the_sandbox_holds(remote: Warehouse) -> None:
    outside = remote.root.parent.join("secret.csv")
    beside = remote.root.parent.join(f"{remote.root.name}2", "secret.csv")
    inside = remote.root.join("inside.csv")
    for location in (outside, beside, inside):
        with location.open_output() as stream:
            stream.write(b"a\n1\n")
    with caphouse.open(remote.root.uri, sandbox=True) as session:
        assert session.sql("select count(*) from packets").fetchall() == [(27,)]
        assert session.sql(f"select * from read_csv('{inside.file_uri}')").fetchall() == [(1,)]
        for refused in (
            f"select * from read_csv('{outside.file_uri}')",
            f"select * from read_csv('{beside.file_uri}')",
            f"select * from read_csv('{remote.root.file_uri}/../secret.csv')",
            f"select * from read_csv('{remote.root.parent.file_uri}/*.csv')",
            f"select * from glob('{remote.root.parent.file_uri}/*')",
            "select * from read_text('/etc/hostname')",
            "select * from 'https://example.org/x.parquet'",
            f"copy (select 1) to '{inside.file_uri}'",
            "load httpfs",
        ):
            with pytest.raises((duckdb.Error, UsageError)):
                session.sql(refused).fetchall()
    with caphouse.open(remote.root.uri) as session:
        assert session.sql(f"select * from read_csv('{outside.file_uri}')").fetchall() == [(1,)], "a way that the sandbox closes"


def test_a_file_that_is_gone_is_told(remote: Warehouse) -> None:
    with Session(remote) as session:
        for uri in remote.snapshot().uris("packets"):
            remote.root.join("packets", uri.partition("/packets/")[2]).delete()
        with pytest.raises(duckdb.Error, match="packets"):
            session.sql("select count(*), sum(wire_length) from packets").fetchall()


def test_other_storage_than_that_of_the_warehouse_is_refused(remote: Warehouse) -> None:
    other = "s3" if remote.root.scheme == "az" else "az"
    with Session(remote) as session, pytest.raises(duckdb.Error):
        session.sql(f"select * from '{other}://box/x.parquet'")
