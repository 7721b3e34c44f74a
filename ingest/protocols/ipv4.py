"""IPv4 (RFC 791), with options and fragments."""

from __future__ import annotations

import numpy as np

from ..address_table import INNERMOST, QUOTED
from .base import Layer, Protocol, Rank
from .ipv4_options import follow_source_routes

_HEADER = np.dtype(
    [("version_ihl", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"), ("protocol", "u1"),
     ("checksum", ">u2"), ("addresses", ">u8")]
)  # fmt: skip
HEADER_BYTES = 20
_VERSION = 4
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
    version_ihl = header["version_ihl"].copy()
    valid = version_ihl >> 4 == _VERSION
    if not valid.all():
        layer.hand_to("ipv6", 0, version_ihl >> 4 == 6)
        layer, header, version_ihl = layer.select(valid), header[valid], version_ihl[valid]
    header_length = (version_ihl & 15).astype(np.int64) * 4
    total = header["length"].astype(np.int64)
    # Length 0 is what segmentation offload leaves for packets captured on their way to the network card.
    unknown = total == 0
    if unknown.any():
        total[unknown] = layer.reported[unknown]
    valid = (header_length >= HEADER_BYTES) & (total >= header_length)
    if not valid.all():
        layer, header, header_length, total = layer.select(valid), header[valid], header_length[valid], total[valid]
    addresses = header["addresses"].astype(np.uint64)
    if (header_length > HEADER_BYTES).any():
        known = follow_source_routes(layer, header_length, addresses)
        if not known.all():
            _set_source_alone(layer.select(~known))
            layer, header, header_length, total = layer.select(known), header[known], header_length[known], total[known]
            addresses = addresses[known]
    fragment = header["fragment"].astype(np.uint16)
    protocol = header["protocol"].copy()
    if layer.embedded:
        layer.frames.pairs(QUOTED).set_ipv4(layer.rows, addresses)
        layer.set("error_ip_protocol", protocol)
    else:
        layer.frames.enter_ip(layer.rows)
        layer.frames.pairs(INNERMOST).set_ipv4(layer.rows, addresses)
        layer.set("ipv4_layers", layer.get("ipv4_layers") + np.int16(1) if layer.is_set("ipv4_layers") else 1)
        layer.set("ip_version", _VERSION)
        layer.set("ip_protocol", protocol)
        layer.set("ip_ttl", header["ttl"])
        layer.set("ip_id", header["id"])
        layer.set("ip_dscp", header["tos"] >> 2)
        layer.set("ip_fragment_offset", fragment & _OFFSET)
        more = fragment & _MORE_FRAGMENTS != 0
        if layer.is_set("ip_more_fragments") or more.any():
            layer.set("ip_more_fragments", more)
    layer.trim(layer.start + total)
    layer.hand_on("ip.proto", protocol, header_length, (fragment & _OFFSET == 0) & (layer.reported > header_length))
    layer.hand_to("data", header_length, fragment & _OFFSET > 0)


def _set_cut_header(layer: Layer) -> None:
    """Keep the source address of a header that was cut behind it; in a tunnel the outer addresses stay."""
    opened = layer.require(1)
    opened.hand_to("ipv6", 0, opened.byte() >> 4 == 6)
    layer = layer.require(_DESTINATION_AT)
    _set_source_alone(layer.select(layer.byte() >> 4 == _VERSION))


def _set_source_alone(layer: Layer) -> None:
    """Keep the source addresses of headers whose destination is not known."""
    if layer.embedded or not len(layer):
        return
    addresses = layer.frames.pairs(INNERMOST)
    layer = layer.select(~addresses.is_present(layer.rows))
    addresses.set_ipv4_source(layer.rows, layer.gather(np.dtype(">u4"), _SOURCE_AT).astype(np.uint64))
    layer.set("ip_version", _VERSION)


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
