"""Commands on a warehouse in Azure Blob Storage and in S3 print what they print on one on a local disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand_made_warehouse

COMMANDS = [
    ["sql", "select file_name, protocols, count(*) from packets join captures using (capture_id) group by all order by all"],
    ["sql", "--sandbox", "select count(*) from handshakes"],
    ["captures"],
    ["report", "ports"],
    ["report", "rtt", "--since", "2026-03-01", "--until", "2026-03-02"],
]


def test_commands_print_the_same(remote_place: str, place: Path, run: Callable[..., Any]) -> None:
    hand_made_warehouse.make(remote_place)
    for command in COMMANDS:
        there = run(*command, env={"CAPHOUSE_WAREHOUSE": remote_place})
        here = run(*command, env={"CAPHOUSE_WAREHOUSE": str(place)})
        assert (there.returncode, there.stderr) == (0, "")
        assert there.stdout == here.stdout
        assert len(there.stdout.splitlines()) > 1
