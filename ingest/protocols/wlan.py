"""IEEE 802.11: frame control, up to four addresses, and for data frames LLC behind them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_MANAGEMENT, _DATA = 0, 2
_TO_DS, _FROM_DS, _MORE_FRAGMENTS, _PROTECTED, _ORDER = 0x01, 0x02, 0x04, 0x40, 0x80
_NO_DATA = 0x4
_QOS = 0x8
_FRAGMENT_AT = 22
_AGGREGATED = 0x80
_MESH_CONTROL = 0x0100
_IPX = 0xFFFF
_SNAP = 0xAAAA
_AGGREGATE_HEADER_BYTES = 14


def dissect(layer: Layer) -> None:
    """Hand on the body of unprotected data frames; management and control frames end here."""
    _dissect(layer, 0, 1)


def dissect_swapped(layer: Layer) -> None:
    """The same with the two bytes of frame control swapped, as access points send it to their controllers."""
    _dissect(layer, 1, 0)


def _dissect(layer: Layer, control_at: int, flags_at: int) -> None:
    layer = layer.require(2)
    control = layer.byte(control_at)
    flags = layer.byte(flags_at)
    kind = control >> 2 & 3
    subtype = control >> 4
    is_data = (kind == _DATA) & (subtype & _NO_DATA == 0)
    protected_management = (kind == _MANAGEMENT) & (flags & _PROTECTED != 0)
    layer.hand_to("data", 24 + np.where(flags & _ORDER != 0, 4, 0), protected_management)
    _data(layer.select(is_data), subtype[is_data], flags[is_data])


def _data(layer: Layer, subtype: npt.NDArray[np.uint8], flags: npt.NDArray[np.uint8]) -> None:
    both = flags & (_TO_DS | _FROM_DS) == _TO_DS | _FROM_DS
    qos = subtype & _QOS != 0
    qos_at = np.where(both, 30, 24)
    length = qos_at + np.where(qos, 2, 0) + np.where(qos & (flags & _ORDER != 0), 4, 0)
    there = layer.captured >= length
    layer, flags, both, qos, qos_at, length = (
        layer.select(there), flags[there], both[there], qos[there], qos_at[there], length[there]
    )  # fmt: skip
    if not len(layer):
        return
    qos_control = np.zeros(len(layer), dtype=np.uint16)
    with_qos = layer.select(qos)
    qos_control[qos] = with_qos.gather(np.dtype("<u2"), qos_at[qos])
    fragment = layer.gather(np.dtype("<u2"), _FRAGMENT_AT) & 0x0F
    # Encrypted bodies and fragments (of which the body is not here, and no reassembly is done) are data.
    opaque = (flags & _PROTECTED != 0) | (flags & _MORE_FRAGMENTS != 0) | (fragment > 0)
    layer.hand_to("data", length, opaque)
    length = length + _mesh_control_lengths(layer, flags, qos_control, length, ~opaque)
    aggregated = ~opaque & (qos_control & _AGGREGATED != 0)
    _aggregate(layer.select(aggregated), length[aggregated])
    plain = ~opaque & ~aggregated
    _body(layer.select(plain), length[plain])


def _mesh_control_lengths(
    layer: Layer, flags: npt.NDArray[np.uint8], qos_control: npt.NDArray[np.uint16], length: npt.NDArray[np.int64], where: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Bytes of mesh control (IEEE 802.11, section 9.2.4.7.3) before the body (int64[m])."""
    result = np.zeros(len(layer), dtype=np.int64)
    places = np.flatnonzero(where & (qos_control & _MESH_CONTROL != 0) & (flags & _FROM_DS != 0) & (layer.captured > length))
    if len(places):
        extension = layer.frames.gather(layer.rows[places], layer.start[places] + length[places], np.dtype("u1"))
        # Other bits are reserved: with any of them set this is no mesh control.
        mesh = extension <= 2
        result[places[mesh]] = 6 + extension[mesh].astype(np.int64) * 6
    return result


def _aggregate(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    """The first frame of an A-MSDU: addresses, length, body."""
    there = layer.captured >= at + _AGGREGATE_HEADER_BYTES
    layer, at = layer.select(there), at[there]
    if not len(layer):
        return
    layer.show("wlan_aggregate")
    layer.trim(layer.start + at + _AGGREGATE_HEADER_BYTES + layer.word(at + 12).astype(np.int64))
    layer.hand_to("llc", at + _AGGREGATE_HEADER_BYTES)


def _body(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    whole = layer.captured >= at + 2
    layer.hand_to("llc", at, ~whole)
    layer, at = layer.select(whole), at[whole]
    if not len(layer):
        return
    opening = layer.word(at)
    layer.hand_to("ipx", at, opening == _IPX)
    layer.hand_to("llc", at, opening != _IPX)


PROTOCOLS = (
    Protocol(
        "wlan", under={"link_type": (105,), "gre.proto": tuple(range(0x8200, 0x8380, 0x10))}, dissect=dissect, rank=Rank.LINK
    ),
    Protocol("wlan", key="wlan_swapped", dissect=dissect_swapped, rank=Rank.LINK),
)
