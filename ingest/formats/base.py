"""What every capture format gives: batches of packets as arrays over one buffer, interfaces, and a list of what was wrong.

A reader never raises for damage. It yields every packet that can be read, notes each `Problem`, and goes on where that is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .gather import Heads

PADDING_BYTES = 256
"""Bytes that may be read beyond the end of the last packet in a batch's buffer; the gathers of the decoder rely on it."""

BATCH_BYTES = 40 << 20
"""Upper bound of the bytes of one batch, unless a single record is larger. A batch takes 8 ms whatever is in it, and this memory twice."""

BATCH_PACKETS = 80 << 10
"""Upper bound of the packets of one batch."""

LARGEST_FRAME_LENGTH = (1 << 31) - 1
"""A length on the wire beyond this is damage. Wireshark's `frame.len` stops here, while its hierarchy counts what the record says."""


@dataclass(slots=True)
class Interface:
    """One interface of a capture.

    Attributes:
        link_type: LINKTYPE_ number as in the file (https://www.tcpdump.org/linktypes.html).
        snap_length: Snapshot length in bytes; 0 or None when not limited.
        ts_resolution_ns: Resolution of its timestamps in nanoseconds.
        dropped_packets: ISB's if_drop + os_drop, or the format's own count; None when not stated.
    """

    link_type: int
    snap_length: int | None = None
    ts_resolution_ns: float | None = None
    name: str | None = None
    description: str | None = None
    capture_filter: str | None = None
    received_packets: int | None = None
    dropped_packets: int | None = None


class Problem(NamedTuple):
    """Something in the file that is not as it should be.

    Attributes:
        offset: Byte in the uncompressed content where it was found.
        reason: A sentence for people.
        kind: 'cut-short' when the file ends inside a record, 'interrupted' when it could not be read any further, else 'damaged'.
        unread_records: How many packet records are lost by it: 1 for a packet record whose header was seen, 0 when none is known.
    """

    offset: int
    reason: str
    kind: str = "damaged"
    unread_records: int = 0


@dataclass(slots=True, eq=False, repr=False)
class PacketBatch:
    """Up to `BATCH_PACKETS` consecutive packets.

    Attributes:
        buffer: uint8[m]. At least `PADDING_BYTES` readable bytes follow the end of the last packet.
        offset: int64[n], index in `buffer` where each packet's link-layer header begins.
        captured_length: int64[n], bytes of the packet in the buffer.
        wire_length: int64[n], bytes of the packet on the wire as the record says (never trusted for reading).
        ts_ns: int64[n], nanoseconds since the epoch; the minimum of int64 where the file holds no time (NULL).
        interface_id: int32[n], index into the reader's `interfaces`.
        link_type: int32[n], LINKTYPE_ number of each packet's interface.
        record_offset: int64[n], byte in the uncompressed content where the record or block begins.
        first_frame: Frame number (1-based) of the batch's first packet.
        pseudo_header: int64[n], bytes of a pseudo-header that lie in `buffer` right before `offset` and count in no length; None when
            there are none. See `pseudo_headers`.
        heads: The packets' first bytes, where the reader has looked at them; None otherwise.
    """

    buffer: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int64]
    captured_length: npt.NDArray[np.int64]
    wire_length: npt.NDArray[np.int64]
    ts_ns: npt.NDArray[np.int64]
    interface_id: npt.NDArray[np.int32]
    link_type: npt.NDArray[np.int32]
    record_offset: npt.NDArray[np.int64]
    first_frame: int
    pseudo_header: npt.NDArray[np.int64] | None = None
    heads: Heads | None = None

    def __len__(self) -> int:
        return len(self.offset)


NO_TIME = np.iinfo(np.int64).min
"""Value of `PacketBatch.ts_ns` for a packet without a time."""


@dataclass(slots=True)
class CaptureInfo:
    """What a file says about itself as a whole."""

    hardware: str | None = None
    operating_system: str | None = None
    capture_application: str | None = None
    comment: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class ReaderState:
    """What a reader learns while it reads; complete when its batches are exhausted."""

    interfaces: list[Interface] = field(default_factory=list)
    info: CaptureInfo = field(default_factory=CaptureInfo)
    problems: list[Problem] = field(default_factory=list)


class Reader(Protocol):
    """A capture format. Readers are made by `caphouse.ingest.formats.open_reader`."""

    format: str
    state: ReaderState

    def batches(self) -> Iterator[PacketBatch]:
        """Yield the packets in file order. A batch's buffer is valid until the next one is asked for, unless it is held by a reference."""
        ...
