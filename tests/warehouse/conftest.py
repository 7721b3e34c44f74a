"""Makes `tests/synthetic_warehouse.py` importable here and in the processes that the tests start."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic_warehouse import Warehouse  # noqa: E402 - needs the line above


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.create(tmp_path / "warehouse")
