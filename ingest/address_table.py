"""The distinct addresses of a batch: found by hashing whole columns, turned to text once each."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .columns import AddressTable

if TYPE_CHECKING:
    from .decode import AddressSlot

_MAPPED = np.uint64(0x0000FFFF_00000000)
"""IPv4 in the low half of the IPv4-mapped form (RFC 4291, section 2.5.5.2)."""

_OPTIONAL = ("tunnel_src", "tunnel_dst", "error_src", "error_dst")


def address_table(
    src: AddressSlot, dst: AddressSlot, optional: Mapping[str, AddressSlot]
) -> tuple[AddressTable, dict[str, npt.NDArray[np.int32]]]:
    """Number the distinct addresses of a batch.

    Args:
        src: Source addresses of the packets, dst: destination addresses.
        optional: Further slots by name, of those in `_OPTIONAL`.

    Returns:
        The table, and for each of src_ip, dst_ip, tunnel_src_ip, tunnel_dst_ip, error_src_ip, error_dst_ip an int32[n] of rows of
        the table, -1 where the packet has no such address.
    """
    size = len(src.family)
    slots = [src, dst, *(optional[name] for name in _OPTIONAL if name in optional)]
    numbers = [np.full(size, -1, dtype=np.int32) for _ in slots]
    low4 = _number_ipv4(slots, numbers)
    high6, low6 = _number_ipv6(slots, numbers, first=len(low4))
    table = AddressTable(
        family=np.concatenate([np.full(len(low4), 4, dtype=np.int16), np.full(len(low6), 6, dtype=np.int16)]),
        high=np.concatenate([np.zeros(len(low4), dtype=np.uint64), high6]),
        low=np.concatenate([low4.astype(np.uint64) | _MAPPED, low6]),
        text=pa.concat_arrays([ipv4_texts(low4), ipv6_texts(high6, low6)]),
    )
    named = dict(zip(["src", "dst", *(name for name in _OPTIONAL if name in optional)], numbers, strict=True))
    absent = np.full(size, -1, dtype=np.int32)
    return table, {f"{name}_ip": named.get(name, absent) for name in ("src", "dst", *_OPTIONAL)}


def _number_ipv4(slots: list[AddressSlot], numbers: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.uint32]:
    masks = [slot.family == 4 for slot in slots]
    rows = [None if mask.all() else np.flatnonzero(mask) for mask in masks]
    values = [slot.low if at is None else slot.low[at] for slot, at in zip(slots, rows, strict=True)]
    encoded = pa.array(np.concatenate(values).astype(np.uint32)).dictionary_encode()
    _hand_out(encoded.indices.to_numpy(zero_copy_only=False), values, rows, numbers, 0)
    distinct: npt.NDArray[np.uint32] = encoded.dictionary.to_numpy(zero_copy_only=False)
    return distinct


def _number_ipv6(
    slots: list[AddressSlot], numbers: list[npt.NDArray[np.int32]], first: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    empty = np.zeros(0, dtype=np.uint64)
    if all(slot.high is None for slot in slots):
        return empty, empty
    rows: list[npt.NDArray[np.int64] | None] = [np.flatnonzero(slot.family == 6) for slot in slots]
    pairs = []
    for slot, at in zip(slots, rows, strict=True):
        pair = np.zeros((len(at) if at is not None else 0, 2), dtype=np.uint64)
        if slot.high is not None:
            pair[:, 0] = slot.high[at]
            pair[:, 1] = slot.low[at]
        pairs.append(pair)
    every = np.concatenate(pairs)
    binary = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(every), [None, pa.py_buffer(every)])
    encoded = binary.dictionary_encode()
    _hand_out(encoded.indices.to_numpy(zero_copy_only=False), pairs, rows, numbers, first)
    distinct = np.frombuffer(b"".join(encoded.dictionary.to_pylist()), dtype=np.uint64).reshape(-1, 2)
    return distinct[:, 0].copy(), distinct[:, 1].copy()


def _hand_out(
    indexes: npt.NDArray[np.int32],
    values: list[npt.NDArray[np.uint64]],
    rows: list[npt.NDArray[np.int64] | None],
    numbers: list[npt.NDArray[np.int32]],
    first: int,
) -> None:
    at = 0
    for slot_values, slot_rows, slot_numbers in zip(values, rows, numbers, strict=True):
        part = indexes[at : at + len(slot_values)]
        slot_numbers[slice(None) if slot_rows is None else slot_rows] = part + np.int32(first) if first else part
        at += len(slot_values)


_DECIMAL = pa.array([str(number) for number in range(256)])
_HEX = pa.array([f"{number:02x}" for number in range(256)])


def _joined(octets: list[npt.NDArray[np.uint8]], texts: pa.StringArray, separator: str) -> pa.Array:
    # Typed, as all text given to pyarrow for every capture: to find the type of text it looks for dateutil each time.
    parts = [texts.take(pa.array(octet)) for octet in octets]
    return pc.binary_join_element_wise(*parts, pa.scalar(separator, pa.string()))


def ipv4_texts(addresses: npt.NDArray[np.uint32]) -> pa.Array:
    """Dotted decimal of uint32[k] in host order."""
    octets = [((addresses >> np.uint32(shift)) & np.uint32(0xFF)).astype(np.uint8) for shift in (24, 16, 8, 0)]
    return _joined(octets, _DECIMAL, ".")


def ipv6_texts(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> pa.Array:
    """Canonical text (RFC 5952) of addresses given as two uint64[k] in host order."""
    packed = np.stack([high, low], axis=1).astype(">u8").tobytes()
    return pa.array([socket.inet_ntop(socket.AF_INET6, packed[at : at + 16]) for at in range(0, len(packed), 16)], pa.string())


def mac_texts(addresses: npt.NDArray[np.uint64]) -> pa.Array:
    """Colon-separated hex of uint64[k] that hold the six bytes in their low 48 bits, first byte lowest."""
    octets = [((addresses >> np.uint64(shift)) & np.uint64(0xFF)).astype(np.uint8) for shift in range(0, 48, 8)]
    return _joined(octets, _HEX, ":")
