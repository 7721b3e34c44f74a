"""What readers of a warehouse see, row by row, held against what a quiet ingest of the same captures gave."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING

import caphouse
from caphouse.warehouse.tables import CAPTURES, TABLES

if TYPE_CHECKING:
    from caphouse.queries.engine import Session

Fingerprint = tuple[int, int]
"""Number of rows and the sum of their hashes."""

Fingerprints = dict[str, dict[str, Fingerprint]]
"""Per table, per `capture_id`."""

RECEIPTS = {
    "packets": "count(*)",
    "flows": "sum(packets_to_server + packets_to_client)",
    "flow_minutes": "sum(packets_to_server + packets_to_client)",
}
"""What must be equal to `captures.packets`, per capture."""


@dataclass
class Look:
    """What one look at the warehouse showed.

    Attributes:
        packets: Packets by file name.
        pruned: File names of captures whose packets were given up.
        complaints: What is not as it should be.
    """

    packets: dict[str, int] = field(default_factory=dict)
    pruned: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


def fingerprints(session: Session) -> Fingerprints:
    """All rows of all tables, apart from the attempt that wrote them."""
    found: Fingerprints = {}
    for table in TABLES:
        if table is not CAPTURES:
            rows = session.sql(
                f"select capture_id, count(*), sum(hash(t)::hugeint) from (select * exclude (ingest_id) from {table.name}) t group by all"
            ).fetchall()
            found[table.name] = {capture_id: (count, total) for capture_id, count, total in rows}
    return found


def look(session: Session, right: Fingerprints) -> Look:
    """Check every capture of one snapshot: each table has all of its rows, or the capture is not there.

    Args:
        session: The warehouse at one moment.
        right: What a quiet ingest gave; a capture that it does not have was still growing, and is held against its receipt alone.
    """
    seen = Look()
    rows = session.sql("select capture_id, file_name, packets, packets_pruned_ns is not null from captures").fetchall()
    found = fingerprints(session)
    receipts = {
        table: dict(session.sql(f"select capture_id, {number}::bigint from {table} group by all").fetchall())
        for table, number in RECEIPTS.items()
    }
    for capture_id, name, packets, is_pruned in rows:
        if name in seen.packets:
            seen.complaints.append(f"{name}: in captures twice")
        seen.packets[name] = packets
        if is_pruned:
            seen.pruned.add(name)
        for table in found:
            there, receipt = found[table].get(capture_id, (0, 0)), receipts.get(table, {}).get(capture_id, 0)
            if table == "packets" and is_pruned and there[0] == 0:
                continue
            if table in receipts and receipt != packets:
                seen.complaints.append(f"{name}: {table} holds {receipt} packets where {packets} are right")
            elif capture_id in right["packets"] and there != right[table].get(capture_id, (0, 0)):
                seen.complaints.append(f"{name}: {there[0]} rows of {table}, not those that are right")
    return seen


def look_until(place: str, right: Fingerprints, horizon: float, stop: Event, lines: list[str]) -> None:
    """A process that looks again and again.

    Args:
        place: The warehouse.
        right: See `look`.
        horizon: Seconds after which files that are no longer part of the warehouse may be gone.
        stop: Ends it.
        lines: Gets what is not as it should be, and how often it looked.
    """
    looks = overtaken = most = 0
    session = caphouse.open(place)
    while not stop.is_set():
        began = time.monotonic()
        try:
            if looks % 3 == 0:
                session.close()
                session = caphouse.open(place)
            else:
                session.refresh()
            seen = look(session, right)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what a reader got
            if time.monotonic() - began > horizon:
                overtaken += 1
            else:
                lines.append(f"a reader got {type(error).__name__}: {str(error)[:300]}")
        else:
            looks += 1
            most = max(most, len(seen.packets))
            lines.extend(seen.complaints)
    lines.append(f"looked {looks} times, at {most} captures at most; {overtaken} looks took longer than files are kept")
