"""caphouse: a SQL-backed warehouse for packet captures.

    import caphouse

    with caphouse.open("caphouse-data") as warehouse:
        warehouse.sql("select server_ip, rtt_ms from tcp_rtt where rtt_ms > $limit", limit=100).show()
        warehouse.report("destinations", since="2026-05-01", top=5).to_arrow_table()

Importing this package loads nothing heavy; the SQL engine comes with the first `open`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .queries.engine import Session

__all__ = ["open"]


def open(location: str | Path = "caphouse-data", *, sandbox: bool = False) -> Session:  # noqa: A001 - read as caphouse.open
    """Opens a warehouse for questions.

    Args:
        location: Directory or URI of the warehouse.
        sandbox: Whether `sql` takes SELECT statements only, and reads no file and no network outside the warehouse.

    Returns:
        A session with `.sql(query, **params)`, `.report(name, **params)`, `.connection`; it sees the warehouse as it is now.

    Raises:
        WarehouseNotFound: There is none at that place.
        WarehouseError: It cannot be used.
    """
    from .queries.opening import open_session

    return open_session(location, sandbox=sandbox)
