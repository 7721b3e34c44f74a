"""Linux netfilter log (LINKTYPE_NFLOG): an address family, then attributes, one of which holds the packet."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

HEADER_BYTES = 4
_ATTRIBUTE = np.dtype([("length", "<u2"), ("type", "<u2")])
"""In the byte order of the machine that captured; all that run Linux today are little-endian."""
_HARDWARE_PROTOCOL = 1
_PAYLOAD = 9
_MAX_ATTRIBUTES = 64
_IPV4, _IPV6, _BRIDGE = 2, 10, 7


def dissect(layer: Layer) -> None:
    """Walk the attributes of all packets together until each one's payload is found."""
    layer = layer.require(HEADER_BYTES)
    family = layer.byte()
    at = np.full(len(layer), HEADER_BYTES, dtype=np.int64)
    payload = np.zeros(len(layer), dtype=np.int64)
    end = layer.end.copy()
    reported_end = layer.reported_end.copy()
    hardware_protocol = np.zeros(len(layer), dtype=np.uint16)
    waiting = np.arange(len(layer))
    for _ in range(_MAX_ATTRIBUTES):
        waiting = waiting[layer.captured[waiting] >= at[waiting] + 4]
        if not len(waiting):
            break
        start = layer.start[waiting] + at[waiting]
        attribute = layer.frames.gather(layer.rows[waiting], start, _ATTRIBUTE)
        length = attribute["length"].astype(np.int64)
        kind = attribute["type"] & 0x7FFF
        found = (kind == _PAYLOAD) & (length >= 4)
        payload[waiting[found]] = at[waiting[found]] + 4
        reported_end[waiting[found]] = np.minimum(reported_end[waiting[found]], start[found] + length[found])
        end[waiting[found]] = np.minimum(end[waiting[found]], start[found] + length[found])
        header = (kind == _HARDWARE_PROTOCOL) & (length >= 6) & (layer.captured[waiting] >= at[waiting] + 6)
        places = waiting[header]
        hardware_protocol[places] = layer.frames.gather(layer.rows[places], start[header] + 4, np.dtype(">u2"))
        at[waiting] += (length + 3) & ~3
        waiting = waiting[~found & (length >= 4)]
    inside = Layer(layer.frames, layer.rows, layer.start, end, reported_end, embedded=layer.embedded)
    there = payload > 0
    inside.hand_to("ip", payload, there & (family == _IPV4))
    inside.hand_to("ipv6", payload, there & (family == _IPV6))
    other = there & (family != _IPV4) & (family != _IPV6)
    inside.hand_on("ethertype", hardware_protocol, payload, other & (hardware_protocol > 0))
    inside.hand_to("data", payload, other & (hardware_protocol == 0))


PROTOCOL = Protocol("nflog", under={"link_type": (239,)}, dissect=dissect, rank=Rank.LINK)
