"""Decoded columns to rows of `packets`, as Arrow sees them: validity bitmaps where a value is absent, dictionaries for text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.arrays import Rows, arrow
from ..warehouse.tables import PACKETS
from .columns import Columns
from .formats.base import LARGEST_FRAME_LENGTH, NO_TIME
from .formats.link_types import link_type_name
from .keys import group
from .paths import Paths

Int32 = npt.NDArray[np.int32]


def packet_rows(
    columns: Columns,
    *,
    ingest_id: int,
    stream: Int32,
    flow_id: Int32,
    application: npt.NDArray[np.int16],
    application_names: list[str],
    paths: Paths,
) -> Rows:
    """Rows of `packets` for one batch.

    Args:
        columns: The decoded batch of n packets.
        ingest_id: The attempt that the rows belong to.
        stream: int32[n], TCP or UDP conversation, -1 for none.
        flow_id: int32[n], rows of `flows`.
        application: int16[n], index into `application_names`, -1 for none.
        application_names: Names of the application protocols.
        paths: The decoder's protocol paths.

    Returns:
        The columns of `PACKETS.arrow_schema`, text dictionary-encoded.
    """
    size = len(columns)
    has_ip = columns.ip_version >= 0
    texts = columns.addresses.text
    arrays: dict[str, pa.Array] = {
        "ingest_id": arrow(np.full(size, ingest_id, dtype=np.int64)),
        "frame_number": arrow(np.arange(columns.first_frame, columns.first_frame + size, dtype=np.int64)),
        "ts_ns": arrow(columns.ts_ns, columns.ts_ns != NO_TIME),
        "wire_length": arrow(np.minimum(columns.wire_length, LARGEST_FRAME_LENGTH)),
        "link_type": _link_types(columns.link_type),
        "protocols": _protocols(columns.path, application, application_names, paths),
        "eth_src": _text(columns.eth_src, columns.macs),
        "eth_dst": _text(columns.eth_dst, columns.macs),
        "ip_more_fragments": arrow(columns.ip_more_fragments, has_ip),
        "in_icmp_error": arrow(columns.in_icmp_error),
        "tcp_sack_permitted": arrow(columns.tcp_sack_permitted, columns.tcp_flags >= 0),
        "stream": _number(stream, pa.int32()),
        "flow_id": _number(flow_id, pa.int32()),
        "application": _text(application, pa.array(application_names, pa.string())),
    }
    for name in ("src_ip", "dst_ip", "tunnel_src_ip", "tunnel_dst_ip", "error_src_ip", "error_dst_ip"):
        arrays[name] = _text(getattr(columns, name), texts)
    for name, kind in _TYPES.items():
        if name not in arrays:
            arrays[name] = _number(getattr(columns, name), kind)
    return arrays


_TYPES = {field.name: field.type for field in PACKETS.arrow_schema}


def _number(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Integers of the column's type, NULL where they are negative."""
    if not len(values):
        return pa.array([], kind)
    if values.strides == (0,) and values[0] < 0:
        return pa.nulls(len(values), kind)
    # One pass that most columns of most batches pass or fail as a whole.
    if values.min() >= 0:
        return arrow(values.astype(kind.to_pandas_dtype(), copy=False))
    if values.max() < 0:
        return pa.nulls(len(values), kind)
    return arrow(values.astype(kind.to_pandas_dtype(), copy=False), values >= 0)


def _text(indexes: npt.NDArray[Any], texts: pa.Array) -> pa.Array:
    """Dictionary array over `texts`, NULL where the index is negative."""
    if not len(indexes) or indexes.max() < 0:
        return pa.DictionaryArray.from_arrays(pa.nulls(len(indexes), pa.int32()), texts.slice(0, 0))
    return pa.DictionaryArray.from_arrays(_number(indexes, pa.int32()), texts, safe=False)


def _link_types(link_types: Int32) -> pa.Array:
    # Of nearly all captures all packets have the same, and one comparison costs far less than hashing.
    if (link_types == link_types[:1]).all():
        codes, first = np.zeros(len(link_types), dtype=np.int32), np.arange(min(len(link_types), 1))
    else:
        codes, first = group(link_types)
    names = pa.array([link_type_name(number) for number in link_types[first].tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(arrow(codes), names, safe=False)


def _protocols(path: Int32, application: npt.NDArray[np.int16], names: list[str], paths: Paths) -> pa.Array:
    """The packets' paths with the application, where there is one, as last item."""
    width = len(names) + 1
    numbers = path.astype(np.int64) * width + (application + np.int64(1))
    codes, first = group(numbers)
    texts = []
    for code in numbers[first].tolist():
        number, label = divmod(code, width)
        texts.append(f"{paths.texts[number]}:{names[label - 1]}" if label else paths.texts[number])
    return pa.DictionaryArray.from_arrays(arrow(codes), pa.array(texts, pa.string()), safe=False)
