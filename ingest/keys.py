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


class KeyTable:
    """Numbers keys of one or more 64-bit words in order of first appearance, over any number of calls.

    An open-addressing hash table in arrays, probed for all keys of a call at once: 8 bytes a word, and 8 to 16 for the slots, per
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
            keys: One int64[k] for each word. No key may be given twice in one call.

        Returns:
            int32[k], the number of each key; int64[m], the places of the added ones, whose numbers ascend from the former length.

        Raises:
            OverflowError: More than `MOST_KEYS` keys.
        """
        numbers = self._find(keys)
        added = np.flatnonzero(numbers < 0)
        if len(added):
            before, after = len(self), len(self) + len(added)
            if after > MOST_KEYS:
                raise OverflowError(f"more than {MOST_KEYS:,} different keys in one capture")
            for word, key in zip(self.words, keys, strict=True):
                word.append(key[added])
            fresh = np.arange(before, after, dtype=np.int32)
            numbers[added] = fresh
            if 2 * after > len(self._slots):
                self._rehash(after)
            else:
                self._insert(fresh)
        return numbers, added

    def _hash(self, keys: tuple[Int64, ...]) -> npt.NDArray[np.uint64]:
        mixed = np.zeros(len(keys[0]), dtype=np.uint64)
        for key, factor in zip(keys, self._factors, strict=True):
            mixed ^= key.view(np.uint64)
            mixed *= factor
            mixed ^= mixed >> np.uint64(32)
        mixed *= self._factors[0]
        mixed ^= mixed >> np.uint64(29)
        return mixed

    def _probe(self, mixed: npt.NDArray[np.uint64], step: int) -> npt.NDArray[np.uint64]:
        """Slot to look at in the given step; triangular steps visit every slot of a power of two."""
        return (mixed + np.uint64(step * (step + 1) // 2)) & np.uint64(len(self._slots) - 1)

    def _find(self, keys: tuple[Int64, ...]) -> Int32:
        numbers = np.full(len(keys[0]), -1, dtype=np.int32)
        mixed = self._hash(keys)
        waiting = np.arange(len(numbers))
        step = 0
        while len(waiting):
            there = self._slots[self._probe(mixed[waiting], step)]
            # An empty slot ends the search: the key is not in the table.
            waiting, there = waiting[there >= 0], there[there >= 0]
            same = np.ones(len(waiting), dtype=np.bool_)
            for word, key in zip(self.words, keys, strict=True):
                same &= word.array[there] == key[waiting]
            numbers[waiting[same]] = there[same]
            waiting = waiting[~same]
            step += 1
        return numbers

    def _insert(self, numbers: Int32) -> None:
        """Put the keys `numbers`, of which none has a slot yet, into free slots."""
        mixed = self._hash(tuple(word.array[numbers] for word in self.words))
        step = 0
        while len(numbers):
            slots = self._probe(mixed, step)
            free = self._slots[slots] < 0
            self._slots[slots[free]] = numbers[free]
            # Of several keys for one slot the last one written has it.
            lost = self._slots[slots] != numbers
            numbers, mixed = numbers[lost], mixed[lost]
            step += 1

    def _rehash(self, size: int) -> None:
        self._slots = np.full(1 << (4 * size - 1).bit_length(), -1, dtype=np.int32)
        chunk = 1 << 18
        for start in range(0, size, chunk):
            self._insert(np.arange(start, min(start + chunk, size), dtype=np.int32))
