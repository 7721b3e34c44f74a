"""Arrays of numbers as Arrow columns: NULL where a value is absent, dictionaries for text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.arrays import arrow
from ..warehouse.texts import take
from .columns import Int64
from .formats.base import NO_TIME
from .keys import group


def numbers_or_null(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Numbers of type `kind`, NULL where they are negative; truths as they are."""
    return arrow(values) if values.dtype == np.bool_ else arrow(values.astype(kind.to_pandas_dtype(), copy=False), values >= 0)


def times_or_null(values: Int64) -> pa.Array:
    """Nanoseconds, NULL where they are `NO_TIME`."""
    return arrow(values, values != NO_TIME)


def texts_or_null(numbers: npt.NDArray[Any], texts: pa.Array) -> pa.Array:
    """`texts` by their numbers, NULL where these are negative, with a dictionary of those that occur."""
    valid = numbers >= 0
    if not np.count_nonzero(valid):
        return pa.DictionaryArray.from_arrays(pa.nulls(len(numbers), pa.int32()), texts.slice(0, 0))
    if len(texts) <= _FEW_TEXTS * len(numbers):
        # A mark for each text, and one at the end, where -1 leads.
        numbers = np.maximum(numbers, -1)
        occurs = np.zeros(len(texts) + 1, dtype=np.bool_)
        occurs[numbers] = True
        occurs[-1] = False
        codes = (occurs.cumsum(dtype=np.int32) - np.int32(1)).take(numbers, mode="wrap")
        return pa.DictionaryArray.from_arrays(arrow(codes, valid), take(texts, occurs.nonzero()[0]), safe=False)
    present = np.flatnonzero(valid)
    occurring, first = group(numbers[present].astype(np.int64))
    codes = np.zeros(len(numbers), dtype=np.int32)
    codes[present] = occurring
    return pa.DictionaryArray.from_arrays(arrow(codes, valid), take(texts, numbers[present[first]]), safe=False)


_FEW_TEXTS = 4
"""Texts for each number up to which marking those that occur takes less time than grouping the numbers."""


def named(values: npt.NDArray[Any], name: Callable[[int], str | None]) -> pa.Array:
    """Names of few distinct values; NULL for those without one."""
    codes, first = group(values.astype(np.int64))
    names = [name(value) for value in values[first].tolist()]
    texts = pa.array([text for text in names if text is not None], pa.string())
    number = iter(range(len(texts)))
    places = np.array([-1 if text is None else next(number) for text in names], dtype=np.int32)
    return texts_or_null(places[codes], texts)
