"""The options of IPv4 (RFC 791, section 3.1) that say where a packet really goes: loose and strict source routes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer

_OPTION = np.dtype([("kind", "u1"), ("length", "u1"), ("pointer", "u1")])
_HEADER_BYTES, _MOST_OPTIONS = 20, 40
_END, _NO_OPERATION, _LOOSE_ROUTE, _STRICT_ROUTE = 0, 1, 131, 137
_FIRST_POINTER = 4
_ADDRESS, _ADDRESS_BYTES = np.dtype(">u4"), 4
_SOURCE = np.uint64(0xFFFFFFFF << 32)


def follow_source_routes(layer: Layer, header_length: npt.NDArray[np.int64], addresses: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Put the last address of a route that is not at its end in the place of the destination, as Wireshark does; the first route counts.

    Args:
        layer: m packets at their IPv4 headers.
        header_length: int64[m], not less than 20.
        addresses: uint64[m], source and destination, changed in place.

    Returns:
        bool[m], false where an option was cut, so that the destination cannot be known.
    """
    whole = np.ones(len(layer), dtype=np.bool_)
    at = np.full(len(layer), _HEADER_BYTES, dtype=np.int64)
    captured = layer.captured
    waiting = np.flatnonzero(header_length > _HEADER_BYTES)
    for _ in range(_MOST_OPTIONS):
        waiting = waiting[whole[waiting] & (at[waiting] < header_length[waiting])]
        if not len(waiting):
            break
        # What is read behind the captured bytes is the batch's padding, and not used.
        option = layer.frames.gather(layer.start[waiting] + np.minimum(at[waiting], captured[waiting]), _OPTION)
        kind, length = option["kind"], option["length"].astype(np.int64)
        left = header_length[waiting] - at[waiting]
        single = kind == _NO_OPERATION
        long = ~single & (kind != _END) & (left > 1)
        is_route = long & ((kind == _LOOSE_ROUTE) | (kind == _STRICT_ROUTE))
        # A route is looked at as far as its pointer.
        whole[waiting] = captured[waiting] - at[waiting] >= 1 + long + is_route
        fits = long & (length > 1) & (length <= left)
        pointer = option["pointer"]
        unfinished = is_route & fits & (pointer >= _FIRST_POINTER) & (pointer % 4 == 0) & (pointer <= length) & (length % 4 == 3)
        routed = waiting[unfinished]
        whole[routed] = captured[routed] >= header_length[routed]
        end = (at[waiting] + length)[unfinished & whole[waiting]]
        routed = routed[whole[routed]]
        last = layer.frames.gather(layer.start[routed] + end - _ADDRESS_BYTES, _ADDRESS).astype(np.uint64)
        addresses[routed] = addresses[routed] & _SOURCE | last
        at[waiting] += np.where(single, 1, length)
        waiting = waiting[(single | fits) & ~is_route]
    return whole
