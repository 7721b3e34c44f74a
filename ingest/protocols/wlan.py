"""IEEE 802.11: frame control, up to four addresses, and for data frames LLC behind them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_MANAGEMENT, _DATA, _EXTENSION, _NO_KIND = 0, 2, 3, 4
_TO_DS, _FROM_DS, _MORE_FRAGMENTS, _PROTECTED, _ORDER = 0x01, 0x02, 0x04, 0x40, 0x80
_NO_DATA = 0x4
_QOS = 0x8
_FRAGMENT_AT = 22
_AGGREGATED = 0x80
_MESH_CONTROL = 0x0100
_IPX = 0xFFFF
_SNAP = 0xAAAA
_AGGREGATE_HEADER_BYTES = 14
_ADDRESSES = np.dtype({"names": ["first", "second"], "formats": ["<u8", "<u8"], "offsets": [0, 6], "itemsize": 14})
_ADDRESS = np.uint64(0xFFFF_FFFF_FFFF)


def dissect(layer: Layer) -> None:
    """Hand on the body of unprotected data frames; management and control frames end here."""
    _dissect(layer, 0, 1)


def dissect_padded(layer: Layer) -> None:
    """The same with the body on a multiple of four bytes, as some wireless cards deliver it."""
    _dissect(layer, 0, 1, alignment=4)


def dissect_swapped(layer: Layer) -> None:
    """The same with the two bytes of frame control swapped, as access points send it to their controllers."""
    _dissect(layer, 1, 0)


def _dissect(layer: Layer, control_at: int, flags_at: int, alignment: int = 1) -> None:
    layer = layer.require(2)
    control = layer.byte(control_at)
    flags = layer.byte(flags_at)
    version = control & 3
    layer.hand_to("data", 2, (version > 1) & (layer.captured >= layer.reported))
    kind = np.where(version == 0, control >> 2 & 3, _NO_KIND)
    subtype = control >> 4
    is_data = (kind == _DATA) & (subtype & _NO_DATA == 0)
    opaque = ((kind == _MANAGEMENT) | (kind == _EXTENSION)) & (flags & (_PROTECTED | _MORE_FRAGMENTS) != 0)
    layer.hand_to("data", 24 + np.where(flags & _ORDER != 0, 4, 0), opaque)
    _data(layer.select(is_data), subtype[is_data], flags[is_data], alignment)


def _data(layer: Layer, subtype: npt.NDArray[np.uint8], flags: npt.NDArray[np.uint8], alignment: int) -> None:
    both = flags & (_TO_DS | _FROM_DS) == _TO_DS | _FROM_DS
    qos = subtype & _QOS != 0
    qos_at = np.where(both, 30, 24)
    length = qos_at + np.where(qos, 2, 0) + np.where(qos & (flags & _ORDER != 0), 4, 0)
    length += -length % alignment
    there = layer.captured >= length
    layer, flags, qos, qos_at, length = layer.select(there), flags[there], qos[there], qos_at[there], length[there]
    if not len(layer):
        return
    qos_control = np.zeros(len(layer), dtype=np.uint16)
    with_qos = layer.select(qos)
    qos_control[qos] = with_qos.gather(np.dtype("<u2"), qos_at[qos])
    # Encrypted bodies and first fragments (the whole body is not here, and no reassembly is done) are data.
    opaque = flags & (_PROTECTED | _MORE_FRAGMENTS) != 0
    layer.hand_to("data", length, opaque)
    length = length + _mesh_control_lengths(layer, flags, qos_control, length, ~opaque)
    aggregated = ~opaque & (qos_control & _AGGREGATED != 0)
    _aggregate(layer.select(aggregated), length[aggregated])
    plain = ~opaque & ~aggregated
    _body(layer.select(plain), length[plain], flags[plain])


def _mesh_control_lengths(
    layer: Layer,
    flags: npt.NDArray[np.uint8],
    qos_control: npt.NDArray[np.uint16],
    length: npt.NDArray[np.int64],
    where: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Bytes of mesh control (IEEE 802.11, section 9.2.4.7.3) before the body (int64[m])."""
    result = np.zeros(len(layer), dtype=np.int64)
    places = np.flatnonzero(where & (qos_control & _MESH_CONTROL != 0) & (flags & _FROM_DS != 0) & (layer.captured > length))
    if len(places):
        extension = layer.frames.gather(layer.start[places] + length[places], np.dtype("u1"))
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
    layer.leave_tree()
    layer.trim(layer.start + at + _AGGREGATE_HEADER_BYTES + layer.word(at + 12).astype(np.int64))
    layer.hand_to("llc", at + _AGGREGATE_HEADER_BYTES)


def _body(layer: Layer, at: npt.NDArray[np.int64], flags: npt.NDArray[np.uint8]) -> None:
    whole = layer.captured >= at + 2
    layer.hand_to("llc", at, ~whole)
    layer, at, flags = layer.select(whole), at[whole], flags[whole]
    if not len(layer):
        return
    opening = layer.word(at)
    # Two zeros are padding that nothing announced.
    at = at + np.where(opening == 0, 2, 0)
    # Some stations number every frame as a second fragment: what opens with SNAP is whole all the same.
    later = (layer.gather(np.dtype("<u2"), _FRAGMENT_AT) & 0x0F > 0) & (opening != _SNAP)
    ipx = ~later & (opening == _IPX)
    ethernet = ~later & ~ipx & (opening != _SNAP) & _repeats_addresses(layer, at, flags)
    layer.hand_to("data", at, later)
    layer.hand_to("ipx", at, ipx)
    layer.hand_to("eth", at, ethernet)
    layer.hand_to("llc", at, ~later & ~ipx & ~ethernet)


def _repeats_addresses(layer: Layer, at: npt.NDArray[np.int64], flags: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether the body (bool[m]) begins with the destination or goes on with the source: then it is a whole Ethernet frame."""
    result = np.zeros(len(layer), dtype=np.bool_)
    places = np.flatnonzero(layer.captured >= at + 12)
    inside = Layer(
        layer.frames, layer.rows[places], layer.start[places], layer.end[places], layer.reported_end[places], embedded=layer.embedded
    )
    to_ds, from_ds = flags[places] & _TO_DS != 0, flags[places] & _FROM_DS != 0
    destination_at = np.where(to_ds, 16, 4)
    source_at = np.where(from_ds, np.where(to_ds, 24, 16), 10)
    body = inside.gather(_ADDRESSES, at[places])
    result[places] = (body["first"] & _ADDRESS == inside.gather(_ADDRESSES, destination_at)["first"] & _ADDRESS) | (
        body["second"] & _ADDRESS == inside.gather(_ADDRESSES, source_at)["first"] & _ADDRESS
    )
    return result


PROTOCOLS = (
    Protocol("wlan", under={"link_type": (105,), "gre.proto": tuple(range(0x8200, 0x8380, 0x10))}, dissect=dissect, rank=Rank.LINK),
    Protocol("wlan", key="wlan_padded", dissect=dissect_padded, rank=Rank.LINK),
    Protocol("wlan", key="wlan_swapped", dissect=dissect_swapped, rank=Rank.LINK),
)
