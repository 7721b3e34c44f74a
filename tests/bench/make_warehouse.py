"""Makes a large warehouse from a few captures that are really ingested: their rows again and again, at other times, on other hosts.

PYTHONPATH=tests python -m bench.make_warehouse OUT CAPTURES [PACKETS_PER_CAPTURE [CAPTURES_PER_COMMIT]]
"""

from __future__ import annotations

import itertools
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import blake3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from caphouse.ingest import pipeline
from caphouse.warehouse.store import Warehouse, utc_date
from caphouse.warehouse.tables import CAPTURES, TABLES

from .make_capture import Traffic, pcap

TEMPLATES = 20
HOSTS = 20
DAYS = 90
FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
PACKETS_PER_CONNECTION = 44
MINUTE_NS = 60_000_000_000
DATA_TABLES = [table.name for table in TABLES if table is not CAPTURES]


@dataclass(frozen=True)
class Template:
    """The rows of one capture."""

    capture: dict[str, Any]
    tables: dict[str, pa.Table]


@dataclass(frozen=True)
class Copy:
    """What a copy of a template is called, and when it was captured."""

    number: int
    first_ns: int

    @property
    def host(self) -> str:
        """The machine that captured it."""
        return f"host{self.number % HOSTS:02}"


def make(out: Path, captures: int, packets: int, per_commit: int) -> None:
    """Make the warehouse at `out`."""
    with tempfile.TemporaryDirectory(prefix="caphouse-bench-") as folder:
        templates = list(ingested(Path(folder), packets))
    warehouse = Warehouse.create(out)
    turns = zip(copies(captures), itertools.cycle(templates), strict=False)
    while batch := list(itertools.islice(turns, per_commit)):
        writer = warehouse.writer()
        rows = []
        for copy, template in batch:
            capture, tables = replicate(template, copy)
            for name, table in tables.items():
                writer.write(name, table, capture["date"])
            rows.append(capture)
        warehouse.commit(writer.finish(), rows)


def copies(captures: int) -> Iterator[Copy]:
    """As many copies, evenly over the days and over each day, on whole minutes."""
    for number in range(captures):
        moment = FIRST_DAY + timedelta(minutes=number * DAYS * 1440 // captures)
        yield Copy(number, int(moment.timestamp()) * 1_000_000_000)


def ingested(folder: Path, packets: int) -> Iterator[Template]:
    """The rows of captures with about as many packets each, which a real ingest wrote."""
    files = []
    for seed in range(TEMPLATES):
        files.append(folder / f"{seed}.pcap")
        files[-1].write_bytes(b"".join(pcap(Traffic(max(8, packets // PACKETS_PER_CONNECTION), seed).make()[:packets])))
    warehouse = Warehouse.create(folder / "warehouse")
    pipeline.ingest(warehouse, [str(file) for file in files])
    snapshot = warehouse.snapshot()
    read = {name: pa.concat_tables(pq.ParquetFile(uri).read() for uri in snapshot.uris(name)) for name in DATA_TABLES}
    for capture in snapshot.captures.to_pylist():
        wanted = pc.field("ingest_id") == capture["ingest_id"]
        # Maps come out as lists of pairs.
        named = {name: dict(value) if name in {"tags", "unread_reasons"} else value for name, value in capture.items()}
        yield Template(named, {name: table.filter(wanted) for name, table in read.items()})


def replicate(template: Template, copy: Copy) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """A row of `captures` and the rows of the other tables, as another capture would have given them."""
    shift = -((template.capture["first_ts_ns"] - copy.first_ns) // MINUTE_NS) * MINUTE_NS
    ingest_id = secrets.randbits(63)
    capture = {name: value + shift if _is_instant(name) and value is not None else value for name, value in template.capture.items()}
    capture |= {
        "capture_id": blake3.blake3(str(copy.number).encode()).hexdigest(),
        "ingest_id": ingest_id,
        "file_name": f"{copy.number:06}.pcap",
        "source_uri": f"file:///captures/{copy.host}/{copy.number:06}.pcap",
        "host": copy.host,
        "modified_ns": copy.first_ns,
        "ingested_ns": copy.first_ns,
        "date": utc_date(capture["first_ts_ns"]),
    }
    return capture, {name: _moved(table, shift, ingest_id) for name, table in template.tables.items()}


def _moved(table: pa.Table, shift: int, ingest_id: int) -> pa.Table:
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if name == "ingest_id":
            column = pa.repeat(pa.scalar(ingest_id, column.type), len(table))
        elif name == "minute":
            column = pc.add(column, pa.scalar(shift // MINUTE_NS, column.type))
        elif _is_instant(name):
            column = pc.add(column, pa.scalar(shift, column.type))
        columns[name] = column
    return pa.table(columns)


def _is_instant(column: str) -> bool:
    return column.endswith("ts_ns")


def main() -> None:
    """Make a warehouse as the command line says."""
    out, captures, packets, per_commit = (*sys.argv[1:], *("5000", "10")[len(sys.argv) - 3 :])
    make(Path(out), int(captures), int(packets), int(per_commit))


if __name__ == "__main__":
    main()
