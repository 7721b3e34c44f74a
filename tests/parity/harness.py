"""Ingests captures and compares each with what Wireshark says."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import caphouse
from caphouse.ingest import pipeline
from caphouse.warehouse.store import Warehouse

from . import oracle, ours, tshark
from .compare import Comparison, compare
from .model import Capture


def stored(capture: Path) -> Capture:
    """The stored oracle of a capture of the corpus, completed by tshark where that is installed."""
    said = oracle.load(capture)
    return tshark.innermost(said, capture) if tshark.version() else said


def compare_all(captures: Sequence[Path], describe: Callable[[Path], Capture]) -> dict[str, Comparison]:
    """Ingest the captures in one go into a warehouse of their own and compare each.

    Args:
        captures: Files whose names differ; several may hold the same capture, plain and compressed.
        describe: Gives Wireshark's side of a capture.
    """
    with tempfile.TemporaryDirectory(prefix="caphouse-parity-") as folder:
        report = pipeline.ingest(Warehouse.create(folder), [str(capture) for capture in captures])
        identities = {Path(result.source).name: result.capture_id for result in report.results}
        with caphouse.open(folder) as session:
            found = ours.describe(session.connection)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # they wait for tshark
        said = pool.map(describe, captures)
        return {
            capture.name: compare(theirs, found[identities[capture.name] or ""]) for capture, theirs in zip(captures, said, strict=True)
        }
