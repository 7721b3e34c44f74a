"""ERF (Endace's extensible record format): a record type, in the pseudo-header before the packet, names the link layer."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank, leaves

_TYPE_AT = 8
_TYPE = 0x7F


def dissect(layer: Layer) -> None:
    """Hand on by record type."""
    pseudo_header = layer.frames.batch.pseudo_header
    if pseudo_header is None:
        return
    before = pseudo_header[layer.rows]
    known = before >= 16
    layer = layer.select(known)
    kind = layer.frames.gather_pseudo_header(layer.rows, before[known] - _TYPE_AT, np.dtype("u1")) & _TYPE
    layer.hand_on("erf.types.type", kind, 0)


PROTOCOLS = (
    Protocol("erf", under={"link_type": (197,)}, dissect=dissect, rank=Rank.LINK),
    Protocol("infiniband", key="infiniband_leaf"),
)
