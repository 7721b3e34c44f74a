"""Ethernet (IEEE 802.3): two addresses and a type, or a length with LLC behind it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_HEADER = np.dtype({"names": ["dst", "src", "type"], "formats": ["<u8", "<u8", ">u2"], "offsets": [0, 6, 12], "itemsize": 14})
"""The addresses as little-endian words, each with two bytes too many that are masked off."""
_ADDRESS = np.uint64(0xFFFF_FFFF_FFFF)
_ISL_ADDRESS = np.uint64(0xFF_FFFF_FFFD)
_ISL = np.uint64(0x00000C0001)
"""Cisco's Inter-Switch Link has 01:00:0c:00:00 or 03:00:0c:00:00 and 40 bits of destination where Ethernet has 48."""
_FABRIC_PATH = 0x8903
HEADER_BYTES = 14
MIN_TYPE = 1536
"""Smaller values of the type field are lengths (up to 1500) or nothing defined."""
MAX_LENGTH = 1500
_NO_TYPE = MIN_TYPE - 1


def dissect(layer: Layer) -> None:
    """Set the MAC addresses of the outermost Ethernet header and hand on by type."""
    layer = layer.require(HEADER_BYTES)
    header = layer.gather(_HEADER)
    kind, dst = header["type"].astype(np.uint16), header["dst"].astype(np.uint64)
    fabric_path, isl = kind == _FABRIC_PATH, dst & _ISL_ADDRESS == _ISL
    special = fabric_path | isl
    if special.any():
        # Both put a header of their own where Ethernet's is, and the frame behind it.
        layer.drop_node(special)
        layer.hand_to("cfp", 0, fabric_path)
        layer.hand_to("isl", 0, isl & ~fabric_path)
        layer, header, kind, dst = layer.select(~special), header[~special], kind[~special], dst[~special]
    if not layer.embedded:
        _set_addresses(layer, dst & _ADDRESS, header["src"] & _ADDRESS)
    # 0 is neither a type nor a length. (Behind a VLAN tag it is a length.)
    kind[kind == 0] = _NO_TYPE
    hand_on_type_or_length(layer, kind, HEADER_BYTES)


def _set_addresses(layer: Layer, dst: npt.NDArray[np.uint64], src: npt.NDArray[np.uint64]) -> None:
    seen = layer.get("has_mac") if layer.is_set("has_mac") else None
    if seen is not None and seen.any():
        first = ~seen
        layer, dst, src = layer.select(first), dst[first], src[first]
    layer.set("mac_dst", dst)
    layer.set("mac_src", src)
    layer.set("has_mac", values=True)


def hand_on_type_or_length(layer: Layer, kind: npt.NDArray[np.uint16], length: int) -> None:
    """Hand on by an Ethernet type, or as LLC when the field is a length; `length` bytes are the header's, field included."""
    is_type = kind >= MIN_TYPE
    if is_type.all():
        layer.hand_on("ethertype", kind, length)
        return
    layer.hand_on("ethertype", kind, length, is_type)
    is_length = kind <= MAX_LENGTH
    layer.hand_to("data", length, ~is_type & ~is_length)
    short = layer.select(is_length)
    size = kind[is_length] if short is not layer else kind
    short.trim(short.start + length + size.astype(np.int64))
    # Novell's "raw 802.3": IPX without LLC, known by its unused checksum.
    opening = short.require(length + 2)
    if len(opening):
        raw_ipx = opening.word(length) == 0xFFFF
        opening.hand_to("ipx", length, raw_ipx)
        opening.hand_to("llc", length, ~raw_ipx)
    short.hand_to("llc", length, short.captured < length + 2)


PROTOCOL = Protocol(
    "eth",
    under={
        "link_type": (1,), "ethertype": (0x6558,), "ip.proto": (143,), "gre.proto": (0x6400, 0x6558), "chdlc.protocol": (0x6558,),
        "nsh.next_proto": (3,), "vxlan.next_proto": (3,), "sll.ltype": (3,), "sita.proto": (2,), "erf.types.type": (2, 11, 16, 20),
    },
    dissect=dissect,
    rank=Rank.LINK,
    node_bytes=HEADER_BYTES,
)  # fmt: skip
