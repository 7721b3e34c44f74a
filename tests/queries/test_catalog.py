"""Every view and report says what it is, and what it says is true."""

from __future__ import annotations

import re

import duckdb  # noqa: F401 - gives connections their relations
import pytest

from caphouse.queries import catalog
from caphouse.queries.engine import Session
from caphouse.queries.scope import Scope
from caphouse.warehouse.errors import UsageError
from caphouse.warehouse.tables import BY_NAME, TABLES

VIEWS = catalog.view_names()
REPORTS = catalog.report_names()

# The contract: names of views with their first columns, names of reports.
CONTRACT_VIEWS = {
    "protocol_hierarchy": ["capture_id", "path", "depth", "name", "packets", "bytes", "end_packets", "end_bytes"],
    "ipv4_destinations": ["capture_id", "dst_ip", "protocol", "dst_port", "packets", "bytes"],
    "ipv6_destinations": ["capture_id", "dst_ip", "protocol", "dst_port", "packets", "bytes"],
}
CONTRACT_REPORTS = {
    "captures", "rtt", "rtt-by-server", "rtt-over-time", "protocol-hierarchy", "destinations", "ports", "port-callers",
    "endpoints", "conversations", "failed-connections", "unwanted-protocols",
}  # fmt: skip

# What DuckDB has and Spark has not (or means otherwise).
DUCKDB_ONLY = re.compile(
    r"\b(quantile_cont|time_bucket|asof|epoch_us|len\(|pivot|epoch_ns|group by all|order by all|exclude|columns\()", re.IGNORECASE
)


def columns(session: Session, name: str) -> dict[str, str]:
    """Columns and types of a table or view, internal ones too."""
    scope = Scope(since_ns=1) if name == "_traffic_between" else Scope()
    connection = session.scoped([name] if name != "_traffic_between" else ["traffic"], scope)
    found = connection.sql(f"select * from {'traffic' if name == '_traffic_between' else name} limit 0")
    return {column: str(kind) for column, kind in zip(found.columns, found.types, strict=True)}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_documents_exactly_the_columns_it_has(session: Session, name: str) -> None:
    definition = catalog.view(name)
    found = columns(session, name)
    assert [column for column in found if catalog.describe_column(name, column) is None] == []
    assert set(definition.own_columns) <= set(found)
    assert definition.title
    assert len(definition.description) > 40


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_documents_exactly_the_columns_and_parameters_it_has(session: Session, name: str) -> None:
    definition = catalog.report(name)
    relation = session.report(name)
    assert [column for column in relation.columns if definition.column(column) is None] == []
    assert set(definition.own_columns) <= set(relation.columns)
    used = [*re.findall(r"\$(\w+)", definition.sql), *([definition.limit] if definition.limit else [])]
    assert set(used) == {parameter.name for parameter in definition.parameters}
    assert definition.limit not in used[:-1]
    assert not {"since", "until", "host", "capture", "warehouse", "format", "output"} & {
        parameter.name for parameter in definition.parameters
    }
    for parameter in definition.parameters:
        assert parameter.help.endswith(".")
        assert parameter.value(parameter.default) == parameter.default


@pytest.mark.parametrize("name", [f"views/{name}" for name in VIEWS] + [f"reports/{name}" for name in REPORTS])
def test_needs_are_what_the_sql_reads(name: str) -> None:
    folder, _, stem = name.partition("/")
    definition = catalog.view(stem) if folder == "views" else catalog.report(stem)
    read = set(re.findall(r"\b(?:(?<!distinct )from|join) (\w+)", definition.sql))
    named_steps = set(re.findall(r"(?:\bwith |^)(\w+) as (?:(?:not )?materialized )?\(", definition.sql, re.MULTILINE))
    assert read - named_steps == set(definition.needs)


@pytest.mark.parametrize("name", [f"views/{name}" for name in VIEWS] + [f"reports/{name}" for name in REPORTS])
def test_sums_are_bigint_and_fractions_double(session: Session, name: str) -> None:
    """HUGEINT and DECIMAL become something else in Parquet and in other tools."""
    folder, _, stem = name.partition("/")
    kinds = set(columns(session, stem).values()) if folder == "views" else {str(kind) for kind in session.report(stem).types}
    assert not [kind for kind in kinds if kind == "HUGEINT" or kind.startswith("DECIMAL")]


@pytest.mark.parametrize("name", list(VIEWS))
def test_views_avoid_what_other_engines_lack(name: str) -> None:
    assert DUCKDB_ONLY.findall(catalog.view(name).sql) == []


@pytest.mark.parametrize("name", REPORTS)
def test_reports_read_only_what_honours_a_time_range(name: str) -> None:
    """`flows` keeps whole counters under a time range; a report must count `traffic`."""
    assert "flows" not in catalog.report(name).needs
    assert catalog.report(name).order


@pytest.mark.parametrize("name", REPORTS)
def test_layouts_name_columns_of_the_report(session: Session, name: str) -> None:
    definition = catalog.report(name)
    named = [definition.layout.get(key) for key in ("path", "name", "order")] + [
        *definition.layout.get("by", ()),
        *definition.layout.get("hide", ()),
    ]
    named += [definition.chart.get(key) for key in ("x", "y")]
    assert {column for column in named if column} <= set(session.report(name).columns)
    assert definition.layout.get("kind", "table") in {"table", "tree", "groups"}


def test_the_contract_is_kept(session: Session) -> None:
    for name, expected in CONTRACT_VIEWS.items():
        assert list(columns(session, name))[: len(expected)] == expected
    assert {"rtt_ms", "client_rtt_ms", "initial_rtt_ms", "host", "capture_first_ts"} <= set(columns(session, "tcp_rtt"))
    assert set(REPORTS) >= CONTRACT_REPORTS


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_a_table_is_a_view_with_the_declared_columns_and_types(session: Session, table: object) -> None:
    declared = BY_NAME[getattr(table, "name")]  # noqa: B009 - typed as object by pytest
    found = columns(session, declared.name)
    expected = {column.name: column.type.value for column in declared.columns}
    if declared.name != "captures":
        expected = {"capture_id": "VARCHAR", **expected}
    assert found == expected
    assert list(found) == list(expected)


def test_an_unknown_report_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match="rtt-by-server"):
        catalog.report("rttt")


def test_comments_reach_the_catalog_of_the_engine(session: Session) -> None:
    query = "select comment from duckdb_columns() where table_name = 'packets' and column_name = 'wire_length'"
    assert session.sql(query).fetchall() == [("Bytes of the packet on the wire. [bytes]",)]
    missing = "select table_name, column_name from duckdb_columns() where not internal and comment is null"
    assert session.sql(missing).fetchall() == []
