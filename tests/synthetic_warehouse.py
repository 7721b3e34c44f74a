"""Small captures made from the schema alone, and what the processes of the concurrency tests do with them."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from caphouse.warehouse import compaction
from caphouse.warehouse.errors import WarehouseConflict
from caphouse.warehouse.locations import Location
from caphouse.warehouse.schema import Type
from caphouse.warehouse.staging import DataFile
from caphouse.warehouse.store import CommitResult, Warehouse
from caphouse.warehouse.tables import BY_NAME

DAY_NS = 86_400_000_000_000
FIRST_DAY = dt.date(2026, 3, 1)

FILLERS = {Type.BOOLEAN: False, Type.VARCHAR: "x", Type.VARCHAR_MAP: [], Type.BIGINT_MAP: [], Type.VARCHAR_LIST: []}


def table(name: str, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """Rows of a table: the columns given, a filler in the others that may not be NULL, NULL in the rest."""
    rows = len(next(iter(columns.values())))
    filled: dict[str, Sequence[object]] = {
        column.name: columns.get(column.name, [None if column.nullable else FILLERS.get(column.type, 0)] * rows)
        for column in BY_NAME[name].stored
    }
    return pa.table(filled, schema=BY_NAME[name].arrow_schema)


def capture_id(name: str) -> str:
    """The identity of the content that `name` stands for."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Synthetic:
    """One capture: its row and its rows, under a fresh `ingest_id`."""

    row: dict[str, object]
    tables: dict[str, pa.Table]
    date: dt.date

    @property
    def ingest_id(self) -> int:
        """The attempt."""
        value = self.row["ingest_id"]
        assert isinstance(value, int)
        return value


