"""Statements taken apart, and answers that are not made before somebody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest

from caphouse.queries import catalog
from caphouse.queries.answer import Answer, bare, order_apart, order_of
from caphouse.queries.database import arrow_stream, connect
from caphouse.queries.engine import Session
from caphouse.queries.reading import names_its_columns
from caphouse.warehouse.store import Warehouse


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select 1", "select 1"),
        ("select 1 ; -- done; really\n", "select 1 "),
        ("select ';' /* ; */ ; ;", "select ';' "),
        ("select 'é;' as \"ü\" -- é", "select 'é;' as \"ü\" "),
        ("select 1 -- a\n + 2", "select 1 -- a\n + 2"),
    ],
)
def test_a_statement_loses_what_cannot_stand_in_parentheses(statement: str, expected: str) -> None:
    assert bare(statement) == expected
    with connect() as connection:
        assert connection.execute(f"select * from ({bare(statement)})").fetchall() == connection.execute(statement).fetchall()


_ROWS = "(values (3, 'é', null), (1, 'b', 2.5), (2, 'a', 0.5), (1, 'a', 7)) as t(i, text, x)"


@pytest.mark.parametrize(
    ("select", "order"),
    [
        (f"select * from {_ROWS} order by i, text", '"i" , "text" '),
        (f'from {_ROWS} ORDER  BY 1 desc, "text" ASC', '"i"  desc, "text"  ASC'),
        (f'select i as "a""b", x, text from {_ROWS} order by X nulls first, "a""b", 3', '"x"  nulls first, "a""b" , "text" '),
        (f"with o as (select * from {_ROWS} order by x) select i as day, text from o order by day desc nulls last, text",
         '"day"  desc nulls last, "text" '),
        (f"select i, text from {_ROWS} union all select 5, 'é order by' order by text, i", '"text" , "i" '),
        (f"select i + 1 as i, text, x from {_ROWS} order by i, text", '"i" , "text" '),
    ],
)  # fmt: skip
def test_an_order_by_columns_is_told_from_the_rows(select: str, order: str) -> None:
    """DuckDB itself says what the statement means."""
    rows, keys = order_apart(select)
    assert rows != select
    with connect() as connection:
        answer = Answer(connection, rows)
        assert order_of(keys, answer.columns) == order
        again = connection.execute(f"select * from ({rows}) order by {order}").fetchall()
        assert again == connection.execute(select).fetchall()
        assert again != connection.execute(rows).fetchall()


@pytest.mark.parametrize(
    "select",
    [
        f"select * from {_ROWS}",
        f"select * from {_ROWS} order by i + 1",
        f"select * from {_ROWS} order by t.i",
        f"select * from {_ROWS} order by i limit 2",
        f"select * from {_ROWS} order by i -- , text",
        f"select distinct on (i) i, x from {_ROWS} order by i, x",
        f"select i, row_number() over (order by i) from {_ROWS}",
        f"select string_agg(text order by i) from {_ROWS}",
        f'select text as "order by i" from {_ROWS}',
        f"select ' order by i' from {_ROWS}",
        f"summarize select x from {_ROWS} order by 1",
    ],
)  # fmt: skip
def test_any_other_order_stays(select: str) -> None:
    assert order_apart(select) == (select, [])


@pytest.mark.parametrize("key", ["y", "0", "3", "all"])
def test_an_order_by_what_is_no_column_of_the_rows_is_not_told(key: str) -> None:
    rows, keys = order_apart(f"select i, x from t order by i, {key}")
    assert rows == "select i, x from t "
    assert order_of(keys, [("i", "INTEGER"), ("x", "DOUBLE")]) is None


QUERIES: Mapping[str, Mapping[str, str]] = {
    "select * from packets order by all": {},
    "SELECT SERVER_IP, count(*) as N FROM TCP_RTT group by 1 ORDER BY n desc, 1;  -- the most": {},
    "select * from interfaces, captures where interfaces.ingest_id = captures.ingest_id order by all": {},
    "with flows as (select 1 as one) select * from flows": {},
    "with packets as (select * from packets where frame_number < 3) select * from packets order by all": {},
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 4) select n, file_name from t, captures order by all": {},
    "select count(*) as n, $wanted as wanted from main.packets": {"wanted": "x"},
    "select $wanted as a, file_name from captures order by file_name": {"wanted": "é"},
    "from captures select distinct on (host) host, file_name order by host, file_name desc": {},
    "select p from packets p order by p.ingest_id, p.frame_number": {},
    "select a.frame_number, b.frame_number from packets a join packets b using (ingest_id) order by all": {},
    "select count(*) from captures": {},
    "select count(*) from packets": {},
    'select Wire_Length, "ts", captures.host from packets join captures using (ingest_id) order by 3, 2, packets.Frame_Number': {},
    "select rtt_ms, p.host from tcp_rtt p where exists (from flows f where f.client_ip = p.client_ip) order by 1, 2, syn_frame": {},
    "select dst_ip, count(*) from packets p where exists (select 1 from flows f where f.flow_id = p.flow_id) group by all order by 1": {},
    "select Packets from packets order by packets.ingest_id, packets.frame_number": {},
    "select cast(f as varchar) as text from (select * exclude (ingest_id) from flows) as f order by text": {},
    "select x.a, x.c from handshakes as x(a, b, c) order by x.a, x.c": {},
    "with f as (select count(t) as n, t.host from captures t group by t.host) select n, host from f order by host": {},
    "select s.address from (select h.client_ip as address, h as whole from handshakes h) s order by s.address": {},
    "select #3 from interfaces order by 1": {},
    "select host, name from captures natural join interfaces order by host, name": {},
    "select columns('.*_id') from interfaces order by 1, 2": {},
    "select packets, captured_bytes from captures order by packets, captured_bytes": {},
    "select format from (pivot (select host, format, packets from captures) on host using sum(packets)) order by 1": {},
    "create or replace temp table mine as select frame_number from packets; select * from mine order by 1 desc": {},
    "show tables": {},
    "describe packets": {},
    "summarize select frame_number from packets": {},
    "explain select 1": {},
    "create or replace temp table other as select 1": {},
    "select column_name from information_schema.columns where table_name = 'packets' order by 1": {},
}


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_read_later_is_what_is_read_at_once(warehouse: Warehouse, query: str) -> None:
    params = QUERIES[query]
    with Session(warehouse) as one, Session(warehouse) as another:
        asked = one.ask(query, params)
        found = asked.listed if isinstance(asked, Answer) else asked
        expected = another.sql(query, **params)
        assert found.columns == expected.columns
        assert found.types == expected.types
        assert found.fetchall() == expected.fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "select * from flows",
        "from flows",
        "select f.*, 1 from flows f",
        "select columns('a.*') from flows",
        "select flow_id from flows order by all",
        "select #1 from flows",
        "select F from flows as f",
        "select main.flows from main.flows",
        "select a from flows as f(a, b)",
        "select flow_id from flows natural join packets",
        "select flow_id from (summarize flows)",
        "pivot flows on ip_version using sum(flow_id)",
        "from flows pivot (sum(flow_id) for ip_version in (4)) select stream",
        "select flow_id from (describe flows)",
        "with x as (select flow_id from flows where exists (select * from captures)) select flow_id from x",
        "insert into flows values (1)",
    ],
)
def test_what_may_read_columns_that_it_does_not_name_has_all(query: str) -> None:
    with connect() as connection:
        assert not names_its_columns(connection, query)


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from flows",
        'select 2 * f.Flow_ID + max("Stream") as x from flows as f group by all order by x',
        "with x as (select server_ip, first_ts from flows) select first_ts from x join y using (port)",
        "select list_transform([a], lambda b: b + c), (select d from e where f = $g) from h limit i",
        "select a['b'], c.d, {'x': e} from f where (g, h) in (select i, j from k) qualify row_number() over (order by l) = 1",
        "select case when a then b end, c between d and e, f in (g, h), i::int, j[k:l] from m union select n from o",
    ],
)
def test_any_other_select_names_its_columns(query: str) -> None:
    with connect() as connection:
        assert names_its_columns(connection, query)


def test_a_select_gets_no_column_that_nothing_names(warehouse: Warehouse) -> None:
    """So that DuckDB need not look at it; through a view that passes all on as well."""
    with Session(warehouse) as session:
        for name in ("handshakes", "tcp_rtt"):
            few, all_there_are = session.ask(f"select Server_IP from {name}", {}), session.ask(f"select * from {name}", {})
            assert isinstance(few, Answer)
            assert isinstance(all_there_are, Answer)
            assert "server_ip" in few.select
            assert "server_mss" not in few.select
            assert "server_mss" in all_there_are.select
        none = session.ask("select count(*) from captures", {})
        assert isinstance(none, Answer)
        assert "read_parquet" in none.select


def test_every_name_is_read_later_as_at_once(warehouse: Warehouse) -> None:
    with Session(warehouse) as one, Session(warehouse) as another:
        for name in catalog.public_names():
            query = f"select * from {name} order by all"
            asked = one.ask(query, {})
            assert isinstance(asked, Answer), name
            assert asked.listed.fetchall() == another.sql(query).fetchall(), name


def test_every_name_is_read_by_its_columns_as_whole(warehouse: Warehouse) -> None:
    """What it reads has fewer columns then: those that somebody names."""
    with Session(warehouse) as one, Session(warehouse) as another:
        for name in catalog.public_names():
            columns = another.sql(f"select * from {name} limit 0").columns
            for chosen in (columns, columns[::2], columns[1::2]):
                query = f"select {', '.join(chosen)} from {name} order by {', '.join(map(str, range(1, len(chosen) + 1)))}"
                asked = one.ask(query, {})
                assert isinstance(asked, Answer), name
                assert "read_parquet" in asked.select, name  # not by views after all, because that could not be understood
                assert asked.listed.fetchall() == another.sql(query).fetchall(), name


@pytest.mark.parametrize(
    "query",
    [
        "select\n nonsense from packets",
        "select * from nowhere",
        "select $x",
        "select 1 from",
        "create table captures as select 1; select x",
    ],
)
def test_what_cannot_be_understood_is_said_of_the_query_as_it_stands(warehouse: Warehouse, query: str) -> None:
    said: list[tuple[type, str]] = []
    for session in (Session(warehouse), Session(warehouse)):
        with session, pytest.raises(duckdb.Error) as error:
            session.sql(query) if said else session.ask(query, {})
        said.append((type(error.value), str(error.value)))
    assert said[0] == said[1]


class _Other:
    """A connection of a release that submits statements in another way."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, kind: str) -> None:
        self._connection = connection
        if kind != "none":
            self._submit = (lambda _: None) if kind == "fewer" else (lambda *_: None)

    def sql(self, query: str, **options: Any) -> duckdb.DuckDBPyRelation:
        return self._connection.sql(query, **options)


@pytest.mark.parametrize("kind", ["none", "fewer", "without a capsule"])
def test_rows_come_from_any_release_of_duckdb(kind: str) -> None:
    with connect() as connection:
        stream = arrow_stream(_Other(connection, kind), "select $a as a", {"a": "x"})  # type: ignore[arg-type]
        assert stream.fetchall() == [("x",)]
        with pytest.raises(AttributeError):
            arrow_stream(connection, "select $a as a", {"a": "x"}).fetchall()
