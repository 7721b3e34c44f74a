"""Capture headers that name the link type of what follows them: PKTAP (macOS), PPI, and the link-layer frame inside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_PKTAP = np.dtype([("length", "<u4"), ("type", "<u4"), ("link_type", "<u4")])
_PKTAP_PACKET = 1
_PKTAP_BYTES = 108
_PPI = np.dtype([("version", "u1"), ("flags", "u1"), ("length", "<u2"), ("link_type", "<u4")])
_PPI_BYTES = 8
_PPI_FIELD = np.dtype([("type", "<u2"), ("length", "<u2")])
_PPI_80211 = 2
_PPI_80211_FLAGS_AT = 8
_FCS_PRESENT = 0x01
_FCS_BYTES = 4
_MAX_PPI_FIELDS = 32
_IEEE_80211 = 105
_APPLE_PKTAP = 149
"""DLT_USER2, which Apple took for PKTAP."""


def dissect_pktap(layer: Layer) -> None:
    """Length of the header and link type, in the byte order of the machine (all are little-endian)."""
    layer = layer.require(12)
    header = layer.gather(_PKTAP)
    length = header["length"].astype(np.int64)
    is_packet = (header["type"] == _PKTAP_PACKET) & (length >= _PKTAP_BYTES)
    _hand_on(layer, header["link_type"].astype(np.int64), length, is_packet)


def dissect_ppi(layer: Layer) -> None:
    """Version 0 (http://www.cacetech.com/documents/PPI%20Header%20format%201.0.7.pdf); little-endian, and aligned if a flag says so."""
    layer = layer.require(8)
    header = layer.gather(_PPI)
    length = np.maximum(header["length"].astype(np.int64), _PPI_BYTES)
    link_type = header["link_type"].astype(np.int64)
    fcs, length = _walk_ppi_fields(layer, length)
    valid = layer.captured >= length
    wireless = valid & (link_type == _IEEE_80211)
    inside = layer.select(wireless)
    inside.trim(inside.reported_end - fcs[wireless])
    inside.hand_to("wlan_radio", length[wireless])
    _hand_on(layer, link_type, length, valid & ~wireless)


def _walk_ppi_fields(layer: Layer, length: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bytes of frame check sequence at the end (int64[m]), by the 802.11-Common field; and `length`, or where the last field ends."""
    fcs = np.zeros(len(layer), dtype=np.int64)
    at = np.full(len(layer), _PPI_BYTES, dtype=np.int64)
    waiting = np.flatnonzero(layer.captured >= length)
    for _ in range(_MAX_PPI_FIELDS):
        waiting = waiting[at[waiting] + 4 <= length[waiting]]
        if not len(waiting):
            break
        start = layer.start[waiting] + at[waiting]
        field = layer.frames.gather(start, _PPI_FIELD)
        at[waiting] += 4 + field["length"].astype(np.int64)
        common = (at[waiting] <= length[waiting]) & (field["type"] == _PPI_80211) & (field["length"] >= _PPI_80211_FLAGS_AT + 2)
        places = waiting[common]
        flags = layer.frames.gather(start[common] + 4 + _PPI_80211_FLAGS_AT, np.dtype("<u2"))
        fcs[places] = np.where(flags & _FCS_PRESENT != 0, _FCS_BYTES, 0)
    return fcs, np.maximum(length, at)


def _hand_on(layer: Layer, link_type: npt.NDArray[np.int64], length: npt.NDArray[np.int64], where: npt.NDArray[np.bool_]) -> None:
    there = where & (layer.captured >= length)
    layer.show("pcap_pktdata", there)
    layer.hand_on("link_type", link_type, length, there, default=None)


def dissect_user(layer: Layer) -> None:
    """Link types for private use: only Apple's, which is PKTAP, can be told."""
    is_pktap = layer.frames.batch.link_type[layer.rows] == _APPLE_PKTAP
    layer.hand_to("pktap", 0, is_pktap)
    layer.hand_to("data", 0, ~is_pktap)


PROTOCOLS = (
    Protocol("pktap", under={"link_type": (258,)}, dissect=dissect_pktap, rank=Rank.LINK),
    Protocol("user_dlt", under={"link_type": tuple(range(147, 163))}, dissect=dissect_user, rank=Rank.LINK),
    Protocol("ppi", under={"link_type": (192,)}, dissect=dissect_ppi, rank=Rank.LINK),
    Protocol("pcap_pktdata", node=""),
)
