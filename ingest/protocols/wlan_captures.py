"""What captures put before an 802.11 frame: radiotap, Prism and AVS headers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_RADIOTAP = np.dtype([("version", "u1"), ("pad", "u1"), ("length", "<u2"), ("present", "<u4")])
_TIME, _FLAGS = 0x01, 0x02
_MORE = 0x8000_0000
_FLAG_FCS, _FLAG_PADDED = 0x10, 0x20
_FCS_BYTES = 4
_MAX_PRESENT_WORDS = 32

_AVS_MAGIC = (0x80211001, 0x80211002)
_PRISM_CODES = (0x41, 0x44)
_PRISM_BYTES = 144


def dissect_radiotap(layer: Layer) -> None:
    """Hand on behind the header's length (https://www.radiotap.org); its flags tell of a frame check sequence at the end."""
    layer = layer.require(8)
    header = layer.gather(_RADIOTAP)
    length = header["length"].astype(np.int64)
    valid = (length >= 8) & (layer.captured >= length)
    layer, header, length = layer.select(valid), header[valid], length[valid]
    flags = _radiotap_flags(layer, header["present"].astype(np.uint32), length)
    layer.trim(layer.reported_end - np.where(flags & _FLAG_FCS != 0, _FCS_BYTES, 0))
    padded = flags & _FLAG_PADDED != 0
    layer.hand_to("wlan_radio", length, ~padded)
    layer.hand_to("wlan_radio_padded", length, padded)


def _radiotap_flags(layer: Layer, present: npt.NDArray[np.uint32], length: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The flags field (uint8[m]); 0 where there is none. It comes first, or behind the time."""
    at = np.full(len(layer), 8, dtype=np.int64)
    more = present & _MORE != 0
    for _ in range(_MAX_PRESENT_WORDS):
        waiting = np.flatnonzero(more & (at + 4 <= length))
        if not len(waiting):
            break
        word = layer.frames.gather(layer.start[waiting] + at[waiting], np.dtype("<u4"))
        at[waiting] += 4
        more[:] = False
        more[waiting] = word & _MORE != 0
    with_time = present & _TIME != 0
    at = np.where(with_time, (at + 7 & ~7) + 8, at)
    flags = np.zeros(len(layer), dtype=np.uint8)
    there = (present & _FLAGS != 0) & (at < length)
    flags[there] = layer.select(there).byte(at[there])
    return flags


def dissect_prism(layer: Layer) -> None:
    """The Prism header has 144 bytes and one of two message codes; this link type has AVS headers too, and none at all."""
    layer = layer.require(4)
    code = layer.gather(np.dtype("<u4"))
    avs = np.isin(code.byteswap(), _AVS_MAGIC)
    prism = np.isin(code, _PRISM_CODES) | np.isin(code.byteswap(), _PRISM_CODES)
    layer.hand_to("wlancap", 0, avs)
    layer.hand_to("wlan_radio", _PRISM_BYTES, prism)
    layer.hand_to("wlan", 0, ~avs & ~prism)


def dissect_avs(layer: Layer) -> None:
    """Magic number and length."""
    layer = layer.require(8)
    layer.hand_to("wlan_radio", layer.gather(np.dtype(">u4"), 4).astype(np.int64))


def dissect_radio(layer: Layer) -> None:
    """What Wireshark makes of the radio's facts; it has no bytes."""
    layer.hand_to("wlan", 0)


def dissect_radio_padded(layer: Layer) -> None:
    """The same for frames with padding before their body."""
    layer.hand_to("wlan_padded", 0)


PROTOCOLS = (
    Protocol("radiotap", under={"link_type": (127,), "sll.hatype": (803,)}, dissect=dissect_radiotap, rank=Rank.LINK),
    Protocol("prism", under={"link_type": (119,)}, dissect=dissect_prism, rank=Rank.LINK),
    Protocol("wlancap", under={"link_type": (163,)}, dissect=dissect_avs, rank=Rank.LINK),
    Protocol("wlan_radio", dissect=dissect_radio, rank=Rank.LINK),
    Protocol("wlan_radio", key="wlan_radio_padded", dissect=dissect_radio_padded, rank=Rank.LINK),
)
