"""Opening a warehouse for questions.

Most answers take less time than loading what finds them: the warehouse's logs, an empty DuckDB, and the modules for both. Modules are
loaded one after the other; logs and DuckDB get ready meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from .definitions import EVERYTHING

if TYPE_CHECKING:
    from ..warehouse.snapshot import Snapshot
    from ..warehouse.store import Warehouse
    from .engine import Session
    from .scope import Scope


def open_session(location: str | Path, *, sandbox: bool = False, scope: Scope = EVERYTHING, tables: Sequence[str] = ()) -> Session:
    """Opens the warehouse at a place for questions.

    Args:
        location: Directory or URI.
        sandbox: Whether `sql` takes SELECT only, and reads no file and no network outside the warehouse.
        scope: What `sql` sees of it, see `Session`; a day of many is found in a fraction of the time, because only its files are opened.
        tables: Tables that are sure to be asked for: their logs are read in the meantime.

    Raises:
        WarehouseNotFound: There is none.
        WarehouseError: It cannot be used.
    """
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="caphouse-open") as pool:
        from .database import connect

        connecting = pool.submit(connect)
        from ..warehouse.store import Warehouse

        opening = pool.submit(_open, Warehouse, location, tables)
        from .engine import Session

        warehouse, snapshot = opening.result()
        sandboxed = warehouse.root.file_uri if sandbox else None
        return Session(warehouse, sandbox=sandboxed, scope=scope, snapshot=snapshot, unused=connecting.result())


def _open(kind: type[Warehouse], location: str | Path, tables: Sequence[str]) -> tuple[Warehouse, Snapshot]:
    warehouse = kind.open(location, tables=tables)
    return warehouse, warehouse.snapshot()
