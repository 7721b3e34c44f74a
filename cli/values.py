"""Arrow values as text and as JSON, without loss."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_SIGNIFICANT_DIGITS = 15
"""Decimals of so many digits survive the way through a JSON number."""

_CAST_TO_TEXT = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_date)
"""Types whose cast to text loses nothing."""


def text(column: pa.Array) -> pa.Array:
    """Returns the values as text: instants in ISO 8601 with all digits of their unit, nested ones as JSON, bytes in hex."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return text(column.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        utc = column.cast(pa.timestamp(kind.unit))
        return pc.binary_join_element_wise(pc.strftime(utc, format="%Y-%m-%dT%H:%M:%S"), "Z", "")
    if any(test(kind) for test in _CAST_TO_TEXT):
        return column.cast(pa.string())
    return pa.array([value if value is None or isinstance(value, str) else json.dumps(value) for value in plain(column)], pa.string())


def quoted(column: pa.Array) -> pa.Array:
    """Returns text with quotes around what needs them in CSV (RFC 4180), the empty text among it."""
    needs = pc.match_substring_regex(column, '^$|[",\r\n]|^ | $')
    within = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
    return pc.if_else(needs, within, column)


def plain(column: pa.Array) -> list[Any]:
    """Returns the values as JSON knows them."""
    if pa.types.is_timestamp(column.type):
        return list(text(column).to_pylist())
    if pa.types.is_integer(column.type) or pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        return list(column.to_pylist())
    as_map = pa.types.is_map(column.type)
    return [_plain(dict(value) if as_map and value is not None else value) for value in column.to_pylist()]


def _plain(value: object) -> object:  # noqa: PLR0911 - one line per kind of value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if len(value.as_tuple().digits) <= _SIGNIFICANT_DIGITS else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, int | str) else str(value)
