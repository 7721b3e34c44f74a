"""Where the warehouse may be named on the command line."""

from __future__ import annotations

import pytest

from caphouse.cli.main import _command_first

COMMAND = ["report", "rtt", "-w", "place", "--top", "3"]


@pytest.mark.parametrize(
    "arguments",
    [
        COMMAND,
        ["-w", "place", "report", "rtt", "--top", "3"],
        ["report", "-w", "place", "rtt", "--top", "3"],
    ],
)
def test_the_warehouse_may_come_before_the_command(arguments: list[str]) -> None:
    """Before the command, before the report's name, or behind it: all mean the same."""
    assert _command_first(arguments) == COMMAND


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["-w"],
        ["-w", "place"],
        ["-w", "place", "--help"],
        ["report"],
        ["report", "-h"],
        ["sql", "select 1"],
        ["ingest", "report", "-w", "x"],
    ],
)
def test_other_arguments_stay_as_they_are(arguments: list[str]) -> None:
    """Nothing else is moved."""
    assert _command_first(arguments) == arguments
