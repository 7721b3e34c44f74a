"""Start-up loads nothing heavy and takes little time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from caphouse.warehouse.store import Warehouse

HEAVY = ("duckdb", "pyarrow", "scapy", "numpy", "deltalake", "rich", "blake3")


def _fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["report", "--help"], ["report", "ports", "--help"], ["ingest", "--help"], ["sql", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from caphouse.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    assert _fresh(code).rstrip().endswith("loaded: []")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, caphouse; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert _fresh(code).strip() == "[]"


def test_help_takes_a_quarter_of_a_second_of_cpu() -> None:
    code = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "caphouse.cli.main", "--help"], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""
    assert min(float(_fresh(code)) for _ in range(3)) < 0.25


def test_a_question_loads_no_arrow(tmp_path: Path) -> None:
    """A tenth of a second, of the three that an answer about a day may take."""
    Warehouse.create(tmp_path / "w")
    code = f"""
import sys
from caphouse.cli.main import main
try:
    main(["report", "ports", "--since", "2026-03-01", "--warehouse", {str(tmp_path / "w")!r}, "--format", "csv"])
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", [name for name in ("pyarrow", "fsspec", "numpy", "scapy", "rich", "pydantic") if name in sys.modules])
"""
    assert _fresh(code).rstrip().endswith("loaded: []")
