"""Ingests captures and compares each with what Wireshark says."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import caphouse

from . import oracle, ours, tshark
from .compare import Comparison, compare
from .model import Capture

SOME_UNREADABLE = 3
"""Exit code of an ingest that could not read some captures; the others are in."""


def stored(capture: Path) -> Capture:
    """The stored oracle of a capture of the corpus, completed by tshark where that is installed."""
    said = oracle.load(capture)
    return tshark.innermost(said, capture) if tshark.version() else said


def compare_all(captures: Sequence[Path], describe: Callable[[Path], Capture]) -> dict[str, Comparison]:
    """Ingest the captures in one command into a warehouse of their own and compare each.

    Args:
        captures: Files whose names differ.
        describe: Gives Wireshark's side of a capture.
    """
    with tempfile.TemporaryDirectory(prefix="caphouse-parity-") as folder:
        command = [sys.executable, "-m", "caphouse.cli.main", "ingest", "--warehouse", folder, *map(str, captures)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in {0, SOME_UNREADABLE}:
            message = f"the ingest ended with exit code {done.returncode}: {done.stderr}"
            raise RuntimeError(message)
        connection = caphouse.open(folder).connection
        identities = ours.capture_ids(connection)
        return {capture.name: compare(describe(capture), ours.describe(connection, identities[capture.name])) for capture in captures}
