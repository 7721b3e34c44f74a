"""TCP (RFC 9293) and the options that handshakes need: MSS, window scale, SACK permitted, timestamps (RFC 7323, RFC 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank
from .transport import PORTS_BYTES, drop_cut_node, put_ports, set_payload, set_ports

_HEADER = np.dtype(
    {
        "names": ["src_port", "dst_port", "seq", "ack", "offset_flags", "window", "first_options", "ts_val", "ts_ecr"],
        "formats": [">u2", ">u2", ">u4", ">u4", ">u2", ">u2", "<u4", ">u4", ">u4"],
        "offsets": [0, 2, 4, 8, 12, 14, 20, 24, 28],
        "itemsize": 32,
    }
)
"""32 bytes are gathered whether they belong to the header or not; `first_options` and the timestamps lie where the
usual NOP, NOP, timestamps puts them."""
HEADER_BYTES = 20
_OPTIONS = np.dtype(("u1", 40))
_NOP_NOP_TIMESTAMPS = int.from_bytes(bytes([1, 1, 8, 10]), "little")
_END, _NOP, _MSS, _WINDOW_SCALE, _SACK_PERMITTED, _TIMESTAMPS = 0, 1, 2, 3, 4, 8
NUMBER = 6


def dissect(layer: Layer) -> None:
    """Set ports, sequence numbers, flags, window, options and payload."""
    if layer.embedded:
        set_ports(layer, NUMBER)
        return
    whole = layer.captured >= HEADER_BYTES
    if not whole.all():
        _set_cut_header(layer.select(~whole))
        layer = layer.select(whole)
    if not len(layer):
        return
    header = layer.gather(_HEADER)
    put_ports(layer, NUMBER, header)
    offset_flags = header["offset_flags"].astype(np.uint16)
    layer.set("tcp_seq", header["seq"])
    layer.set("tcp_ack", header["ack"])
    layer.set("tcp_flags", offset_flags & np.uint16(0x0FFF))
    layer.set("tcp_window", header["window"])
    header_length = (offset_flags >> 12).astype(np.int64) * 4
    valid = header_length >= HEADER_BYTES
    cut = ~valid | (header_length > layer.captured)
    if cut.any():
        layer.set("tcp_header_cut", cut)
    if not valid.all():
        layer, header, header_length = layer.select(valid), header[valid], header_length[valid]
    set_payload(layer, header_length)
    option_bytes = np.minimum(header_length, layer.captured) - HEADER_BYTES
    usual = (option_bytes == 12) & (header["first_options"] == _NOP_NOP_TIMESTAMPS)
    layer.set("tcp_ts_val", np.where(usual, header["ts_val"], np.int64(-1)))
    layer.set("tcp_ts_ecr", np.where(usual, header["ts_ecr"], np.int64(-1)))
    unusual = ~usual & (option_bytes > 0)
    if unusual.any():
        layer = layer.select(unusual)
        _options(layer.frames.arrays, layer.rows, layer.gather(_OPTIONS, HEADER_BYTES), option_bytes[unusual])


def _set_cut_header(layer: Layer) -> None:
    """Set the fields that were captured of headers that were cut."""
    set_ports(layer, NUMBER)
    drop_cut_node(layer, PORTS_BYTES)
    layer.set("tcp_header_cut", values=True)
    for column, dtype, at in (("tcp_seq", ">u4", 4), ("tcp_ack", ">u4", 8), ("tcp_flags", ">u2", 12), ("tcp_window", ">u2", 14)):
        field = np.dtype(dtype)
        there = layer.require(at + field.itemsize)
        values = there.gather(field, at)
        there.set(column, values & 0x0FFF if column == "tcp_flags" else values)


def _options(
    arrays: dict[str, npt.NDArray[Any]], rows: npt.NDArray[np.int64], raw: npt.NDArray[np.uint8], length: npt.NDArray[np.int64]
) -> None:
    """Walk the option lists of all `rows` at once, one option a step; a row leaves when its list ends or makes no sense.

    Args:
        arrays: The batch's columns.
        rows: int64[m], packets.
        raw: uint8[m, 40], the options.
        length: int64[m], how many of those bytes are options that were captured.
    """
    at = np.zeros(len(rows), dtype=np.int64)
    index = np.arange(len(rows))
    padded = np.zeros((len(rows), 52), dtype=np.uint8)
    padded[:, :40] = raw
    while len(index):
        kind = padded[index, at[index]]
        step = padded[index, at[index] + 1].astype(np.int64)
        room = length[index] - at[index]
        nop = kind == _NOP
        step[nop] = 1
        valid = (kind != _END) & (nop | ((step >= 2) & (step <= room)))
        index, kind, step = index[valid], kind[valid], step[valid]
        for wanted, size in ((_MSS, 4), (_WINDOW_SCALE, 3), (_SACK_PERMITTED, 2), (_TIMESTAMPS, 10)):
            found = index[(kind == wanted) & (step == size)]
            if len(found):
                _set_option(arrays, rows[found], padded, found, at[found], wanted)
        at[index] += step
        index = index[at[index] < length[index]]


def _set_option(
    arrays: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    raw: npt.NDArray[np.uint8],
    found: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    kind: int,
) -> None:
    def number(first: int, size: int) -> npt.NDArray[np.int64]:
        value = np.zeros(len(found), dtype=np.int64)
        for byte in range(first, first + size):
            value = value << 8 | raw[found, at + byte]
        return value

    if kind == _MSS:
        arrays["tcp_mss"][rows] = number(2, 2)
    elif kind == _WINDOW_SCALE:
        arrays["tcp_window_scale"][rows] = number(2, 1)
    elif kind == _SACK_PERMITTED:
        arrays["tcp_sack_permitted"][rows] = True
    else:
        arrays["tcp_ts_val"][rows] = number(2, 4)
        arrays["tcp_ts_ecr"][rows] = number(6, 4)


PROTOCOL = Protocol("tcp", under={"ip.proto": (NUMBER,)}, dissect=dissect, rank=Rank.TRANSPORT, node_bytes=0, quoted_bytes=4)
