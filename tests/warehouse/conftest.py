"""Makes `tests/synthetic_warehouse.py` importable here and in the processes that the tests start."""

import sys
from pathlib import Path

import pytest

from caphouse.warehouse.store import Warehouse

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.create(tmp_path / "warehouse")
