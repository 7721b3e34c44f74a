"""Packets through the decoder, and out again as plain values that tests can compare."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from made_packets import Sample

from caphouse.ingest.columns import Columns
from caphouse.ingest.decode import Decoder
from caphouse.ingest.formats.base import PADDING_BYTES, PacketBatch


@dataclass(frozen=True)
class Raw:
    """A packet as a reader gives it.

    Attributes:
        data: The captured bytes, the pseudo-header's first.
        wire_length: Bytes of the packet on the wire; None when nothing was cut.
        pseudo_header: How many bytes of `data` are a pseudo-header.
    """

    link_type: int
    data: bytes
    wire_length: int | None = None
    pseudo_header: int = 0


def raw(sample: Sample) -> Raw:
    """The sample as a packet."""
    return Raw(sample.link_type, sample.data, None, sample.pseudo_header)


def make_batch(packets: Sequence[Raw], filler: int | None = 0) -> PacketBatch:
    """A batch of packets that do not touch: between them lies what must not be read.

    Args:
        packets: In this order.
        filler: The byte between the packets; None for random ones.
    """
    noise = random.Random(1)

    def gap() -> bytes:
        return noise.randbytes(PADDING_BYTES) if filler is None else bytes([filler]) * PADDING_BYTES

    buffer = bytearray(gap())
    offset, captured, wire = [], [], []
    for packet in packets:
        offset.append(len(buffer) + packet.pseudo_header)
        captured.append(len(packet.data) - packet.pseudo_header)
        wire.append(captured[-1] if packet.wire_length is None else packet.wire_length)
        buffer += packet.data + gap()
    size = len(packets)
    return PacketBatch(
        buffer=np.frombuffer(bytes(buffer), dtype=np.uint8),
        offset=np.array(offset, dtype=np.int64),
        captured_length=np.array(captured, dtype=np.int64),
        wire_length=np.array(wire, dtype=np.int64),
        ts_ns=np.arange(size, dtype=np.int64),
        interface_id=np.zeros(size, dtype=np.int32),
        link_type=np.array([packet.link_type for packet in packets], dtype=np.int32),
        record_offset=np.zeros(size, dtype=np.int64),
        first_frame=1,
        pseudo_header=np.array([packet.pseudo_header for packet in packets], dtype=np.int64),
    )


_ADDRESSES = ("src_ip", "dst_ip", "tunnel_src_ip", "tunnel_dst_ip", "error_src_ip", "error_dst_ip")
_APART = {*_ADDRESSES, "path", "counted_path", "eth_src", "eth_dst", "payload_offset"}


def rows(packets: Sequence[Raw], decoder: Decoder | None = None, filler: int | None = 0) -> list[dict[str, Any]]:
    """What the decoder makes of each packet.

    Returns:
        A dictionary for each packet, by column; addresses and paths as text ("" for none), `payload` as the captured bytes.
    """
    decoder = decoder or Decoder()
    batch = make_batch(packets, filler)
    columns = decoder.decode(batch)
    texts = [*columns.addresses.text.to_pylist(), ""]
    macs = [*columns.macs.to_pylist(), ""]
    paths = decoder.paths.texts
    plain = _plain_columns(columns)
    found = []
    for place in range(len(packets)):
        row: dict[str, Any] = {name: values[place] for name, values in plain.items()}
        row |= {name: texts[int(getattr(columns, name)[place])] for name in _ADDRESSES}
        row |= {"protocols": paths[int(columns.path[place])], "counted": paths[int(columns.counted_path[place])]}
        row["headers"] = _headers(columns, texts, place)
        row |= {"eth_src": macs[int(columns.eth_src[place])], "eth_dst": macs[int(columns.eth_dst[place])]}
        start, length = int(columns.payload_offset[place]), int(columns.payload_captured[place])
        row["payload"] = columns.buffer[start : start + length].tobytes() if length > 0 else b""
        found.append(row)
    return found


def _headers(columns: Columns, texts: Sequence[str], place: int) -> list[tuple[str, int, str, int]]:
    """The IP headers of one packet in a tunnel, outermost first: source, UDP port, destination, UDP port."""
    stacks = columns.headers
    found: list[tuple[str, int, str, int]] = []
    header = -1 if stacks is None else int(stacks.innermost[place])
    while stacks is not None and header >= 0:
        ends = texts[stacks.src_ip[header]], int(stacks.src_port[header]), texts[stacks.dst_ip[header]], int(stacks.dst_port[header])
        found.insert(0, ends)
        header = int(stacks.around[header])
    return found


def _plain_columns(columns: Columns) -> dict[str, list[Any]]:
    """The columns that are values of their own: arrays with an element for each packet."""
    found = {}
    for field in dataclasses.fields(columns):
        values = getattr(columns, field.name)
        if field.name not in _APART | {"buffer"} and isinstance(values, np.ndarray) and values.shape == (len(columns),):
            found[field.name] = values.tolist()
    return found
