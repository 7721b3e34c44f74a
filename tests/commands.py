"""Commands run by tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from caphouse.cli import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process; gives its exit code and what it said."""

    def run(*arguments: object) -> tuple[int, str]:
        code = main._run([str(argument) for argument in arguments])
        return int(code), capsys.readouterr().err

    return run
