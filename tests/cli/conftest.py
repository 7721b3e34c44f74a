"""The command line, run in this process with what it writes to standard output and standard error caught."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hand_made_warehouse
import pytest

from caphouse.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hand-made warehouse is."""
    path = tmp_path_factory.mktemp("cli") / "warehouse"
    hand_made_warehouse.make(path)
    return path


@pytest.fixture
def run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `caphouse` with arguments in an empty directory; CAPHOUSE_WAREHOUSE names the hand-made warehouse."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Done:
        for name, value in {"CAPHOUSE_WAREHOUSE": str(place), **(env or {})}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        written = capfd.readouterr()
        return Done(int(end.value.code or 0), written.out, written.err)

    return call
