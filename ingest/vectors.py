"""Arrays that grow: the state that a capture's conversations leave behind, a few bytes each."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


class Vector(Generic[Scalar]):
    """A one-dimensional array that grows by doubling, so that n appended values cost O(n).

    Args:
        dtype: Type of the values.
        fill: What `grow` puts in new places.
    """

    __slots__ = ("_array", "_fill", "_size")

    def __init__(self, dtype: type[Scalar], fill: float = 0) -> None:
        self._array: npt.NDArray[Scalar] = np.empty(0, dtype=dtype)
        self._fill = fill
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def array(self) -> npt.NDArray[Scalar]:
        """The values, as a view that may be written to; valid until the next call that changes the size."""
        return self._array[: self._size]

    def grow(self, size: int) -> npt.NDArray[Scalar]:
        """Let there be at least `size` values, new ones filled; returns all of them, as `array` does."""
        if size > self._size:
            self._reserve(size)
            self._array[self._size : size] = self._fill
            self._size = size
        return self.array

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add `values` at the end."""
        size = self._size + len(values)
        self._reserve(size)
        self._array[self._size : size] = values
        self._size = size

    def cut(self, size: int) -> None:
        """Drop all but the first `size` values."""
        self._size = min(size, self._size)

    def _reserve(self, size: int) -> None:
        if size > len(self._array):
            larger = np.empty(max(1024, size, 2 * len(self._array)), dtype=self._array.dtype)
            larger[: self._size] = self.array
            self._array = larger
