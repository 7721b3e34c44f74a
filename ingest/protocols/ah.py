"""IP Authentication Header (RFC 4302): shown, and looked through."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("next", "u1"), ("length", "u1")])


def dissect(layer: Layer) -> None:
    """Hand on by the next header; the length is in 32-bit words, minus two."""
    layer = layer.require(12)
    header = layer.gather(_HEADER)
    if not layer.embedded:
        layer.set("ip_protocol", header["next"])
        # Wireshark shows it below the IPv6 header, as an extension of that.
        in_ipv6 = layer.get("ip_version") == 6
        if in_ipv6.any():
            layer.drop_node(in_ipv6)
    layer.hand_on("ip.proto", header["next"], header["length"].astype(np.int64) * 4 + 8)


PROTOCOL = Protocol("ah", under={"ip.proto": (51,)}, dissect=dissect, rank=Rank.NETWORK)
