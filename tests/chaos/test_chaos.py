"""The chaos of `make chaos`, for some seconds."""

from __future__ import annotations

from pathlib import Path

from chaos.running import Chaos, Plan


def test_kills_among_all_commands_while_readers_look(tmp_path: Path) -> None:
    """What is killed, raced and read at the same time: every capture counts once, whole, at every moment and at the end."""
    outcome = Chaos(str(tmp_path / "warehouse"), tmp_path, Plan(workers=8, captures=30, kills=15, readers=1, horizon=20, seed=20)).run()
    assert outcome.complaints == []
    assert sum(outcome.kills.values()) >= 15
    assert sum(outcome.done.values()) > 0
    assert outcome.looks
