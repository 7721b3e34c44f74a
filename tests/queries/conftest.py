"""The hand-made warehouse, and sessions on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hand_made_warehouse
import pytest

from caphouse.queries.engine import Session
from caphouse.warehouse.store import Warehouse


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Two captures of two hosts on two days, a file that is none, and rows of a dead attempt."""
    return hand_made_warehouse.make(tmp_path_factory.mktemp("queries") / "warehouse")


@pytest.fixture(scope="session")
def session(warehouse: Warehouse) -> Iterator[Session]:
    """A session on it, for all tests: they only read."""
    with Session(warehouse) as opened:
        yield opened


@pytest.fixture
def rows(session: Session) -> Callable[..., list[Any]]:
    """Runs a query and gives its rows as tuples."""

    def run(query: str, **params: object) -> list[Any]:
        return session.sql(query, **params).fetchall()

    return run


@pytest.fixture
def report(session: Session) -> Callable[..., list[dict[str, Any]]]:
    """Runs a report and gives its rows as dictionaries."""

    def run(name: str, **params: Any) -> list[dict[str, Any]]:
        return list(session.report(name, **params).to_arrow_table().to_pylist())

    return run
