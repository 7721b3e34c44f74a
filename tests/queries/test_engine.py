"""What the engine promises beside the numbers: snapshots, hardening, the sandbox, an empty warehouse."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import hand_made_warehouse
import pyarrow.parquet as pq
import pytest

import caphouse
from caphouse.ingest import pipeline
from caphouse.queries import catalog, csv_lines, definitions, reference
from caphouse.queries.engine import Session
from caphouse.queries.scope import Scope
from caphouse.warehouse.errors import UsageError, WarehouseNotFound
from caphouse.warehouse.snapshot import Snapshot
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import TABLES


def test_an_empty_warehouse_answers_with_no_rows(tmp_path: Path) -> None:
    with Session(Warehouse.create(tmp_path / "new")) as session:
        for name in catalog.public_names():
            assert session.sql(f"select * from {name}").fetchall() == []
        for name in catalog.report_names():
            assert session.report(name).fetchall() == []
            assert session.report(name, since="2026-01-01T00:00:01", until="2026-01-02").fetchall() == []


def test_a_name_asked_for_alone_holds_the_same_rows(warehouse: Warehouse) -> None:
    """What it reads is inside it then, instead of beside it."""
    with Session(warehouse) as full:
        for name in catalog.public_names():
            query = f"select * from {name} order by all"
            with Session(warehouse) as own:
                alone = own.sql(query).fetchall()
                beside = own.connection.execute(query).fetchall()
            assert alone == beside == full.connection.execute(query).fetchall(), name
        assert full.sql("select count(*) from tcp_rtt").fetchall() != [(0,)]


@pytest.mark.parametrize("small_rows", [0, 1 << 40])
def test_a_report_says_the_same_however_large_the_files_are(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, small_rows: int) -> None:
    """Large files are read by each step for itself, small ones as DuckDB likes."""
    with Session(warehouse) as session:
        before = {name: session.report(name).fetchall() for name in catalog.report_names()}
        monkeypatch.setattr(definitions, "_SMALL_ROWS", small_rows)
        made = definitions.Definitions(session._database.cursor(), warehouse.snapshot(), definitions.EVERYTHING, temporary=True)
        text = made.around(catalog.report("destinations").sql, catalog.report("destinations").needs)
        assert ("flows as not materialized" in text) == (small_rows == 0)
        assert {name: session.report(name).fetchall() for name in catalog.report_names()} == before
    assert any(before.values())


SCOPES: list[dict[str, Any]] = [{}, {"since": "2026-03-01T10:00:30", "until": "2026-03-02T11"}, {"deduplicate": True}]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_report_says_the_same_with_columns_that_nothing_names(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any]
) -> None:
    """Tables without the columns that no step names give what those with all columns give."""
    with Session(warehouse) as session:
        few = {name: session.report(name, **scope).fetchall() for name in catalog.report_names()}
        made = definitions.Definitions(session._database.cursor(), warehouse.snapshot(), definitions.EVERYTHING, temporary=True)
        ports = catalog.report("ports")
        assert "tunnel_client_ip" not in made.around("select server_port from flows", ["flows"])
        narrow = made.around(ports.sql, ports.needs)
        monkeypatch.setattr(definitions, "_whole", lambda views, _: set(views))
        assert len(made.around(ports.sql, ports.needs)) > len(narrow)
        assert {name: session.report(name, **scope).fetchall() for name in catalog.report_names()} == few
    assert any(few.values())


@pytest.mark.parametrize("scope", SCOPES)
def test_the_logs_that_a_report_needs_are_known_before_it_runs(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any]
) -> None:
    """They are read while DuckDB is loaded: none is left for later, and none is read for nothing."""
    bounds = replace(Scope.of(scope.get("since"), scope.get("until"), (), ()), deduplicate=bool(scope.get("deduplicate")))
    for name in catalog.report_names():
        asked: set[str] = set()
        snapshot = warehouse.snapshot()
        uris = type(snapshot).uris

        def recorded(self: Snapshot, table: str, asked: set[str] = asked, uris: Any = uris, **options: Any) -> Any:
            asked.add(table)
            return uris(self, table, **options)

        with monkeypatch.context() as patched, Session(warehouse) as session:
            patched.setattr(type(snapshot), "uris", recorded)
            session.report(name, **scope).fetchall()
        known = set(definitions.tables(catalog.report(name).needs, bounds))
        assert asked - {"captures"} == known, name


def test_a_macro_is_there_when_it_is_named(warehouse: Warehouse) -> None:
    for query in (
        "select Community_ID(6, '10.0.0.1', 1, '10.0.0.2', 2)",
        "select max(community_id) from flows",
        "select _ipv4_hex('1.2.3.4')",
    ):
        with Session(warehouse) as session:
            assert session.sql(query).fetchall()[0][0]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse.create(tmp_path_factory.mktemp("samples") / "warehouse")
    pipeline.ingest(warehouse, [str(Path(__file__).parents[2] / "samples")])
    with Session(warehouse) as session:
        yield session


@pytest.mark.parametrize(("table", "column"), [(table.name, column.name) for table in TABLES for column in table.columns if column.word])
def test_text_that_is_a_word_needs_no_quotes(samples: Session, table: str, column: str) -> None:
    found = samples.sql(f"select {column} from {table} where {column} is not null").fetchall()
    assert found, "no sample has any"
    assert [text for (text,) in found if not re.fullmatch(r"[0-9A-Za-z.:-]+", text)] == []


@pytest.mark.parametrize(("host", "unquoted"), [("web-1.example", {"host"}), ("web, the first", set()), ("", set())])
def test_hosts_are_words_if_all_of_them_are(tmp_path: Path, host: str, unquoted: set[str]) -> None:
    """A host is whatever the user calls it."""
    capture, *_ = hand_made_warehouse.CAPTURES
    rows = {"handshakes": hand_made_warehouse.HANDSHAKES}
    with Session(hand_made_warehouse.make_warehouse(tmp_path / "w", [{**capture, "host": host}], rows)) as session:
        answer = session.answer("rtt", definitions.EVERYTHING, {})
        assert answer.words == {"client_ip", "server_ip", "status", "capture_id", *unquoted}
        lines = [line for block in csv_lines.blocks(answer) or () for line in block.lines()]
        assert lines
        assert {row[1] for row in csv.reader(lines)} == {host}


def test_a_session_stays_with_its_snapshot_until_told(tmp_path: Path) -> None:
    first, second, _ = hand_made_warehouse.CAPTURES
    warehouse = hand_made_warehouse.make_warehouse(tmp_path / "w", [first], {})
    with Session(warehouse) as session:
        assert session.sql("select count(*) from captures").fetchall() == [(1,)]
        hand_made_warehouse.make_warehouse(tmp_path / "w", [second], {})
        assert session.sql("select count(*) from captures").fetchall() == [(1,)]
        assert len(session.report("captures").fetchall()) == 1
        session.refresh()
        assert session.sql("select count(*) from captures").fetchall() == [(2,)]


def test_reports_open_only_files_of_the_scope(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    snapshot = warehouse.snapshot()
    uris = type(snapshot).uris

    def recorded(self: object, *arguments: object, **options: object) -> list[str]:
        found = uris(self, *arguments, **options)  # type: ignore[arg-type]  # passed on as they come
        asked.extend(found)
        return found

    monkeypatch.setattr(type(snapshot), "uris", recorded)
    with Session(warehouse) as session:
        session.report("protocol-hierarchy", since="2026-03-02").fetchall()
        assert asked
        assert all("date=2026-03-02" in uri or "/captures/" in uri for uri in asked)
        asked.clear()
        session.report("protocol-hierarchy", since="2026-03-01T10:00", until="2026-03-02T11:00").fetchall()
        assert not [uri for uri in asked if "/packets/" in uri]


def test_parameters_are_bound(session: Session) -> None:
    assert session.sql("select $a || 'x' as a", a="'; drop table captures; --").fetchall() == [("'; drop table captures; --x",)]
    with pytest.raises(UsageError):
        session.sql(" -- nothing\n")


def test_several_statements_give_the_rows_of_the_last(session: Session) -> None:
    assert session.sql("create temp table mine as select 42 as answer; select answer from mine").fetchall() == [(42,)]
    assert session.sql("drop table mine").fetchall() == []


def test_the_engine_fetches_nothing_and_sees_no_python_variable(session: Session) -> None:
    import pyarrow as pa

    mine = pa.table({"a": [1]})
    assert mine.num_rows == 1
    with pytest.raises(duckdb.CatalogException):
        session.sql("select * from mine")
    settings = dict(
        session.sql(
            "select name, value from duckdb_settings() where name in ('autoload_known_extensions', 'autoinstall_known_extensions')"
        ).fetchall()
    )
    assert set(settings.values()) == {"false"}


@pytest.fixture
def sandbox(warehouse: Warehouse) -> Iterator[Session]:
    with caphouse.open(warehouse.root.uri, sandbox=True) as session:
        yield session


def test_the_sandbox_still_answers(sandbox: Session) -> None:
    assert sandbox.sql("select count(*) from packets").fetchall() == [(27,)]
    assert sandbox.sql("describe packets").fetchall()
    assert sandbox.report("ports").fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_text('/etc/hostname')",
        "select * from read_csv('{outside}')",
        "select * from read_csv('{warehouse}/../secret.csv')",
        "select * from glob('/*')",
        "select * from 'https://example.org/x.parquet'",
        "copy (select 1) to '{outside}.out'",
        "copy (select 1) to '{warehouse}/x.csv'",
        "attach '{outside}.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "create table t as select 1",
        "explain analyze copy (select 1) to '{warehouse}/x.csv'",
        "select 1; copy (select 1) to '{warehouse}/x.csv'",
    ],
)
def test_the_sandbox_refuses_files_and_network_outside_the_warehouse(sandbox: Session, warehouse: Warehouse, query: str) -> None:
    root = Path(warehouse.root.uri)
    outside = root.parent / "secret.csv"
    outside.write_text("a\n1\n")
    before = sorted(root.parent.rglob("*"))
    with pytest.raises((duckdb.Error, UsageError)):
        sandbox.sql(query.format(outside=outside, warehouse=root)).fetchall()
    assert sorted(root.parent.rglob("*")) == before


def test_there_must_be_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(WarehouseNotFound):
        caphouse.open(tmp_path / "none")


def test_the_reference_names_every_table_view_and_report() -> None:
    text = reference.markdown()
    for name in [*catalog.public_names(), *catalog.report_names()]:
        assert f"`{name}`" in text
    with pytest.raises(UsageError, match="packets"):
        reference.columns("packet")


def test_files_from_before_a_column_was_declared_have_null_there(tmp_path: Path) -> None:
    warehouse = hand_made_warehouse.make(tmp_path / "w")
    for table, column in (("flows", "application_source"), ("captures", "comment")):
        for number, uri in enumerate(sorted(warehouse.snapshot().uris(table))):
            if number == 0:
                file = Path(uri)
                rows = pq.ParquetFile(file).read()
                pq.write_table(rows.drop_columns([column]), file)
    with Session(warehouse) as session:
        assert session.sql("select count(*) from flows").fetchall() == [(len(hand_made_warehouse.FLOWS) - 1,)]
        assert session.sql("select count(*), count(comment) from captures").fetchall() == [(3, 0)]
        assert len(session.report("unwanted-protocols", protocols="http").fetchall()) > 0


def test_what_does_not_fit_into_memory_is_private_and_does_not_stay(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Session(warehouse) as session:
        session.sql("set memory_limit = '80MB'; set threads = 1; set preserve_insertion_order = false; select 1")
        rows = session.sql("select hash(i) as h, concat(repeat('x', 50), i) as t from range(2000000) as r(i) order by h").to_arrow_reader(
            10_000
        )
        assert next(iter(rows)).num_rows
        [folder] = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert list(folder.iterdir()), "nothing was too large"
        del rows
    assert list(tmp_path.iterdir()) == []
