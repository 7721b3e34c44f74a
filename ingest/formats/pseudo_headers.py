"""Pseudo-headers: what some link types put into a record before the packet, and what Wireshark does not count as part of it.

A direction, a line's kind, or a whole ERF header stands there. The packet begins behind it and its lengths leave it out, but what
follows can only be told from it, so it stays in the buffer and the batch says how long it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Interface, PacketBatch
from .gather import gather

ERF = 197
ERF_TS_RESOLUTION_NS = 1e9 / 2**32
ERF_PORTS = 4
"""Ports of a capture card that the flags of an ERF header can tell apart."""
FIXED_BYTES = {
    123: 4,   # SunATM: direction and traffic type, virtual path and channel
    139: 4,   # MTP2: direction, annex A, link number
    144: 16,  # Linux IrDA: a "cooked" header
    177: 16,  # Linux LAPD: the same
    196: 5,   # SITA: direction, signals, errors, protocol
    201: 4,   # Bluetooth H4: direction
    204: 1,   # PPP: direction
    209: 5,   # Linux I2C: bus, flags
    245: 2,   # NFC LLCP: adapter, direction
    254: 4,   # Bluetooth monitor: adapter, opcode
}  # fmt: skip
"""Bytes by LINKTYPE_ number."""

_ERF_HEADER_BYTES = 16
_ERF_EXTENSION_BYTES = 8
_ERF_MORE = 0x80
_ERF_MOST_EXTENSIONS = 64
_ERF_ETHERNET = (2, 11, 16, 20)
"""ERF types with two bytes of offset and padding before the frame."""
_ERF_MULTI_CHANNEL = (5, 6, 7, 8, 9, 12, 17, 18)
"""ERF types with four bytes of channel information."""
_ERF_TIME = np.dtype([("fraction", "<u4"), ("seconds", "<u4")])

Int64 = npt.NDArray[np.int64]


def has_pseudo_header(link_type: int) -> bool:
    """Whether records of this link type begin with a pseudo-header."""
    return link_type == ERF or link_type in FIXED_BYTES


def without_pseudo_headers(batch: PacketBatch) -> PacketBatch:
    """Let the packets of `batch` begin behind their pseudo-headers.

    Returns:
        The batch itself when its link types have none. Else one with offsets and lengths moved and `pseudo_header` set; times and
        lengths on the wire of ERF records are those of their own headers.
    """
    distinct = np.unique(batch.link_type).tolist()
    if not any(link_type == ERF or link_type in FIXED_BYTES for link_type in distinct):
        return batch
    length = np.zeros(len(batch), dtype=np.int64)
    ts_ns = batch.ts_ns
    erf = np.empty(0, dtype=np.int64)
    for link_type in distinct:
        rows = np.flatnonzero(batch.link_type == link_type)
        if link_type == ERF:
            length[rows] = erf_header_lengths(batch.buffer, batch.offset[rows], batch.captured_length[rows])
            ts_ns = ts_ns.copy()
            erf = rows[length[rows] >= _ERF_HEADER_BYTES]
            ts_ns[erf] = erf_times(batch.buffer, batch.offset[erf])
        else:
            length[rows] = FIXED_BYTES.get(link_type, 0)
    length = np.minimum(length, batch.captured_length)
    captured_length = batch.captured_length - length
    wire_length = np.maximum(batch.wire_length - length, 0)
    wire_length[erf] = erf_wire_lengths(batch.buffer, batch.offset[erf])
    captured_length[erf] = np.minimum(captured_length[erf], wire_length[erf])
    return PacketBatch(
        buffer=batch.buffer,
        offset=batch.offset + length,
        captured_length=captured_length,
        wire_length=wire_length,
        ts_ns=ts_ns,
        interface_id=batch.interface_id,
        link_type=batch.link_type,
        record_offset=batch.record_offset,
        first_frame=batch.first_frame,
        pseudo_header=length,
    )


class ErfPorts:
    """The interfaces of ERF records: the ports of a capture card, in the order in which they come up, as Wireshark numbers them.

    Args:
        interfaces: The reader's interfaces; ports are added when their first record comes.
        ts_resolution_ns: Resolution of the records' times.
    """

    def __init__(self, interfaces: list[Interface], ts_resolution_ns: float) -> None:
        self._interfaces = interfaces
        self._ts_resolution_ns = ts_resolution_ns
        self._numbers = np.full(ERF_PORTS, -1, dtype=np.int32)

    def interface_ids(self, buffer: npt.NDArray[np.uint8], offset: Int64, available: Int64) -> npt.NDArray[np.int32]:
        """Indices into the interfaces (int32[m]) for the ERF records at `offset` (int64[m]), `available` (int64[m]) bytes long."""
        ports = np.where(available >= _ERF_HEADER_BYTES, buffer[offset + 9] & (ERF_PORTS - 1), 0)
        present, first = np.unique(ports, return_index=True)
        for port in present[np.argsort(first)]:
            if self._numbers[port] < 0:
                self._numbers[port] = len(self._interfaces)
                self._interfaces.append(Interface(ERF, ts_resolution_ns=self._ts_resolution_ns))
        return self._numbers[ports]


def erf_times(buffer: npt.NDArray[np.uint8], offset: Int64) -> Int64:
    """Nanoseconds since the epoch (int64[m]) of the ERF headers at `offset` (int64[m]): 32 bits of seconds, 32 of their fraction."""
    time = gather(buffer, offset, _ERF_TIME)
    # Rounded as Wireshark does, so that the times are equal to the nanosecond.
    nanoseconds = (time["fraction"].astype(np.uint64) * np.uint64(1_000_000_000) + np.uint64(1 << 31)) >> np.uint64(32)
    return time["seconds"].astype(np.int64) * 1_000_000_000 + nanoseconds.astype(np.int64)


def erf_wire_lengths(buffer: npt.NDArray[np.uint8], offset: Int64) -> Int64:
    """The lengths on the wire (int64[m]) in the ERF headers at `offset` (int64[m])."""
    return (buffer[offset + 14].astype(np.int64) << 8) | buffer[offset + 15]


def erf_header_lengths(buffer: npt.NDArray[np.uint8], offset: Int64, available: Int64) -> Int64:
    """Bytes before the packet (int64[m]) of the ERF records at `offset` (int64[m]), of which `available` (int64[m]) bytes are there.

    The fixed header, the extension headers (a bit in each announces the next) and what the record type puts before the packet.
    """
    length = np.minimum(available, _ERF_HEADER_BYTES)
    whole = np.flatnonzero(available >= _ERF_HEADER_BYTES)
    kind = buffer[offset[whole] + 8]
    waiting = whole[(kind & _ERF_MORE) != 0]
    for _ in range(_ERF_MOST_EXTENSIONS):
        waiting = waiting[length[waiting] + _ERF_EXTENSION_BYTES <= available[waiting]]
        if not len(waiting):
            break
        more = (buffer[offset[waiting] + length[waiting]] & _ERF_MORE) != 0
        length[waiting] += _ERF_EXTENSION_BYTES
        waiting = waiting[more]
    kind = kind & ~np.uint8(_ERF_MORE)
    length[whole] += np.where(np.isin(kind, _ERF_ETHERNET), 2, 0) + np.where(np.isin(kind, _ERF_MULTI_CHANNEL), 4, 0)
    return np.minimum(length, available)
