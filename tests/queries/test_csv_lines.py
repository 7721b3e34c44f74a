"""Lines of CSV by the engine are those that Arrow's values give."""

from __future__ import annotations

import csv
import io
import math

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caphouse.queries import csv_lines
from caphouse.queries.answer import Answer
from caphouse.queries.database import connect


def lines(query: str, **params: object) -> list[str] | None:
    with connect() as connection:
        blocks = csv_lines.blocks(Answer(connection, query, params or None))
        return None if blocks is None else [line for block in blocks for line in block.lines()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))), min_size=2, max_size=4))
def test_text_is_read_back_by_any_reader(values: list[str | None]) -> None:
    names = [f"v{number}" for number in range(len(values))]
    found = lines(f"select {', '.join(f'${name}::varchar as {name}' for name in names)}", **dict(zip(names, values, strict=True)))
    assert found is not None
    [row] = csv.reader(io.StringIO("\n".join(found), newline=""), strict=True)
    assert row == [value or "" for value in values]


def test_missing_and_empty_text_differ() -> None:
    assert lines("select null::varchar as a, '' as b, ' x' as c, 'a\"b' as d, 'e,f' as e") == [',"",' + '" x","a""b","e,f"']
    assert lines("select null::varchar as alone union all select 'x'") == ['""', "x"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("true", "true"),
        ("(-9223372036854775807 - 1)::bigint", "-9223372036854775808"),
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("0.064::double", "0.064"),
        ("100000.0::double", "100000"),
        ("1e-7::double", "1e-07"),
        ("0.1::double + 0.2::double", "0.30000000000000004"),
        ("date '2026-04-15'", "2026-04-15"),
        ("make_timestamp(1776211200000001)", "2026-04-15T00:00:00.000001Z"),
    ],
)
def test_values_keep_all_their_digits(value: str, text: str) -> None:
    assert lines(f"select {value} as a, 1 as b") == [f"{text},1"]


@settings(deadline=None)
@given(st.floats() | st.floats(-1e15, 1e15) | st.integers(-(10**18), 10**18).map(lambda number: number / 1e6))
@example(1e-4)
@example(9.5e-5)
@example(999_999_999_999_999.9)
@example(1e15)
@example(-0.0)
def test_doubles_are_written_as_duckdb_casts_them(value: float) -> None:
    """Without the zero that makes whole ones look like fractions; which digits those are, DuckDB itself says."""
    with connect() as connection:
        [(cast,)] = connection.execute("select cast($1::double as varchar)", [value]).fetchall()
    assert lines("select $value::double as a, 1 as b", value=value) == [f"{cast.removesuffix('.0')},1"]
    assert math.isnan(value) or float(cast) == value


def test_few_rows_are_written_as_many_are() -> None:
    with connect() as connection:
        rows = "select i as a, case when i % 3 = 0 then 'é,' || i when i % 3 = 1 then null else 'w' end as b from range(50) as t(i)"
        many, few = (csv_lines.blocks(Answer(connection, rows, few=few)) for few in (False, True))
        assert many is not None
        assert few is not None
        texts, lines = zip(*((bytes(block.text), list(block.lines())) for block in [*many, *few]), strict=True)
    assert texts[0] == texts[1]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 50


def test_no_rows_are_no_lines() -> None:
    with connect() as connection:
        found = csv_lines.blocks(Answer(connection, "select 1 as a, 2 as b where false", few=True))
        assert found is not None
        assert b"".join(block.text for block in found) == b""


def test_words_are_written_as_they_are() -> None:
    with connect() as connection:
        rows = "select '10.0.0.1' as a, null::varchar as b, 'x,y' as c"
        found = csv_lines.blocks(Answer(connection, rows, words=frozenset({"a", "b"})))
        assert found is not None
        assert [line for block in found for line in block.lines()] == ['10.0.0.1,,"x,y"']


def test_other_types_and_equal_names_are_left_to_others() -> None:
    assert lines("select [1] as a") is None
    assert lines("select map {'a': 'b'} as a") is None
    assert lines("select 1 as a, 2 as a") is None


def test_rows_keep_their_order() -> None:
    assert lines("select i from range(300000) as t(i) order by i desc") == [str(number) for number in reversed(range(300_000))]


def test_errors_in_the_midst_of_rows_come_out() -> None:
    with pytest.raises(duckdb.Error, match=r"^Invalid Input Error: broken"):
        lines("select case when i = 250000 then error('broken') else 'x' end as a from range(300000) as t(i)")


@pytest.mark.parametrize("name", ["key", "line of csv", "LINE of CSV"])
def test_text_made_before_rows_are_in_order_is_the_same(name: str) -> None:
    with connect() as connection:
        rows = f"select i, i * 7919 % 1009 as \"{name}\", 'a,' || i as text from range(10000) as t(i)"
        found = csv_lines.blocks(Answer(connection, rows, order=f'"{name}" desc, text asc'))
        assert found is not None
        made = [line for block in found for line in block.lines()]
    expected = sorted(((i, i * 7919 % 1009, f"a,{i}") for i in range(10_000)), key=lambda row: (-row[1], row[2]))
    assert made == [f'{i},{key},"{text}"' for i, key, text in expected]


@pytest.mark.parametrize("setting", ["arrow_large_buffer_size", "produce_arrow_string_view"])
def test_settings_of_arrow_change_no_line(setting: str) -> None:
    """Statements before the last one of `caphouse sql` may set them."""
    with connect() as connection:
        connection.execute(f"set {setting} = true")
        text = "a text that is longer than twelve characters"
        found = csv_lines.blocks(Answer(connection, f"select i as a, '{text}' as b from range(5000) as t(i)"))
        assert found is not None
        assert [line for block in found for line in block.lines()] == [f"{i},{text}" for i in range(5000)]


def test_a_block_holds_its_lines_and_no_more() -> None:
    with connect() as connection:
        found = csv_lines.blocks(Answer(connection, "select i as a, 'x\ny' as b from range(300000) as t(i)"))
        assert found is not None
        assert b"".join(block.text for block in found) == b"".join(b'%d,"x\ny"\n' % i for i in range(300_000))
