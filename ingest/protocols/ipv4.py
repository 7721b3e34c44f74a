"""IPv4 (RFC 791), with options and fragments."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype(
    [("version_ihl", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"), ("protocol", "u1"),
     ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")]
)  # fmt: skip
HEADER_BYTES = 20
_SOURCE_AT, _DESTINATION_AT = 12, 16
_MORE_FRAGMENTS = 0x2000
_OFFSET = 0x1FFF


def dissect(layer: Layer) -> None:
    """Set the IP columns and hand on by protocol number; later fragments are data."""
    whole = layer.require(HEADER_BYTES)
    if whole is not layer:
        _set_cut_header(layer.select(layer.captured < HEADER_BYTES))
    layer = whole
    header = layer.gather(_HEADER)
    version = header["version_ihl"] >> 4
    valid = version == 4
    if not valid.all():
        layer.hand_to("ipv6", 0, version == 6)
        layer = layer.select(valid)
        header = header[valid]
    header_length = (header["version_ihl"] & 15).astype(np.int64) * 4
    offset = (header["fragment"] & _OFFSET).astype(np.int32)
    more = header["fragment"] & _MORE_FRAGMENTS != 0
    protocol = header["protocol"].astype(np.int16)
    if layer.embedded:
        _set_quoted(layer, header["src"], header["dst"], protocol)
    else:
        layer.frames.enter_ip(layer.rows)
        layer.frames.src.set_ipv4(layer.rows, header["src"])
        layer.frames.dst.set_ipv4(layer.rows, header["dst"])
        layer.frames.arrays["ipv4_layers"][layer.rows] += 1
        layer.set("ip_version", 4)
        layer.set("ip_protocol", protocol)
        layer.set("ip_ttl", header["ttl"])
        layer.set("ip_id", header["id"])
        layer.set("ip_dscp", header["tos"] >> 2)
        layer.set("ip_fragment_offset", offset)
        layer.set("ip_more_fragments", more)
    total = header["length"].astype(np.int64)
    # Length 0 is what segmentation offload leaves for packets captured on their way to the network card.
    total = np.where(total == 0, layer.reported, total)
    valid = (header_length >= HEADER_BYTES) & (total >= header_length)
    layer.trim(layer.start + total)
    first = valid & (offset == 0) & (layer.reported > header_length)
    layer.hand_on("ip.proto", header["protocol"], header_length, first)
    layer.hand_to("data", header_length, valid & (offset > 0))


def _set_cut_header(layer: Layer) -> None:
    """Keep the source address of a header that was cut behind it; in a tunnel the outer addresses stay."""
    opened = layer.require(1)
    opened.hand_to("ipv6", 0, opened.byte() >> 4 == 6)
    layer = layer.require(_DESTINATION_AT)
    if layer.embedded or not len(layer):
        return
    layer = layer.select((layer.byte() >> 4 == 4) & layer.frames.src.is_absent(layer.rows))
    layer.frames.src.set_ipv4(layer.rows, layer.gather(np.dtype(">u4"), _SOURCE_AT))
    layer.set("ip_version", 4)


def _set_quoted(
    layer: Layer,
    src: np.ndarray[tuple[int], np.dtype[np.uint32]],
    dst: np.ndarray[tuple[int], np.dtype[np.uint32]],
    protocol: np.ndarray[tuple[int], np.dtype[np.int16]],
) -> None:
    layer.frames.optional_slot("error_src").set_ipv4(layer.rows, src)
    layer.frames.optional_slot("error_dst").set_ipv4(layer.rows, dst)
    layer.set("error_ip_protocol", protocol)


PROTOCOL = Protocol(
    "ip",
    under={
        "link_type": (228,), "ethertype": (0x0800,), "ip.proto": (4,), "llc.dsap": (0x06,), "ppp.protocol": (0x0021, 0x0800),
        "gre.proto": (0x0800,), "chdlc.protocol": (0x0800,), "fr.nlpid": (0xCC,), "osinl.excl": (0xCC,), "null.type": (2,),
        "arcnet.protocol_id": (0xD4, 0xF0), "nsh.next_proto": (1,), "pwach.channel_type": (0x21,), "erf.types.type": (22,),
        "vxlan.next_proto": (1,),
    },
    dissect=dissect,
    rank=Rank.NETWORK,
)  # fmt: skip
