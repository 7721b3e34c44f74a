"""Numbering of keys, exact and without a loop over packets.

Two steps: `group` numbers the distinct values of one batch (Arrow's hash table: 15 ns a packet, against 60 to 80 by sorting), then
a `KeyTable` finds the few distinct ones among all that the capture had so far.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .columns import Int32, Int64
from .vectors import Vector

MOST_KEYS = np.iinfo(np.int32).max
"""Keys are numbered in int32."""


def group(keys: Int64) -> tuple[Int32, Int64]:
    """Number the distinct values of `keys` (int64[n]) in order of first appearance.

    Returns:
        int32[n], the number of each value; int64[k], the place where each number appears first.
    """
    numbers: Int32 = pa.array(keys).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return numbers, first_places(numbers)


def first_places(numbers: Int32) -> Int64:
    """Places (int64[k]) at which the numbers 0 to k-1 appear first, given that they do so in this order."""
    if not len(numbers):
        return np.zeros(0, dtype=np.int64)
    highest = np.maximum.accumulate(numbers)
    return np.concatenate([[0], np.flatnonzero(highest[1:] != highest[:-1]) + 1])


def group_all(*columns: npt.NDArray[Any]) -> tuple[Int32, Int64]:
    """As `group`, by several columns of integers at once; columns of one value cost next to nothing."""
    numbers, first = np.zeros(len(columns[0]), dtype=np.int32), np.zeros(min(1, len(columns[0])), dtype=np.int64)
    for column in columns:
        if len(column) and (column != column[0]).any():
            if len(first) == 1:
                numbers, first = group(column.astype(np.int64))
            else:
                values, _ = group(column.astype(np.int64))
                numbers, first = group(numbers.astype(np.int64) << 32 | values)
    return numbers, first


_LARGE = 1 << 20
_ROOM = 4
_ROOM_IF_LARGE = 2
"""Slots for each key, at least: more make fewer rounds, and in a small table they cost little."""
_CHUNK = 1 << 16


class KeyTable:
    """Numbers keys of one or more 64-bit words in order of first appearance, over any number of calls.

    An open-addressing hash table in arrays, probed for all keys of a call at once: 8 bytes a word, and 8 to 32 for the slots, per
    key. Keys are compared in full. The hash is drawn anew for every table, so that nobody can make a capture whose keys collide.

    Args:
        words: How many 64-bit words make a key.
    """

    def __init__(self, words: int = 1) -> None:
        self.words = tuple(Vector(np.int64) for _ in range(words))
        self._factors = [np.uint64(secrets.randbits(64) | 1) for _ in range(words)]
        self._slots: Int32 = np.full(1 << 10, -1, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.words[0])

    def number(self, *keys: Int64) -> tuple[Int32, Int64]:
        """Number keys, adding those that are not there yet.

        Args:
            keys: One int64[k] for each word; a key may come several times.

        Returns:
            int32[k], the number of each key; int64[m], the places where the added ones come first, whose numbers ascend from the former
            length.

        Raises:
            OverflowError: More than `MOST_KEYS` keys.
        """
        before, size = len(self), len(keys[0])
        if before + size > MOST_KEYS:
            raise OverflowError(f"more than {MOST_KEYS:,} different keys in one capture")
        self._make_room(before + size)
        # All keys are put behind the known ones for the time being: the number of a new one is its place until it is known which are new.
        for word, key in zip(self.words, keys, strict=True):
            word.append(key)
        numbers, slots = self._find_or_put(np.arange(before, before + size, dtype=np.int32))
        added = np.flatnonzero(numbers == np.arange(before, before + size))
        for word, key in zip(self.words, keys, strict=True):
            word.cut(before)
            word.append(key[added])
        if len(added):
            fresh = np.empty(size, dtype=np.int32)
            fresh[added] = np.arange(before, before + len(added), dtype=np.int32)
            self._slots[slots[added]] = fresh[added]
            new = numbers >= before
            numbers[new] = fresh[numbers[new] - before]
        return numbers, added

    def _find_or_put(self, numbers: Int32) -> tuple[Int32, npt.NDArray[np.uint64]]:
        """Look for the keys that stand at `numbers` (int32[k], ascending) among the words, and put in those that are not there.

        Returns:
            int32[k], the number under which each key is found: the lowest of equal ones; uint64[k], the slot where it is.
        """
        found = np.empty_like(numbers)
        at = np.empty(len(numbers), dtype=np.uint64)
        if not len(numbers):
            return found, at
        keys = [word.array[numbers[0] : numbers[-1] + 1] for word in self.words]
        places: npt.NDArray[np.int64] | slice = slice(None)
        mixed = self._hash(keys, len(numbers))
        mask = np.uint64(len(self._slots) - 1)
        step = 0
        while len(mixed):
            # Triangular steps visit every slot of a table whose size is a power of two.
            mixed += np.uint64(step)
            slots = mixed & mask
            there = self._slots[slots]
            free = np.flatnonzero(there < 0)[::-1]
            if len(free):
                # Written backwards, so that of several keys for one slot the first has it.
                free_slots = slots[free]
                self._slots[free_slots] = numbers[free]
                there[free] = self._slots[free_slots]
            same = self.words[0].array[there] == keys[0]
            for word, key in zip(self.words[1:], keys[1:], strict=True):
                same &= word.array[there] == key
            rest = np.flatnonzero(~same)
            found[places] = there
            at[places] = slots
            mixed, numbers, keys = mixed[rest], numbers[rest], [key[rest] for key in keys]
            places = rest if isinstance(places, slice) else places[rest]
            step += 1
        return found, at

    def _hash(self, keys: list[Int64], size: int) -> npt.NDArray[np.uint64]:
        mixed = np.zeros(size, dtype=np.uint64)
        for key, factor in zip(keys, self._factors, strict=True):
            mixed ^= key.view(np.uint64)
            mixed *= factor
            mixed ^= mixed >> np.uint64(32)
        return mixed

    def _make_room(self, size: int) -> None:
        room = _ROOM if size < _LARGE else _ROOM_IF_LARGE
        if room * size <= len(self._slots):
            return
        self._slots = np.full(1 << (room * size - 1).bit_length(), -1, dtype=np.int32)
        for start in range(0, len(self), _CHUNK):
            self._find_or_put(np.arange(start, min(start + _CHUNK, len(self)), dtype=np.int32))
