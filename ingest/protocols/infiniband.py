"""InfiniBand (IBTA volume 1, chapter 5-9), on its own links, over Ethernet and in UDP (RoCE); IP in it (RFC 4391) is unwrapped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_LOCAL_BYTES, _GLOBAL_BYTES, _BASE_BYTES = 8, 40, 12
_NEXT_HEADER_AT, _NEXT_HEADER = 1, 0x03
_RAW, _RAW_IPV6, _BASE, _GLOBAL = 0, 1, 2, 3
_QUEUE_AT, _QUEUE = 4, 0xFFFFFF
_MANAGEMENT_QUEUES = 1
"""Queue pairs 0 and 1 are for subnet and general management."""
_EXTENDED_BYTES = dict.fromkeys((0, 1, 2, 4, 7, 8, 14, 32, 33, 34, 36, 39, 40), 0) | {100: 8, 101: 12}
"""Bytes of extended headers by operation code, of operations that send a payload."""
_INVARIANT_CRC_BYTES, _VARIANT_CRC_BYTES = 4, 2
_ENCAPSULATION_BYTES = 4
_DEVICE_HEADER_BYTES = 40


def dissect_link(layer: Layer) -> None:
    """Local route header, perhaps a global one, transport header."""
    layer = layer.require(_LOCAL_BYTES)
    following = layer.byte(_NEXT_HEADER_AT) & _NEXT_HEADER
    layer.trim(layer.reported_end - _VARIANT_CRC_BYTES)
    layer.hand_to("data", _LOCAL_BYTES, following == _RAW)
    layer.hand_to("ipv6", _LOCAL_BYTES, following == _RAW_IPV6)
    _dissect(layer.select(following == _BASE), _LOCAL_BYTES)
    _dissect(layer.select(following == _GLOBAL), _LOCAL_BYTES + _GLOBAL_BYTES)


def dissect_over_ethernet(layer: Layer) -> None:
    """The global route header comes first."""
    _dissect(layer, _GLOBAL_BYTES)


def dissect_over_udp(layer: Layer) -> None:
    """The transport header comes first."""
    _dissect(layer, 0)


def _dissect(layer: Layer, at: int) -> None:
    layer = layer.require(at + _BASE_BYTES)
    if not len(layer):
        return
    layer.trim(layer.reported_end - _INVARIANT_CRC_BYTES)
    layer = layer.require(at + _BASE_BYTES)
    queue = layer.gather(np.dtype(">u4"), at + _QUEUE_AT) & _QUEUE
    extended = _EXTENDED[layer.byte(at)]
    _by_type(layer, at + _BASE_BYTES + extended, (extended >= 0) & (queue > _MANAGEMENT_QUEUES))


_EXTENDED = np.array([_EXTENDED_BYTES.get(code, -1) for code in range(256)], dtype=np.int64)


def _by_type(layer: Layer, at: npt.NDArray[np.int64], where: npt.NDArray[np.bool_]) -> None:
    """An Ethernet type and two bytes of zeros tell IP; other payload is the application's."""
    where = where & (layer.captured >= at + _ENCAPSULATION_BYTES)
    layer, at = layer.select(where), at[where]
    if not len(layer):
        return
    kind = layer.word(at)
    plain = (layer.word(at + 2) == 0) & (layer.frames.registry.table("ethertype")[kind] >= 0)
    layer.hand_on("ethertype", kind, at + _ENCAPSULATION_BYTES, plain)
    layer.hand_to("data", at, ~plain)


def dissect_ipoib(layer: Layer) -> None:
    """IP over InfiniBand as the network device shows it: global route header, Ethernet type, two reserved bytes."""
    layer = layer.require(_DEVICE_HEADER_BYTES + _ENCAPSULATION_BYTES)
    layer.hand_on("ethertype", layer.word(_DEVICE_HEADER_BYTES), _DEVICE_HEADER_BYTES + _ENCAPSULATION_BYTES)


PROTOCOLS = (
    Protocol("infiniband", under={"link_type": (247,), "erf.types.type": (21,)}, dissect=dissect_link, rank=Rank.LINK),
    Protocol("infiniband", key="roce", under={"ethertype": (0x8915,)}, dissect=dissect_over_ethernet, rank=Rank.TUNNEL),
    Protocol("infiniband", key="roce2", under={"udp.port": (4791,)}, dissect=dissect_over_udp, rank=Rank.TUNNEL),
    Protocol("ipoib", under={"link_type": (242,)}, dissect=dissect_ipoib, rank=Rank.LINK),
)
