"""NumPy's arrays become Arrow's without a change."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from caphouse.warehouse.arrays import arrow

ARRAYS = [
    np.arange(-3, 10, dtype=np.int64),
    np.arange(13, dtype=np.int16)[::-2],
    np.linspace(0, 1, 9),
    np.array([True, False, True, True, False, False, True, False, True]),
    np.array([True, False] * 9)[::2],
    np.array([], dtype=np.int32),
    np.array([], dtype=np.bool_),
    np.broadcast_to(np.int32(7), 20),
]


@pytest.mark.parametrize("values", ARRAYS, ids=lambda values: f"{values.dtype}[{len(values)}]")
@pytest.mark.parametrize("valid", ["all", "none", "some", "not said"])
def test_values_and_nulls(values: npt.NDArray[Any], valid: str) -> None:
    masks = {"all": np.ones(len(values), np.bool_), "none": np.zeros(len(values), np.bool_), "some": np.arange(len(values)) % 3 == 1}
    made = arrow(values, masks.get(valid))
    made.validate(full=True)
    assert made.type == pa.from_numpy_dtype(values.dtype)
    here = masks.get(valid, masks["all"])
    assert made.to_pylist() == [value if there else None for value, there in zip(values.tolist(), here.tolist(), strict=True)]


def test_another_byte_order_is_refused() -> None:
    """The bytes would be taken for other numbers."""
    with pytest.raises(ValueError, match="byte order"):
        arrow(np.arange(3, dtype=np.dtype(np.int64).newbyteorder()))


def test_masked_arrays_are_not_loaded() -> None:
    code = """
import sys
import numpy as np
from caphouse.warehouse.arrays import arrow
arrow(np.arange(5), np.arange(5) > 2)
print("numpy.ma" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout == "False\n"
