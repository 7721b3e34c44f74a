"""Numbering of keys, exact and without a loop over packets.

Two steps: `group` numbers the distinct values of one batch, then a `KeyTable` finds the few distinct ones among all that the capture
had so far. Both hash with factors drawn anew for every process or table, so that nobody can make a capture whose keys collide, and
compare keys in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import SystemRandom
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Int32, Int64
from .vectors import Vector

MOST_KEYS = np.iinfo(np.int32).max
"""Keys are numbered in int32."""
ROUNDS = 4
"""Hash tables that `group` tries before it sorts what is left."""
_MOST_WORDS = 8
_SPREAD = np.uint64(32)


def _factors(count: int) -> list[np.uint64]:
    return [np.uint64(SystemRandom().getrandbits(64) | 1) for _ in range(count)]


_WORD_FACTORS, _ROUND_FACTORS = _factors(_MOST_WORDS), _factors(ROUNDS)


def group(*columns: npt.NDArray[Any]) -> tuple[Int32, Int64]:
    """Number the distinct rows of up to eight columns of integers (each of length n) in order of first appearance.

    Returns:
        int32[n], the number of each row; int64[k], the place where each number appears first.
    """
    leader = _leaders([_as_word(column) for column in columns])
    first = np.flatnonzero(leader == np.arange(len(leader)))
    numbers = np.empty(len(leader), dtype=np.int32)
    numbers[first] = np.arange(len(first), dtype=np.int32)
    return numbers.take(leader), first


def _as_word(column: npt.NDArray[Any]) -> Int64:
    word: Int64 = column.view(np.int64) if column.dtype == np.uint64 else column.astype(np.int64, copy=False)
    return word


def _leaders(words: Sequence[Int64]) -> Int64:
    """The place where the key of each place appears first (int64[n]).

    Every key is written into the slot that its hash names: five passes over arrays that fit into the cache, 5 ns a packet, where
    Arrow's hash table takes 11 and sorting 45. Keys that share their slot with an earlier one are tried again with other slots.
    """
    size = len(words[0])
    hashes = mix(words, _WORD_FACTORS)
    shift = np.uint64(64 - max(4, size.bit_length()))
    # Never filled: only slots that were written to are read.
    table: Int64 = np.empty(1 << (64 - int(shift)), dtype=np.int64)
    leader = places = np.arange(size)
    for number, factor in enumerate(_ROUND_FACTORS[:ROUNDS]):
        slots = ((hashes * factor) >> shift).view(np.int64)
        # Written backwards, so that the first of those with one slot stays.
        table[np.ascontiguousarray(slots[::-1])] = places[::-1]
        found = table.take(slots)
        if number == 0:
            leader = found
            left = np.flatnonzero(_differ(words, found, None))
        else:
            leader[places] = found
            left = np.flatnonzero(_differ(words, found, places))
        if not len(left):
            return leader
        places, hashes = places.take(left), hashes.take(left)
    if not len(places):
        return leader
    order = places.take(np.lexsort([word.take(places) for word in words]))
    begins = np.flatnonzero(_differ(words, order[:-1], order[1:])) + 1
    starts = np.concatenate([[0], begins])
    leader[order] = np.repeat(order[starts], np.diff(starts, append=len(order)))
    return leader


def _differ(words: Sequence[Int64], one: Int64, other: Int64 | None) -> npt.NDArray[np.bool_]:
    """Whether the keys at two lists of places differ; None for all places."""
    differs: npt.NDArray[np.bool_] = words[0].take(one) != (words[0] if other is None else words[0].take(other))
    for word in words[1:]:
        differs |= word.take(one) != (word if other is None else word.take(other))
    return differs


def mix(words: Sequence[Int64], factors: Sequence[np.uint64]) -> npt.NDArray[np.uint64]:
    """A hash of each key, good in its upper half."""
    mixed = words[0].view(np.uint64) * factors[0]
    for word, factor in zip(words[1:], factors[1:], strict=False):
        mixed ^= mixed >> _SPREAD
        mixed ^= word.view(np.uint64)
        mixed *= factor
    return mixed


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
        self._factors = _factors(words)
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
        numbers, slots = self._find_or_put(before, before + size)
        added = np.flatnonzero(numbers == np.arange(before, before + size))
        for word, key in zip(self.words, keys, strict=True):
            word.cut(before)
            word.append(key.take(added))
        if len(added):
            fresh = np.empty(size, dtype=np.int32)
            fresh[added] = np.arange(before, before + len(added), dtype=np.int32)
            self._slots[slots.take(added)] = fresh.take(added)
            new = np.flatnonzero(numbers >= before)
            numbers[new] = fresh.take(numbers.take(new) - before)
        return numbers.astype(np.int32), added

    def _find_or_put(self, start: int, stop: int) -> tuple[Int64, Int64]:
        """Look for the keys that stand at `start` to `stop` among the words, and put in those that are not there.

        Returns:
            int64[k], the number under which each key is found: the lowest of equal ones; int64[k], the slot where it is.
        """
        numbers = np.arange(start, stop)
        found, at = np.empty_like(numbers), np.empty_like(numbers)
        words = [word.array for word in self.words]
        keys = [word[start:stop] for word in words]
        places: Int64 | None = None
        mixed = mix(keys, self._factors)
        mixed ^= mixed >> np.uint64(32)
        mask = np.uint64(len(self._slots) - 1)
        step = 0
        while len(mixed):
            # Triangular steps visit every slot of a table whose size is a power of two.
            mixed += np.uint64(step)
            slots = (mixed & mask).view(np.int64)
            there = self._slots.take(slots).astype(np.int64)
            free = np.flatnonzero(there < 0)[::-1]
            if len(free):
                # Written backwards, so that of several keys for one slot the first has it.
                free_slots = slots.take(free)
                self._slots[free_slots] = numbers.take(free)
                there[free] = self._slots.take(free_slots)
            differs = words[0].take(there) != keys[0]
            for word, key in zip(words[1:], keys[1:], strict=True):
                differs |= word.take(there) != key
            rest = np.flatnonzero(differs)
            if places is None:
                found, at, places = there, slots, rest
            else:
                found[places], at[places] = there, slots
                places = places.take(rest)
            mixed, numbers, keys = mixed.take(rest), numbers.take(rest), [key.take(rest) for key in keys]
            step += 1
        return found, at

    def _make_room(self, size: int) -> None:
        room = _ROOM if size < _LARGE else _ROOM_IF_LARGE
        if room * size <= len(self._slots):
            return
        self._slots = np.full(1 << (room * size - 1).bit_length(), -1, dtype=np.int32)
        for start in range(0, len(self), _CHUNK):
            self._find_or_put(start, min(start + _CHUNK, len(self)))
