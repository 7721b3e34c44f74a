"""Lines of CSV by the engine are those that Arrow's values give."""

from __future__ import annotations

import csv
import io

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caphouse.queries import csv_lines
from caphouse.queries.engine import connect


def lines(query: str, **params: object) -> list[str] | None:
    with connect() as connection:
        batches = csv_lines.batches(connection.sql(query, params=params or None))
        return None if batches is None else [line for batch in batches for line in batch]


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


def test_other_types_and_equal_names_are_left_to_others() -> None:
    assert lines("select [1] as a") is None
    assert lines("select map {'a': 'b'} as a") is None
    assert lines("select 1 as a, 2 as a") is None


def test_rows_keep_their_order() -> None:
    assert lines("select i from range(300000) as t(i) order by i desc") == [str(number) for number in reversed(range(300_000))]


def test_errors_in_the_midst_of_rows_come_out() -> None:
    with pytest.raises(duckdb.Error, match=r"^Invalid Input Error: broken"):
        lines("select case when i = 250000 then error('broken') else 'x' end as a from range(300000) as t(i)")
