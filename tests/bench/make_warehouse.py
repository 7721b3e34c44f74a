"""Makes a large warehouse from a few captures that are really ingested: their rows again and again, at other times, on other hosts.

    PYTHONPATH=tests python -m bench.make_warehouse OUT CAPTURES [PACKETS_PER_CAPTURE [CAPTURES_PER_COMMIT]]

The servers are the same all the time, as a site's are; the clients of each copy are others, drawn from a large crowd, because rows
that only repeat would be unlike any warehouse: they group, compress and sort far better.
"""

from __future__ import annotations

import itertools
import random
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import blake3
import numpy as np
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
STEP = 7919
"""Prime, so that the clients of one copy are all different."""


@dataclass(frozen=True)
class Crowd:
    """All clients of one IP version that the warehouse may see.

    Attributes:
        version: Of IP.
        size: How many there are.
        servers: Networks that are no clients, nor are multicast addresses.
    """

    version: int
    size: int
    servers: IPv4Network | IPv6Network

    @cached_property
    def names(self) -> dict[str, pa.Array]:
        """Their addresses, as the columns `ip` and `hex` have them."""
        draw = random.Random(self.version)
        if self.version == 4:
            numbers = draw.sample(range(0x0B000000, 0xDF000000), self.size)
            return _names([IPv4Address(number) for number in numbers])
        return _names([IPv6Address(0x20010DB8 << 96 | draw.getrandbits(96)) for _ in range(self.size)])

    def has(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether an address of a template stands for a client."""
        return address.version == self.version and address not in self.servers and not address.is_multicast


CROWDS = (Crowd(4, 100_000, IPv4Network("10.0.0.0/8")), Crowd(6, 10_000, IPv6Network("2001:db8:1::/64")))


@dataclass(frozen=True)
class Template:
    """The rows of one capture, with addresses as dictionaries.

    Attributes:
        capture: Its row of `captures`.
        tables: Its rows of the others.
        clients: Number of each client, from 0 for each IP version, by its address and by the address as hex digits.
    """

    capture: dict[str, Any]
    tables: dict[str, pa.Table]
    clients: tuple[dict[str, int], ...]


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
    turns = copies(captures)
    while batch := list(itertools.islice(turns, per_commit)):
        writer = warehouse.writer()
        rows = []
        for copy in batch:
            # Each host sees all of them in the course of time.
            capture, tables = replicate(templates[(copy.number + copy.number // HOSTS) % TEMPLATES], copy)
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
        tables = {name: _encoded(table.filter(wanted).combine_chunks()) for name, table in read.items()}
        found = [ip_address(text) for text in sorted(set(tables["addresses"].column("ip").to_pylist()))]
        clients = []
        for crowd in CROWDS:
            names = _names([address for address in found if crowd.has(address)])
            clients.append({name: number for column in names.values() for number, name in enumerate(column.to_pylist())})
        yield Template(named, tables, tuple(clients))


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
    moved = {name: _moved(table, shift, ingest_id) for name, table in template.tables.items()}
    return capture, {name: _renamed(table, template, copy.number) for name, table in moved.items()}


def _names(addresses: list[IPv4Address] | list[IPv6Address] | list[IPv4Address | IPv6Address]) -> dict[str, pa.Array]:
    """Addresses as text, and as the 32 hex digits of their 16 bytes, IPv4 mapped."""
    hexes = [f"{int(address) | (0xFFFF << 32 if address.version == 4 else 0):032x}" for address in addresses]
    return {"ip": pa.array(map(str, addresses), pa.string()), "hex": pa.array(hexes, pa.string())}


def _encoded(table: pa.Table) -> pa.Table:
    columns = {name: table.column(name) for name in table.column_names}
    return pa.table({name: column.dictionary_encode() if _is_address(name) else column for name, column in columns.items()})


def _renamed(table: pa.Table, template: Template, copy: int) -> pa.Table:
    """The rows with the clients of a copy."""
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if _is_address(name):
            array = column.combine_chunks()
            array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
            names = array.dictionary
            for crowd, clients in zip(CROWDS, template.clients, strict=True):
                numbers = np.array([clients.get(text, -1) for text in names.to_pylist()], dtype=np.int64)
                places = pa.array((copy * 104_729 + numbers * STEP) % crowd.size)
                others = crowd.names["hex" if name == "hex" else "ip"].take(places)
                names = pc.if_else(pa.array(numbers >= 0, pa.bool_()), others, names)
            column = pa.DictionaryArray.from_arrays(array.indices, names)
        columns[name] = column
    return pa.table(columns)


def _is_address(column: str) -> bool:
    return column in {"ip", "hex"} or column.endswith("_ip")


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
