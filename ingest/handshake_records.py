"""The answers about one connection as a record of numbers: what both ways of finding them give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .formats.base import NO_TIME
from .handshake_rules import Handshake
from .handshake_segments import Segment

STATUSES = (
    "complete", "simultaneous", "refused", "unanswered", "half-open", "reset-by-client", "no-synack", "bad-synack", "no-syn", "midstream",
)  # fmt: skip
_SEGMENTS = ("syn", "syn_ack", "ack")
DURATIONS = ("rtt_ns", "rtt_last_syn_ns", "client_rtt_ns", "handshake_ns", "initial_rtt_ns", "rst_rtt_ns")
_COUNTS = ("syn_count", "syn_ack_count", "syn_sides", "duplicates")
_OPTIONS = ("mss", "window_scale", "sack_permitted")

RECORD = np.dtype(
    [
        ("status", np.int8),
        ("client_side", np.int8),
        *((f"{name}_ts_ns", np.int64) for name in _SEGMENTS),
        *((f"{name}_frame", np.int64) for name in _SEGMENTS),
        *((name, np.int64) for name in DURATIONS),
        *((name, np.int32) for name in _COUNTS),
        ("retransmitted", np.bool_),
        ("reordered", np.bool_),
        ("tcp_fast_open", np.bool_),
        ("tcp_fast_open_accepted", np.int8),
        ("interface_id", np.int32),
        *((f"{side}_isn", np.int64) for side in ("client", "server")),
        *((f"{side}_{option}", np.int32) for side in ("client", "server") for option in _OPTIONS),
        ("last_ns", np.int64),
    ]
)
"""Fields by the names of the columns of `handshakes`; NULL is `NO_TIME` for times and durations, -1 for other numbers.

`client_side` is 0 or 1 for the first or second of the stream's endpoints, `last_ns` the time of the handshake's last segment.
"""


def no_records(size: int) -> npt.NDArray[np.void]:
    """Records of streams without any SYN."""
    records = np.full(size, -1, dtype=RECORD)
    for name in (*(f"{name}_ts_ns" for name in _SEGMENTS), *DURATIONS, "last_ns"):
        records[name] = NO_TIME
    for name in (*_COUNTS, "retransmitted", "reordered", "tcp_fast_open"):
        records[name] = 0
    records["status"] = STATUSES.index("midstream")
    return records


def to_record(handshake: Handshake) -> npt.NDArray[np.void]:
    """One handshake as a record of shape (1,)."""
    record = no_records(1)
    record["status"] = STATUSES.index(handshake.status)
    for name in (*_COUNTS, "retransmitted", "reordered", "tcp_fast_open", "last_ns"):
        record[name] = getattr(handshake, name)
    optional = {name: getattr(handshake, name) for name in (*DURATIONS, "tcp_fast_open_accepted")}
    optional["client_side"] = handshake.client
    for name in _SEGMENTS:
        optional |= _fields(getattr(handshake, name), {f"{name}_ts_ns": "ts_ns", f"{name}_frame": "frame"})
    optional |= _fields(handshake.syn, {"interface_id": "interface_id"})
    for side, source in (("client", handshake.syn), ("server", handshake.server)):
        optional |= _fields(source, {f"{side}_isn": "seq"} | {f"{side}_{option}": option for option in _OPTIONS})
    for name, value in optional.items():
        if value is not None:
            record[name] = value
    return record


def _fields(segment: Segment | None, names: dict[str, str]) -> dict[str, int]:
    """Fields of a segment under the names of a record's; nothing without a segment."""
    return {} if segment is None else {name: getattr(segment, field) for name, field in names.items()}
