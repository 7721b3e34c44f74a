"""IPv6 (RFC 8200) and its extension headers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_HEADER = np.dtype(
    [("version_class", ">u2"), ("flow", ">u2"), ("length", ">u2"), ("next", "u1"), ("hops", "u1"),
     ("src_high", ">u8"), ("src_low", ">u8"), ("dst_high", ">u8"), ("dst_low", ">u8")]
)  # fmt: skip
HEADER_BYTES = 40
_EXTENSION = np.dtype([("next", "u1"), ("length", "u1")])
_FRAGMENT = np.dtype([("next", "u1"), ("reserved", "u1"), ("offset", ">u2"), ("id", ">u4")])
_HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _NO_NEXT, _DESTINATION = 0, 43, 44, 59, 60
_MAX_EXTENSIONS = 16


def dissect(layer: Layer) -> None:
    """Set the IP columns, walk the extension headers and hand on by the last next-header value."""
    layer = layer.require(HEADER_BYTES)
    header = layer.gather(_HEADER)
    valid = header["version_class"] >> 12 == 6
    if not valid.all():
        layer = layer.select(valid)
        header = header[valid]
    if layer.embedded:
        layer.frames.optional_slot("error_src").set_ipv6(layer.rows, header["src_high"], header["src_low"])
        layer.frames.optional_slot("error_dst").set_ipv6(layer.rows, header["dst_high"], header["dst_low"])
    else:
        layer.frames.enter_ip(layer.rows)
        layer.frames.src.set_ipv6(layer.rows, header["src_high"], header["src_low"])
        layer.frames.dst.set_ipv6(layer.rows, header["dst_high"], header["dst_low"])
        layer.frames.arrays["ipv6_layers"][layer.rows] += 1
        layer.set("ip_version", 6)
        layer.set("ip_ttl", header["hops"])
        layer.set("ip_id", -1)
        layer.set("ip_dscp", header["version_class"] >> 6 & 0x3F)
        layer.set("ip_fragment_offset", 0)
        layer.set("ip_more_fragments", values=False)
    length = header["length"].astype(np.int64)
    # A payload length of 0 stands for a jumbogram, or for segmentation offload.
    layer.trim(np.where(length == 0, layer.reported_end, layer.start + HEADER_BYTES + length))
    following = header["next"].astype(np.int64)
    at = np.full(len(layer), HEADER_BYTES, dtype=np.int64)
    offset = np.zeros(len(layer), dtype=np.int32)
    complete = _walk_extensions(layer, following, at, offset)
    layer.set("error_ip_protocol" if layer.embedded else "ip_protocol", following.astype(np.int16))
    go_on = complete & (following != _NO_NEXT)
    layer.hand_on("ip.proto", following, at, go_on & (offset == 0))
    layer.hand_to("data", at, go_on & (offset > 0))
    # What follows "no next header" is padding, and Wireshark calls it data.
    layer.hand_to("data", at, complete & (following == _NO_NEXT) & (layer.end > layer.start + at))


def _walk_extensions(
    layer: Layer, following: npt.NDArray[np.int64], at: npt.NDArray[np.int64], offset: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Follow the chain in place; false (bool[m]) where it was cut or is too long."""
    complete = np.ones(len(layer), dtype=np.bool_)
    for _ in range(_MAX_EXTENSIONS):
        waiting = np.flatnonzero(
            complete & (offset == 0) & np.isin(following, (_HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _DESTINATION))
        )
        if not len(waiting):
            return complete
        captured = layer.end[waiting] - layer.start[waiting] - at[waiting]
        complete[waiting[captured < 8]] = False
        waiting = waiting[captured >= 8]
        extension = layer.frames.gather(layer.rows[waiting], layer.start[waiting] + at[waiting], _EXTENSION)
        is_fragment = following[waiting] == _FRAGMENT_HEADER
        _fragment(layer, waiting[is_fragment], at, offset)
        following[waiting] = extension["next"]
        at[waiting] += np.where(is_fragment, 8, extension["length"].astype(np.int64) * 8 + 8)
    complete &= ~np.isin(following, (_HOP_BY_HOP, _ROUTING, _FRAGMENT_HEADER, _DESTINATION))
    return complete


def _fragment(layer: Layer, places: npt.NDArray[np.int64], at: npt.NDArray[np.int64], offset: npt.NDArray[np.int32]) -> None:
    if not len(places):
        return
    header = layer.frames.gather(layer.rows[places], layer.start[places] + at[places], _FRAGMENT)
    offset[places] = header["offset"] >> 3
    if not layer.embedded:
        arrays, rows = layer.frames.arrays, layer.rows[places]
        arrays["ip_id"][rows] = header["id"]
        arrays["ip_fragment_offset"][rows] = offset[places]
        arrays["ip_more_fragments"][rows] = header["offset"] & 1 != 0


PROTOCOL = Protocol(
    "ipv6", under={
        "link_type": (229,), "ethertype": (0x86DD,), "ip.proto": (41,), "ppp.protocol": (0x0057, 0x86DD), "gre.proto": (0x86DD,),
        "chdlc.protocol": (0x86DD,), "fr.nlpid": (0x8E,), "osinl.excl": (0x8E,), "null.type": (24, 28, 30), "arcnet.protocol_id": (0xC4,),
        "nsh.next_proto": (2,), "vxlan.next_proto": (2,),
    }, dissect=dissect, rank=Rank.NETWORK
)
