"""An empty DuckDB that does nothing but answer.

Only the compiled part of the duckdb package is loaded here. It is a sixth of the whole, and connecting takes as long as loading the rest:
see `opening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from _duckdb import connect as _connect
except ImportError:  # a release that has its parts in other places
    from duckdb import connect as _connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connect() -> DuckDBPyConnection:
    """Opens an empty DuckDB in memory that fetches nothing, writes nothing and sees no Python variable."""
    connection = _connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": "",
        },
    )
    connection.execute("set global TimeZone = 'UTC'")
    return connection
