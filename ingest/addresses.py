"""The address book of one capture: every distinct IP address has a number, a text and a row in the table `addresses`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.arrays import Rows, arrow
from ..warehouse.texts import take
from .columns import AddressTable, Int32
from .keys import KeyTable

HEX_DIGITS = 32
_PAIRS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
"""The two hex digits of each byte."""


class AddressBook:
    """Capture-wide numbers of addresses, from 0 in order of first appearance; about 60 bytes an address."""

    def __init__(self) -> None:
        # The family is part of the key: ::ffff:1.2.3.4 in an IPv6 header is not 1.2.3.4 in an IPv4 one.
        self._keys = KeyTable(3)
        self._texts: list[pa.Array] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, table: AddressTable) -> Int32:
        """Number the distinct addresses of a batch.

        Args:
            table: k distinct addresses.

        Returns:
            int32[k + 1]: their capture-wide numbers, and -1 as the last element, so that indexing with a batch's address columns, where
            -1 means absent, gives -1 for absent.
        """
        numbers, added = self._keys.number(table.high.view(np.int64), table.low.view(np.int64), table.family.astype(np.int64))
        if len(added):
            self._texts.append(take(table.text, added))
        return np.append(numbers, np.int32(-1))

    @property
    def text(self) -> pa.Array:
        """Arrow string[len], the canonical text of each address by its number."""
        if len(self._texts) != 1:
            self._texts = [pa.concat_arrays(self._texts) if self._texts else pa.array([], pa.string())]
        return self._texts[0]

    def rows(self) -> Rows:
        """The rows of `addresses` without `ingest_id`: ip, family, hex."""
        high, low, family = (word.array for word in self._keys.words)
        every = pa.DictionaryArray.from_arrays(arrow(np.arange(len(self), dtype=np.int32)), self.text)
        return {"ip": every, "family": arrow(family.astype(np.int16)), "hex": _hex(high, low)}


def _hex(high: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> pa.Array:
    """32 hex digits of each 16-byte address; sorts as the addresses do."""
    octets = np.stack([high, low], axis=1).astype(">i8").view(np.uint8)
    digits = np.ascontiguousarray(_PAIRS[octets])
    offsets = np.arange(len(high) + 1, dtype=np.int32) * np.int32(HEX_DIGITS)
    return pa.StringArray.from_buffers(len(high), pa.py_buffer(offsets), pa.py_buffer(digits))
