"""Uses of caphouse that a type checker must accept, with the types that it must find. Checked, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from duckdb import DuckDBPyConnection, DuckDBPyRelation

import caphouse
from caphouse.ingest import pipeline
from caphouse.queries.engine import Session
from caphouse.warehouse.errors import CaphouseError
from caphouse.warehouse.store import Warehouse


def ask(place: str | Path) -> None:
    with caphouse.open(place, sandbox=True) as session:
        assert_type(session, Session)
        assert_type(session.sql("select * from tcp_rtt where rtt_ms > $least", least=100), DuckDBPyRelation)
        assert_type(session.report("destinations", since="2026-05-01", host="web01", top=5), DuckDBPyRelation)
        assert_type(session.connection, DuckDBPyConnection)


def ingest(place: Path, *captures: str) -> int:
    try:
        warehouse = Warehouse.open_or_create(place)
    except CaphouseError as error:
        assert_type(str(error), str)
        return 0
    report = pipeline.ingest(warehouse, captures, host="web01", tags={"ticket": "4711"})
    assert_type(report, pipeline.IngestReport)
    return sum(result.packets for result in report.results if not result.already_present)
