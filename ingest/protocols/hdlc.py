"""Cisco HDLC (RFC 1547, section 4.3.1) and frame relay (RFC 2427)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank, leaves

_EXTENDED = 0x01
"""Last octet of a frame relay address."""
_MAX_ADDRESS_BYTES = 8
_CIRCUIT_BITS = (0xFC, 0xF0, 0xFC)
"""Bits of the circuit number in the first octets of the address."""
_UNNUMBERED_INFORMATION = 0x03
_EXCHANGE_IDENTIFICATION = 0xAF
_SNAP = 0x80
_OSI = 0xFEFE


def dissect_cisco(layer: Layer) -> None:
    """Two bytes of address and control, then the protocol."""
    layer = layer.require(4)
    protocol = layer.word(2)
    # OSI packets have a byte of padding before them.
    layer.hand_on("chdlc.protocol", protocol, np.where(protocol == _OSI, 5, 4), layer.captured > 4)


def dissect_cisco_with_direction(layer: Layer) -> None:
    """One byte of direction before the frame (LINKTYPE_C_HDLC_WITH_DIR)."""
    layer.require(1).hand_to("chdlc", 1)


def dissect_frame_relay_with_direction(layer: Layer) -> None:
    """The same for frame relay (LINKTYPE_FRELAY_WITH_DIR)."""
    layer.require(1).hand_to("fr", 1)


def dissect_frame_relay(layer: Layer) -> None:
    """Address of two to four octets; then an unnumbered frame with a network layer identifier, or Cisco's own Ethernet type."""
    layer = layer.require(1)
    length, circuit, complete = _address(layer)
    layer, length, circuit = layer.select(complete), length[complete], circuit[complete]
    there = layer.captured > length
    layer, length, circuit = layer.select(there), length[there], circuit[there]
    control = layer.byte(length)
    unnumbered = control == _UNNUMBERED_INFORMATION
    _by_identifier(layer.select(unnumbered), length[unnumbered] + 1)
    # Circuit 0 is for signalling.
    signalling = ~unnumbered & ((circuit == 0) | (control == _EXCHANGE_IDENTIFICATION))
    layer.hand_to("data", length, signalling)
    other = ~unnumbered & ~signalling & (layer.captured >= length + 2)
    _without_control(layer.select(other), length[other])


def _without_control(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    """Cisco's encapsulation has a type and no control field; else numbered frames, else Ethernet, by what makes sense."""
    if not len(layer):
        return
    tables = layer.frames.registry.table
    kind = layer.word(at)
    cisco = tables("chdlc.protocol")[kind] >= 0
    layer.hand_on("chdlc.protocol", kind, at + 2, cisco)
    numbered = at + np.where(layer.byte(at) & 3 == 3, 1, 2)
    there = layer.captured > numbered
    identifier = np.zeros(len(layer), dtype=np.uint8)
    identifier[there] = layer.select(there).byte(numbered[there])
    known = (tables("osinl.incl")[identifier] >= 0) | (tables("fr.nlpid")[identifier] >= 0)
    known &= ~cisco & there & (identifier > 0)
    _by_identifier(layer.select(known), numbered[known])
    layer.hand_to("eth", at, ~cisco & ~known)


def _address(layer: Layer) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Length of the address (int64[m]), a number that is 0 for circuit 0 only (int64[m]), and whether the address ended (bool[m])."""
    size = len(layer)
    length = np.zeros(size, dtype=np.int64)
    circuit = np.zeros(size, dtype=np.int64)
    complete = np.zeros(size, dtype=np.bool_)
    waiting = np.arange(size)
    for octet in range(_MAX_ADDRESS_BYTES):
        waiting = waiting[layer.captured[waiting] > octet]
        if not len(waiting):
            break
        value = layer.frames.gather(layer.start[waiting] + octet, np.dtype("u1")).astype(np.int64)
        length[waiting] = octet + 1
        circuit[waiting] = circuit[waiting] << 7 | value & _CIRCUIT_BITS[min(octet, 2)]
        last = value & _EXTENDED != 0
        if octet == 0:
            # One octet is no address (Wireshark takes it for circuit 0).
            circuit[waiting[last]] = 0
        complete[waiting[last]] = True
        waiting = waiting[~last]
    return length, circuit, complete


def _by_identifier(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    there = layer.captured > at
    layer, at = layer.select(there), at[there]
    if not len(layer):
        return
    # A zero may stand before the identifier, to make the header even.
    padded = (layer.byte(at) == 0) & (layer.captured > at + 1)
    at = at + padded
    identifier = layer.byte(at)
    tables = layer.frames.registry.table
    own = (tables("osinl.incl")[identifier] >= 0) & (identifier != 0x08)
    signalling = identifier == 0x08
    snap = identifier == _SNAP
    layer.hand_on("osinl.incl", identifier, at, own)
    layer.hand_to("q933", at, signalling)
    layer.hand_to("snap", at + 1, snap)
    layer.hand_on("fr.nlpid", identifier, at + 1, ~own & ~signalling & ~snap)


PROTOCOLS = (
    Protocol("chdlc", under={"link_type": (104, 112)}, dissect=dissect_cisco, rank=Rank.LINK),
    Protocol(
        "fr",
        under={"link_type": (107,), "gre.proto": (0x6559,), "sll.hatype": (770,), "sita.proto": (18,)},
        dissect=dissect_frame_relay,
        rank=Rank.LINK,
    ),
    Protocol("chdlc", key="chdlc_directed", under={"link_type": (205,)}, dissect=dissect_cisco_with_direction, rank=Rank.LINK, shown=False),
    Protocol("fr", key="fr_directed", under={"link_type": (206,)}, dissect=dissect_frame_relay_with_direction, rank=Rank.LINK, shown=False),
    Protocol("q933"),
    *leaves("fr.nlpid", {0x09: "lmi", 0xB0: "wcp"}),
)
