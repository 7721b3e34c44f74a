"""What a warehouse takes on disk."""

from __future__ import annotations

from pathlib import Path


def parquet_bytes(warehouse: Path) -> dict[str, int]:
    """Bytes of Parquet by table; Delta's own log and checkpoints are listed as such."""
    sizes: dict[str, int] = {}
    for file in warehouse.rglob("*"):
        if file.is_file():
            parts = file.relative_to(warehouse).parts
            table = "transaction logs" if "_delta_log" in parts else parts[0]
            sizes[table] = sizes.get(table, 0) + file.stat().st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
