"""The extension headers of IPv6 (RFC 8200, section 4): a chain that is walked for all packets together, one header a step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer

_EXTENSION = np.dtype([("next", "u1"), ("length", "u1")])
_FRAGMENT = np.dtype([("next", "u1"), ("reserved", "u1"), ("offset", ">u2"), ("id", ">u4")])
HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _DESTINATION = 0, 43, 44, 60
EXTENSIONS = (HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _DESTINATION)
_IS_EXTENSION = np.isin(np.arange(256), EXTENSIONS)
_HAS_OPTIONS = np.isin(np.arange(256), (HOP_BY_HOP, _DESTINATION))
_PAD = 0
_JUMBO, _JUMBO_BYTES = 0xC2, 6
_JUMBO_OPTION = np.dtype([("kind", "u1"), ("length", "u1"), ("payload", ">u4")])
_LEAST_JUMBO = 0x10000
_MAX_EXTENSIONS = 16
_MAX_OPTIONS = 64
"""Options that are looked at in one header; more are taken to be in order."""

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def walk(layer: Layer, following: Int64, at: Int64, offset: npt.NDArray[np.int32]) -> Mask:
    """Follow the chains, in place.

    Args:
        layer: m packets.
        following: int64[m], the next-header value that comes first; the one behind the chain afterwards.
        at: int64[m], bytes from the start of the layer to the first extension header; to what is behind the chain afterwards.
        offset: int32[m], zeros; the fragment offsets in units of eight bytes afterwards.

    Returns:
        bool[m], false where the chain was cut, makes no sense or is too long.
    """
    complete = np.ones(len(layer), dtype=np.bool_)
    waiting = np.flatnonzero(_IS_EXTENSION[following])
    for _ in range(_MAX_EXTENSIONS):
        if not len(waiting):
            return complete
        cut = layer.captured[waiting] - at[waiting] < 8
        complete[waiting[cut]] = False
        waiting = waiting[~cut]
        extension = layer.frames.gather(layer.start[waiting] + at[waiting], _EXTENSION)
        kind = following[waiting]
        is_fragment = kind == _FRAGMENT_HEADER
        _fragment(layer, waiting[is_fragment], at, offset)
        length = np.where(is_fragment, 8, extension["length"].astype(np.int64) * 8 + 8)
        with_options = _HAS_OPTIONS[kind]
        complete[waiting[with_options]] = _options_fit(layer, waiting[with_options], at[waiting[with_options]], length[with_options])
        following[waiting] = extension["next"]
        at[waiting] += length
        waiting = waiting[complete[waiting] & (offset[waiting] == 0) & _IS_EXTENSION[following[waiting]]]
    complete[waiting] = False
    return complete


def jumbo_lengths(layer: Layer, at: int) -> Int64:
    """Payload lengths (int64[m]) by the jumbo option (RFC 2675) of the hop-by-hop headers `at` bytes on; 0 where there is none."""
    found = np.zeros(len(layer), dtype=np.int64)
    index = np.flatnonzero(layer.captured >= at + 2)
    position = np.full(len(layer), at + 2, dtype=np.int64)
    end = np.zeros(len(layer), dtype=np.int64)
    end[index] = at + 8 + layer.frames.gather(layer.start[index] + at, _EXTENSION)["length"].astype(np.int64) * 8
    end = np.minimum(end, layer.captured)
    for _ in range(_MAX_OPTIONS):
        index = index[position[index] + 2 <= end[index]]
        if not len(index):
            break
        start = layer.start[index] + position[index]
        option = layer.frames.gather(start, _EXTENSION)
        is_jumbo = (option["next"] == _JUMBO) & (position[index] + _JUMBO_BYTES <= end[index])
        length = layer.frames.gather(start[is_jumbo], _JUMBO_OPTION)["payload"].astype(np.int64)
        found[index[is_jumbo]] = np.where(length < _LEAST_JUMBO, 0, length)
        position[index] += np.where(option["next"] == _PAD, 1, option["length"].astype(np.int64) + 2)
        index = index[~is_jumbo]
    return found


def _options_fit(layer: Layer, places: Int64, at: Int64, length: Int64) -> Mask:
    """Whether the options (section 4.2) of the headers at `at`, of the layer's packets `places`, end where the headers end (bool[m])."""
    fit = np.ones(len(places), dtype=np.bool_)
    position = np.full(len(places), 2, dtype=np.int64)
    index = np.arange(len(places))
    for _ in range(_MAX_OPTIONS):
        index = index[position[index] < length[index]]
        if not len(index):
            break
        start = at[index] + position[index]
        there = layer.captured[places[index]] >= start + 2
        option = layer.frames.gather(layer.start[places[index]] + np.where(there, start, 0), _EXTENSION)
        # One byte of padding has no length; all others have one, and it may not lead out of the header.
        position[index] += np.where(option["next"] == _PAD, 1, option["length"].astype(np.int64) + 2)
        fit[index[there & (position[index] > length[index])]] = False
        index = index[there & fit[index]]
    return fit


def _fragment(layer: Layer, places: Int64, at: Int64, offset: npt.NDArray[np.int32]) -> None:
    if not len(places):
        return
    header = layer.frames.gather(layer.start[places] + at[places], _FRAGMENT)
    offset[places] = header["offset"] >> 3
    if not layer.embedded:
        arrays, rows = layer.frames.arrays, layer.rows[places]
        arrays["ip_id"][rows] = header["id"]
        arrays["ip_fragment_offset"][rows] = offset[places]
        arrays["ip_more_fragments"][rows] = header["offset"] & 1 != 0
