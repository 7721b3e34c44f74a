"""The answers about connections as numbers: what both ways of finding them give."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .formats.base import NO_TIME
from .handshake_log import MASK
from .handshake_rules import Handshake
from .handshake_segments import Segment

STATUSES = (
    "complete", "simultaneous", "refused", "unanswered", "half-open", "reset-by-client", "no-synack", "bad-synack", "no-syn", "midstream",
)  # fmt: skip
_SEGMENTS = ("syn", "syn_ack", "ack")
DURATIONS = ("rtt_ns", "rtt_last_syn_ns", "client_rtt_ns", "handshake_ns", "initial_rtt_ns", "rst_rtt_ns")
_COUNTS = ("syn_count", "syn_ack_count", "syn_sides", "duplicates")
_OPTIONS = ("mss", "window_scale", "sack_permitted")
_MARKS = ("retransmitted", "reordered", "tcp_fast_open")
_SIDES = ("client", "server")

FIELDS: dict[str, type[np.generic]] = {
    "status": np.int8,
    "client_side": np.int8,
    **{f"{name}_ts_ns": np.int64 for name in _SEGMENTS},
    **{f"{name}_frame": np.int64 for name in _SEGMENTS},
    **dict.fromkeys(DURATIONS, np.int64),
    **dict.fromkeys(_COUNTS, np.int32),
    **dict.fromkeys(_MARKS, np.bool_),
    "tcp_fast_open_accepted": np.int8,
    "interface_id": np.int32,
    **{f"{side}_isn": np.int64 for side in _SIDES},
    **{f"{side}_{option}": np.int32 for side in _SIDES for option in _OPTIONS},
    "last_ns": np.int64,
}
"""Types by the names of the columns of `handshakes`; NULL is `NO_TIME` for times and durations, -1 for other numbers.

`client_side` is 0 or 1 for the first or second of the stream's endpoints, `last_ns` the time of the handshake's last segment.
"""

Records = dict[str, npt.NDArray[Any]]
"""Answers about several connections: an array for each of `FIELDS`."""


def no_records(size: int) -> Records:
    """Records of streams without any SYN."""
    records: Records = {}
    for name, dtype in FIELDS.items():
        absent = NO_TIME if name.endswith("_ns") else 0 if name in {*_COUNTS, *_MARKS} else -1
        records[name] = np.full(size, absent, dtype=dtype)
    records["status"][:] = STATUSES.index("midstream")
    return records


def put(records: Records, place: int, handshake: Handshake) -> None:
    """Set the record at `place` to one handshake; it was one of `no_records`."""
    records["status"][place] = STATUSES.index(handshake.status)
    values = {name: getattr(handshake, name) for name in (*_COUNTS, *_MARKS, *DURATIONS, "last_ns", "tcp_fast_open_accepted")}
    values["client_side"] = handshake.client
    for name in _SEGMENTS:
        values |= _fields(getattr(handshake, name), {f"{name}_ts_ns": "ts_ns", f"{name}_frame": "frame"})
    values |= _fields(handshake.syn, {"interface_id": "interface_id"})
    for side, source in zip(_SIDES, (handshake.syn, handshake.server), strict=True):
        values |= _fields(source, {f"{side}_isn": "seq"} | {f"{side}_{option}": option for option in _OPTIONS})
    if handshake.syn is None and handshake.syn_ack is not None:
        values["client_isn"] = (handshake.syn_ack.ack - 1) & MASK
    for name, value in values.items():
        if value is not None:
            records[name][place] = value


def _fields(segment: Segment | None, names: dict[str, str]) -> dict[str, int]:
    """Fields of a segment under the names of a record's; nothing without a segment."""
    return {} if segment is None else {name: getattr(segment, field) for name, field in names.items()}
