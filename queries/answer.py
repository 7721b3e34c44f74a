"""What an answer is, until somebody reads it: a SELECT."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from . import relations
from .database import arrow_stream, relation, tokenize

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

_KEY = re.compile(r'("(?:[^"]|"")+"|\w+)((?:\s+(?:asc|desc))?(?:\s+nulls\s+(?:first|last))?)', re.IGNORECASE)
_KEYS = re.compile(rf"\s*{_KEY.pattern}(?:\s*,\s*{_KEY.pattern})*\s*", re.IGNORECASE)
"""What may follow ORDER BY: columns, by name or number."""


@dataclass
class Answer:
    """Rows and the order in which they are listed, apart: who writes text makes it faster before rows are in order than after.

    Attributes:
        connection: Where the SELECT means something.
        select: A SELECT of the rows, in any order if `order` says one.
        values: Of the SELECT's parameters.
        order: As after ORDER BY, expressions of the columns; "" for the order in which they come.
        few: Whether the rows are there already, because they are few.
        words: Columns of text that is a word, see `warehouse.schema.Column`.
    """

    connection: DuckDBPyConnection
    select: str
    values: Mapping[str, Any] | None = None
    order: str = ""
    few: bool = False
    words: frozenset[str] = frozenset()

    @cached_property
    def columns(self) -> list[tuple[str, str]]:
        """Names and DuckDB's types.

        Raises:
            duckdb.Error: The SELECT cannot be understood.
        """
        return [(name, kind) for name, kind, *_ in self.connection.execute(f"describe ({self.select})", self.values).fetchall()]

    @property
    def listed(self) -> DuckDBPyRelation:
        """The rows in their order."""
        rows = relation(self.connection, self.select, self.values)
        return rows.order(self.order) if self.order else rows

    def rows_of(self, select: str) -> list[tuple[Any, ...]]:
        """Runs a SELECT that was made of this one, and returns its rows."""
        return self.connection.execute(select, self.values).fetchall()

    def stream_of(self, select: str) -> Any:  # noqa: ANN401 - a capsule, or what gives one
        """Runs a SELECT that was made of this one, and returns its rows as `database.arrow_stream` does."""
        return arrow_stream(self.connection, select, self.values)


def bare(statement: str) -> str:
    """Returns a statement without semicolons and comments at its end, so that it can stand in parentheses."""
    text = statement.encode()
    stop = len(text)
    for place, kind in reversed(tokenize(statement)):
        if kind.name != "comment" and text[place : place + 1] != b";":
            break
        stop = place
    return text[:stop].decode()


def order_apart(select: str) -> tuple[str, list[tuple[str, str]]]:
    """Returns a SELECT without the ORDER BY at its end, and its keys: names or numbers of columns, each with its direction.

    Where it has none, or one of more than columns, all of it is returned, and no keys.
    """
    text = select.encode()
    tokens = tokenize(select)
    ends = [place for place, _ in tokens[1:]] + [len(text)]
    said = [text[place:end].strip().lower() for (place, _), end in zip(tokens, ends, strict=True)]
    starts = [number for number, pair in enumerate(pairwise(said)) if pair == (b"order", b"by")]
    # DISTINCT ON takes the first row in this order.
    if not starts or said[0] not in {b"select", b"from", b"with"} or (b"distinct", b"on") in pairwise(said):
        return select, []
    keys = text[ends[starts[-1] + 1] :].decode()
    # An ORDER BY in parentheses has one after it, which no key has.
    return (text[: tokens[starts[-1]][0]].decode(), _KEY.findall(keys)) if _KEYS.fullmatch(keys) else (select, [])


def order_of(keys: Sequence[tuple[str, str]], columns: Sequence[tuple[str, str]]) -> str | None:
    """Returns keys of `order_apart` in terms of the columns, as `Answer.order`; None where one is no column of theirs."""
    names = {name.lower(): name for name, _ in columns}
    numbers = {str(number): name for number, (name, _) in enumerate(columns, 1)}
    order = []
    for key, direction in keys:
        name = numbers.get(key) if key.isdigit() else names.get(_unquoted(key).lower())
        if name is None:
            return None
        order.append(f"{relations.identifier(name)} {direction}")
    return ", ".join(order)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
