"""Network Service Header (RFC 8300)."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("flags", ">u2"), ("metadata_type", "u1"), ("next", "u1")])
_LENGTH = 0x003F
"""Of the first two bytes: the header's length in words of four bytes."""
_FIXED_BYTES = 24


def dissect(layer: Layer) -> None:
    """Hand on by the next protocol, behind the metadata."""
    layer = layer.require(8)
    header = layer.gather(_HEADER)
    length = (header["flags"] & _LENGTH).astype(np.int64) * 4
    # Metadata of type 1 has a fixed length, whatever the header says.
    length[header["metadata_type"] == 1] = _FIXED_BYTES
    follows = (length >= 8) & (layer.reported > length)
    layer.hand_on("nsh.next_proto", header["next"], length, follows)


PROTOCOL = Protocol(
    "nsh",
    under={"ethertype": (0x894F,), "gre.proto": (0x894F,), "nsh.next_proto": (4,), "vxlan.next_proto": (4,)},
    dissect=dissect,
    rank=Rank.TUNNEL,
)
