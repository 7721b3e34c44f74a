"""NumPy's arrays as Arrow's, by their buffers.

`pyarrow.array` loads NumPy's masked arrays to see whether it got one: 7 ms of every process that writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Rows = Mapping[str, pa.Array]
"""Rows as columns of one length, by name: for a few hundred rows, to make an Arrow table and take its columns out again takes longer
than to make the columns."""


def arrow(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers or truths as an Arrow array of the same type, which keeps the memory of `values` where it can.

    Args:
        values: Numbers or bool[n].
        valid: bool[n], false for NULL; None where all are valid.

    Raises:
        ValueError: The numbers are in another byte order than this machine's.
    """
    kind = _TYPES.get(values.dtype)
    if kind is None:
        if not values.dtype.isnative:
            raise ValueError(f"{values.dtype} is not in this machine's byte order")
        kind = _TYPES[values.dtype] = pa.from_numpy_dtype(values.dtype)
    # Arrow has a bit for each truth.
    data = np.packbits(values, bitorder="little") if values.dtype == np.bool_ else np.ascontiguousarray(values)
    # Counting takes a third of the time of `all`, for the few hundred values of a small capture.
    some = valid is not None and np.count_nonzero(valid) < len(valid)
    validity = pa.py_buffer(np.packbits(valid, bitorder="little")) if valid is not None and some else None
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(data)])


_TYPES: dict[np.dtype[Any], pa.DataType] = {}
