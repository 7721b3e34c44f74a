"""IPv6 (RFC 8200) and its extension headers."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from ..address_table import INNERMOST, QUOTED
from .base import Layer, Protocol, Rank
from .ipv6_extensions import EXTENSIONS, HOP_BY_HOP, jumbo_lengths, walk

_HEADER = np.dtype(
    [("version_class", ">u2"), ("flow", ">u2"), ("length", ">u2"), ("next", "u1"), ("hops", "u1"),
     ("addresses", ">u8", 4)]
)  # fmt: skip
HEADER_BYTES = 40
_NO_NEXT = 59
MOBILITY = 135
_SOURCE_AT, _DESTINATION_AT = 8, 24
_SOURCE = np.dtype((">u8", 2))


def is_version_6(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether the version is 6, or was cut."""
    accepted = layer.captured < 1
    rest = ~accepted
    accepted[rest] = layer.select(rest).byte() >> 4 == 6
    return accepted


def dissect(layer: Layer) -> None:
    """Set the IP columns, walk the extension headers and hand on by the last next-header value."""
    whole = layer.require(HEADER_BYTES)
    if whole is not layer:
        _set_cut_header(layer.select(layer.captured < HEADER_BYTES))
    layer = whole
    header = layer.gather(_HEADER)
    addresses = header["addresses"].T.astype(np.uint64)
    if layer.embedded:
        layer.frames.pairs(QUOTED).set_ipv6(layer.rows, addresses)
    else:
        layer.frames.enter_ip(layer.rows)
        layer.frames.pairs(INNERMOST).set_ipv6(layer.rows, addresses)
        layer.set("ip_version", 6)
        layer.set("ip_ttl", header["hops"])
        layer.set("ip_id", -1)
        layer.set("ip_dscp", header["version_class"] >> 6 & 0x3F)
        layer.set("ip_fragment_offset", 0)
        layer.reset("ip_more_fragments")
    length = header["length"].astype(np.int64)
    # A payload length of 0 is nothing but the header, unless a jumbogram's option has the length.
    jumbo = (length == 0) & (header["next"] == HOP_BY_HOP)
    if jumbo.any():
        length[jumbo] = jumbo_lengths(layer.select(jumbo), HEADER_BYTES)
    layer.trim(layer.start + HEADER_BYTES + length)
    counted = _hand_on(layer, header["next"].astype(np.int64), HEADER_BYTES)
    if not layer.embedded:
        layer.frames.arrays["ipv6_layers"][layer.rows] += counted


def _set_cut_header(layer: Layer) -> None:
    """Keep the source address of a header that was cut behind it; in a tunnel the outer addresses stay."""
    layer = layer.require(_DESTINATION_AT)
    if layer.embedded or not len(layer):
        return
    addresses = layer.frames.pairs(INNERMOST)
    layer = layer.select(~addresses.is_present(layer.rows))
    addresses.set_ipv6(layer.rows, layer.gather(_SOURCE, _SOURCE_AT).T.astype(np.uint64))
    layer.set("ip_version", 6)


def dissect_extension(layer: Layer, kind: int) -> None:
    """An extension header that another protocol (AH, or IPv4 against the rules) has next."""
    _hand_on(layer, np.full(len(layer), kind, dtype=np.int64), 0)


def _hand_on(layer: Layer, following: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
    """Walk the extension headers, `length` bytes on; `following` (int64[m]) is the first next-header value and is changed.

    Returns:
        bool[m], whether Wireshark's statistics count the IPv6 header: not that of a later fragment, nor one before a mobility header,
        nor one with extension headers that are cut or make no sense.
    """
    at = np.full(len(layer), length, dtype=np.int64)
    offset = np.zeros(len(layer), dtype=np.int32)
    complete = walk(layer, following, at, offset)
    layer.set("error_ip_protocol" if layer.embedded else "ip_protocol", following.astype(np.int16))
    go_on = complete & (following != _NO_NEXT)
    layer.hand_on("ip.proto", following, at, go_on & (offset == 0))
    layer.hand_to("data", at, go_on & (offset > 0))
    # What follows "no next header" is padding, and Wireshark calls it data.
    layer.hand_to("data", at, complete & (following == _NO_NEXT) & (layer.end > layer.start + at))
    counted: npt.NDArray[np.bool_] = complete & (offset == 0) & (following != MOBILITY)
    return counted


PROTOCOLS = (
    Protocol(
        "ipv6",
        under={
            "link_type": (229,), "ethertype": (0x86DD,), "ip.proto": (41,), "ppp.protocol": (0x0057, 0x86DD), "gre.proto": (0x86DD,),
            "chdlc.protocol": (0x86DD,), "fr.nlpid": (0x8E,), "osinl.excl": (0x8E,), "null.type": (24, 28, 30),
            "arcnet.protocol_id": (0xC4,), "nsh.next_proto": (2,), "pwach.channel_type": (0x57,), "erf.types.type": (23,),
            "vxlan.next_proto": (2,),
        },
        dissect=dissect,
        rank=Rank.NETWORK,
        accept=is_version_6,
        otherwise="data",
    ),
    *(
        Protocol(
            f"ipv6.extension{kind}",
            under={"ip.proto": (kind,)},
            dissect=partial(dissect_extension, kind=kind),
            rank=Rank.NETWORK,
            shown=False,
        )
        for kind in EXTENSIONS
    ),
)  # fmt: skip
