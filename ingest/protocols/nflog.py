"""Linux netfilter log (LINKTYPE_NFLOG): an address family, then attributes, one of which holds the packet."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

HEADER_BYTES = 4
_ATTRIBUTE = np.dtype([("length", "<u2"), ("type", "<u2")])
"""In the byte order of the machine that captured; all that run Linux today are little-endian."""
_TYPE = 0x7FFF
"""The topmost bit of an attribute's type marks nested ones."""
_PACKET_HEADER, _PAYLOAD = 1, 9
_MAX_ATTRIBUTES = 64
_IPV4, _IPV6 = 2, 10


def dissect(layer: Layer) -> None:
    """Walk the attributes of all packets together; the packet header's Ethernet type tells what the payload is, else the family."""
    layer = layer.require(HEADER_BYTES)
    family = layer.byte()
    size = len(layer)
    at = np.full(size, HEADER_BYTES, dtype=np.int64)
    payload = np.zeros(size, dtype=np.int64)
    end = np.zeros(size, dtype=np.int64)
    protocol = np.zeros(size, dtype=np.int32)
    waiting = np.arange(size)
    for _ in range(_MAX_ATTRIBUTES):
        waiting = waiting[layer.captured[waiting] >= at[waiting] + 4]
        if not len(waiting):
            break
        start = layer.start[waiting] + at[waiting]
        attribute = layer.frames.gather(start, _ATTRIBUTE)
        length = attribute["length"].astype(np.int64)
        kind = attribute["type"] & _TYPE
        # One that is longer than the packet ends it: what it holds is not whole, and where the next begins is not known.
        valid = (length >= 4) & (layer.captured[waiting] >= at[waiting] + length)
        payload[waiting[~valid]] = 0
        header = valid & (kind == _PACKET_HEADER) & (length == 8)
        protocol[waiting[header]] = layer.frames.gather(start[header] + 4, np.dtype(">u2"))
        found = valid & (kind == _PAYLOAD)
        payload[waiting[found]] = at[waiting[found]] + 4
        end[waiting[found]] = start[found] + length[found]
        at[waiting] += (length + 3) & ~3
        waiting = waiting[valid]
    inside = Layer(layer.frames, layer.rows, layer.start, layer.end, layer.reported_end, embedded=layer.embedded)
    there = payload > 0
    inside.trim(np.where(there, end, inside.reported_end))
    typed = there & (protocol > 0)
    inside.hand_on("ethertype", protocol, payload, typed)
    inside.hand_to("ip", payload, there & ~typed & (family == _IPV4))
    inside.hand_to("ipv6", payload, there & ~typed & (family == _IPV6))
    inside.hand_to("data", payload, there & ~typed & (family != _IPV4) & (family != _IPV6))


PROTOCOL = Protocol("nflog", under={"link_type": (239,)}, dissect=dissect, rank=Rank.LINK, node="")
