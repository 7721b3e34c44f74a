"""What a reader of a warehouse sees, counted from its files and not from what `captures` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from caphouse.warehouse.store import Warehouse


def packets_by_file(place: Path | Warehouse) -> dict[str, int]:
    """Rows of `packets` that count, by file name; captures without packets have 0."""
    warehouse = place if isinstance(place, Warehouse) else Warehouse.open(place)
    snapshot = warehouse.snapshot()
    counts: dict[int, int] = {}
    for uri in snapshot.uris("packets"):
        for pair in pc.value_counts(pq.ParquetFile(uri).read(["ingest_id"])["ingest_id"]).to_pylist():
            counts[pair["values"]] = counts.get(pair["values"], 0) + pair["counts"]
    found: dict[str, int] = {}
    for row in snapshot.captures.select(["file_name", "ingest_id"]).to_pylist():
        found[row["file_name"]] = found.get(row["file_name"], 0) + counts.get(row["ingest_id"], 0)
    return found


def captures(place: Path | Warehouse) -> dict[str, dict[str, Any]]:
    """Rows of `captures` by file name."""
    warehouse = place if isinstance(place, Warehouse) else Warehouse.open(place)
    return {row["file_name"]: row for row in warehouse.snapshot().captures.to_pylist()}