def capture(name: str, *, packets: int = 40, day: int = 0, flows: int = 4, **row: Any) -> Synthetic:
    """A capture whose rows follow from `name` and the sizes, apart from its `ingest_id`.

    Args:
        name: Stands for the content: captures of the same name have the same `capture_id`.
        packets: Number of packets; dealt out to the flows in turn.
        day: Days after `FIRST_DAY`.
        flows: Number of flows.
        row: Columns of `captures` to set.
    """
    ingest_id = secrets.randbelow(2**63 - 1) + 1
    date = FIRST_DAY + dt.timedelta(days=day)
    start = (date - dt.date(1970, 1, 1)).days * DAY_NS + 3_600_000_000_000
    times = [start + 1_000_000 * index for index in range(packets)]
    flow_of = [index % flows for index in range(packets)]
    in_flow = [flow_of.count(flow) for flow in range(flows)]
    octet = int(capture_id(name)[:2], 16)
    addresses = [f"10.0.{octet}.{flow}" for flow in range(flows)]
    full = {
        "capture_id": capture_id(name),
        "ingest_id": ingest_id,
        "source_uri": f"/captures/{name}.pcap",
        "file_name": f"{name}.pcap",
        "tags": {},
        "link_types": ["ETHERNET"],
        "file_bytes": 24 + 100 * packets,
        "content_bytes": 24 + 100 * packets,
        "modified_ns": start,
        "first_ts_ns": times[0],
        "last_ts_ns": times[-1],
        "date": date,
        "packets": packets,
        "captured_bytes": 84 * packets,
        "wire_bytes": 84 * packets,
        "truncated_packets": 0,
        "undecoded_packets": 0,
        "out_of_order_packets": 0,
        "unread_records": 0,
        "unread_reasons": {},
        "status": "complete",
        "decoder_version": 1,
        "ingested_ns": start + DAY_NS,
    } | row
    tables = {
        "interfaces": table("interfaces", {"ingest_id": [ingest_id], "interface_id": [0], "link_type": ["ETHERNET"]}),
        "packets": table(
            "packets",
            {
                "ingest_id": [ingest_id] * packets,
                "frame_number": list(range(1, packets + 1)),
                "ts_ns": times,
                "flow_id": flow_of,
                "protocols": ["eth:ip:tcp"] * packets,
                "src_ip": [addresses[flow] for flow in flow_of],
                "wire_length": [84] * packets,
                "captured_length": [84] * packets,
            },
        ),
        "flows": table(
            "flows",
            {
                "ingest_id": [ingest_id] * flows,
                "flow_id": list(range(flows)),
                "client_ip": addresses,
                "protocols": ["eth:ip:tcp"] * flows,
                "packets_to_server": in_flow,
                "bytes_to_server": [84 * count for count in in_flow],
                "first_ts_ns": times[:flows],
                "last_ts_ns": times[-flows:],
            },
        ),
        "flow_minutes": table(
            "flow_minutes",
            {
                "ingest_id": [ingest_id] * flows,
                "flow_id": list(range(flows)),
                "minute": [start // 60_000_000_000] * flows,
                "packets_to_server": in_flow,
                "bytes_to_server": [84 * count for count in in_flow],
            },
        ),
        "handshakes": table(
            "handshakes",
            {
                "ingest_id": [ingest_id] * flows,
                "tcp_stream": list(range(flows)),
                "first_ts_ns": times[:flows],
            },
        ),
        "addresses": table(
            "addresses", {"ingest_id": [ingest_id] * flows, "ip": addresses, "family": [4] * flows, "hex": ["0" * 32] * flows}
        ),
    }
    return Synthetic(full, tables, date)


def stage(warehouse: Warehouse, captures: list[Synthetic]) -> list[DataFile]:
    """Write the rows of some captures."""
    with warehouse.writer() as writer:
        for item in captures:
            for name, rows in item.tables.items():
                writer.write(name, rows, item.date)
        return writer.finish()


def ingest(warehouse: Warehouse, captures: list[Synthetic], *, instead_of: Mapping[int, int] | None = None) -> CommitResult:
    """Write and commit some captures."""
    return warehouse.commit(stage(warehouse, captures), [item.row for item in captures], instead_of=instead_of)


def read(uri: str, columns: list[str] | None = None) -> pa.Table:
    """Rows of a data file, wherever it is."""
    location = Location.parse(uri)
    return pq.ParquetFile(location.path, filesystem=location.filesystem()).read(columns=columns)


def live(warehouse: Warehouse, name: str) -> pa.Table:
    """The rows of a table that count, as a reader sees them."""
    snapshot = warehouse.snapshot([name])
    pieces = [read(path) for path in snapshot.uris(name)]
    rows = pa.concat_tables(pieces) if pieces else BY_NAME[name].arrow_schema.empty_table()
    return rows.filter(pc.is_in(rows["ingest_id"], pa.array(sorted(snapshot.ingest_ids), pa.int64())))


def ingest_all(path: str, names: list[str], per_commit: int, seed: int) -> None:
    """A process that ingests captures, in an order of its own, `per_commit` at a time, whatever is there already."""
    warehouse = Warehouse.open_or_create(path)
    known = warehouse.known()
    names = [name for name in random.Random(seed).sample(names, len(names)) if not known.has(capture_id(name), 1)]
    for start in range(0, len(names), per_commit):
        for _ in range(100):
            try:
                ingest(warehouse, [capture(name, day=int(name) % 3) for name in names[start : start + per_commit]])
            except WarehouseConflict:
                continue
            break
        else:
            raise AssertionError("never let in")


def compact_until(path: str, stop: Event) -> None:
    """A process that compacts again and again, and spares no attempt that does not count yet."""
    compaction.GRACE_SECONDS = -1
    warehouse = Warehouse.open(path)
    while not stop.is_set():
        compaction.compact(warehouse)


def grow(path: str, steps: int) -> None:
    """A process that ingests a file again and again while it grows by ten packets at a time."""
    warehouse = Warehouse.open(path)
    for step in range(1, steps + 1):
        item = capture(f"step {step}", packets=10 * step, source_uri="/ring/x.pcap", status="growing" if step < steps else "complete")
        ingest(warehouse, [item])


def read_until(path: str, stop: Event, results: list[str]) -> None:
    """A process that looks again and again, and reports captures of which it does not see all rows."""
    warehouse = Warehouse.open(path)
    looks = 0
    while not stop.is_set():
        snapshot = warehouse.snapshot()
        looks += 1
        for name in ("packets", "flows"):
            seen = Counter[int]()
            for uri in snapshot.uris(name):
                seen.update(read(uri, ["ingest_id"])["ingest_id"].to_pylist())
            for row in snapshot.captures.select(["capture_id", "ingest_id", "packets"]).to_pylist():
                expected = row["packets"] if name == "packets" else 4
                if seen[row["ingest_id"]] != expected:
                    results.append(f"{name} of {row['capture_id'][:8]}: {seen[row['ingest_id']]} rows where {expected} are right")
    results.append(f"looks {looks}")
