"""Memory that is given back while captures are read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from caphouse.ingest import memory
from caphouse.warehouse.store import Warehouse

CODE = re.compile(r"^\w+-\w+ r-xp [^\n]*/deltalake/[^\n]*\n(?:\w+:[^\n]*\n)*?Rss: +(\d+) kB", re.MULTILINE)
"""The resident size of the parts of a library that are executed, as in proc_pid_smaps(5)."""


def resident_code_kb() -> int:
    """How much of the code of Delta's library this process has in memory now."""
    parts = CODE.findall(Path("/proc/self/smaps").read_text())
    assert parts
    return sum(map(int, parts))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has in memory")
def test_the_code_of_deltas_library_goes_and_comes_back(tmp_path: Path) -> None:
    warehouse = Warehouse.create(tmp_path / "w")
    before = resident_code_kb()
    assert before > 10_000
    memory.forget_delta()
    assert resident_code_kb() < before / 4
    assert warehouse.known().by_content == {}
    assert Warehouse.create(tmp_path / "other").snapshot().rows("packets") == 0
    assert resident_code_kb() > before / 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has in memory")
def test_elsewhere_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Warehouse.create(tmp_path / "w")
    before = resident_code_kb()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", "darwin")
        memory.forget_delta()
    assert resident_code_kb() >= before
