"""Start-up loads nothing heavy and takes little time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from caphouse.cli.main import build
from caphouse.warehouse.store import Warehouse

SAMPLES = Path(__file__).parents[2] / "samples"

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


@pytest.mark.parametrize(
    "question", [["report", "ports", "--since", "2026-03-01"], ["report", "rtt"], ["sql", "select src_ip from packets order by 1"]]
)
def test_a_question_loads_no_arrow(tmp_path: Path, question: list[str]) -> None:
    """A tenth of a second, of the three that an answer about a day may take; half as much for what Python has of DuckDB."""
    Warehouse.create(tmp_path / "w")
    code = f"""
import sys
from caphouse.cli.main import main
try:
    main([*{question!r}, "--warehouse", {str(tmp_path / "w")!r}, "--format", "csv"])
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", [name for name in ("pyarrow", "fsspec", "numpy", "scapy", "rich", "pydantic", "duckdb") if name in sys.modules])
"""
    assert _fresh(code).rstrip().endswith("loaded: []")


LOADED_FOR_NOTHING = (
    "pyarrow.compute", "pyarrow.parquet", "pyarrow.fs", "numpy.ma", "ssl", "hashlib", "duckdb", "scapy", "rich", "pydantic", "pandas",
)  # fmt: skip


def test_an_ingest_loads_neither_what_it_does_not_need_nor_arrows_functions(tmp_path: Path) -> None:
    """80 ms of them, a fifth of what a small capture takes; neither the first time, when the warehouse is made, nor the next."""
    for capture in ("office/notebook.pcapng", "formats/tunnels.pcap"):
        code = f"""
import sys
from caphouse.cli.main import main
try:
    main(["ingest", {str(SAMPLES / capture)!r}, "--warehouse", {str(tmp_path / "w")!r}])
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", [name for name in {LOADED_FOR_NOTHING!r} if name in sys.modules])
"""
        assert _fresh(code).rstrip().endswith("loaded: []")


def _options(group: Any, path: tuple[str, ...]) -> list[tuple[str | None, list[str], object]]:
    for name in path:
        group = group.commands[name]
    return [(parameter.name, parameter.opts, parameter.default) for parameter in group.params]


def test_a_command_that_is_made_alone_is_the_one_among_all() -> None:
    every: Any = typer.main.get_command(build())
    paths = [(name,) for name in every.commands] + [("report", name) for name in every.commands["report"].commands]
    for path in paths:
        alone: Any = typer.main.get_command(build([*path, "--warehouse", "x"]))
        assert list(alone.commands) == [path[0]]
        assert _options(alone, path) == _options(every, path)
    only: Any = typer.main.get_command(build(["report", "rtt"]))
    assert list(only.commands["report"].commands) == ["rtt"]


@pytest.mark.parametrize("arguments", [["nothing"], ["report", "nothing"], ["--help"], []])
def test_where_no_command_is_named_all_are_there(arguments: list[str]) -> None:
    app: Any = typer.main.get_command(build(arguments))
    if arguments[:1] != ["report"]:
        assert {"ingest", "report", "sql", "schema"} <= set(app.commands)
    assert {"rtt", "ports", "destinations"} <= set(app.commands["report"].commands)


def test_the_end_of_the_process_leaves_nothing_behind(tmp_path: Path) -> None:
    """DuckDB is not put away by then; its folder is."""
    Warehouse.create(tmp_path / "w")
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "caphouse.cli.main", "sql", "-w", str(tmp_path / "w"), "--format", "csv"]
    for query, code in (("select count(*) as n from flows", 0), ("select no_such from flows", 2)):
        done = subprocess.run(
            [*command, query],
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert list((tmp_path / "temporary").iterdir()) == []
        assert bool(done.stdout) == (code == 0)
