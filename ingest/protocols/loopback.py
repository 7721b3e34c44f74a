"""BSD loopback (LINKTYPE_NULL, LINKTYPE_LOOP): four bytes of address family."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank, leaves
from .ethernet import MAX_LENGTH

HEADER_BYTES = 4
_PPP_FRAME = 0xFF03


def dissect_null(layer: Layer) -> None:
    """Hand on by address family, which whoever captured wrote in the byte order and the width of the machine."""
    layer = layer.require(HEADER_BYTES)
    # What some systems write for a PPP interface: no family, but the PPP frame.
    framed = layer.word() == _PPP_FRAME
    layer.hand_to("ppp_hdlc", 0, framed)
    layer = layer.select(~framed)
    family = layer.gather(np.dtype("<u4")).astype(np.uint32)
    upper, lower = family >> 16, family & 0xFFFF
    swapped = upper != 0
    # Big-endian with 16 bits of family ...
    short = swapped & (family >> 24 == 0) & (family & 0x00FF0000 < 0x00060000)
    # ... or with two bytes of it swapped, where the upper half is empty.
    small = ~swapped & (family & 0xFF == 0) & (family & 0xFF00 < 0x0600)
    family = np.where(short, upper, np.where(swapped, family.byteswap(), np.where(small, lower >> 8, family)))
    _hand_on(layer, family)


def dissect_loop(layer: Layer) -> None:
    """The same in network byte order."""
    layer = layer.require(HEADER_BYTES)
    _hand_on(layer, layer.gather(np.dtype(">u4")).astype(np.uint32))


def _hand_on(layer: Layer, family: npt.NDArray[np.uint32]) -> None:
    is_type = family > MAX_LENGTH
    # Only 16 bits of it are looked at.
    layer.hand_on("ethertype", family & 0xFFFF, HEADER_BYTES, is_type)
    layer.hand_on("null.type", family, HEADER_BYTES, ~is_type)


PROTOCOLS = (
    Protocol("null", under={"link_type": (0,)}, dissect=dissect_null, rank=Rank.LINK),
    Protocol("null", key="loop_link", under={"link_type": (108,)}, dissect=dissect_loop, rank=Rank.LINK),
    *leaves("null.type", {16: "ddp", 23: "ipx"}),
)
