"""An empty DuckDB that does nothing but answer.

Only the compiled part of the duckdb package is loaded here. It takes a sixth of the time of the whole, and is enough to run statements;
relations, which the Python interface gives, come with `import duckdb`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    import _duckdb as engine
except ImportError:  # a release that has its parts in other places
    import duckdb as engine  # type: ignore[no-redef]

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

Error = engine.Error
IOException = engine.IOException
StatementType = engine.StatementType
tokenize = engine.tokenize


def connect() -> DuckDBPyConnection:
    """Opens an empty DuckDB in memory that fetches nothing, writes nothing and sees no Python variable."""
    connection = engine.connect(
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


def arrow_stream(connection: DuckDBPyConnection, select: str, values: Mapping[str, object] | None) -> Any:  # noqa: ANN401 - a capsule, or what gives one
    """Runs a SELECT and returns its rows as a stream of Arrow's C interface, which are made while it is read.

    A relation gives the same stream, but relations take longer to load than many answers to find. How the package submits statements
    is its own affair: a release that does so in another way is asked for a relation.
    """
    submit = getattr(connection, "_submit", None)
    if submit is not None:
        try:
            return submit(select, values, "stream").arrow_capsule()
        except (AttributeError, TypeError):
            pass
    return relation(connection, select, values)


def relation(connection: DuckDBPyConnection, statement: str, values: Mapping[str, object] | None) -> DuckDBPyRelation:
    """Makes a relation of a statement, with all that Python has of DuckDB; None of some that give no rows."""
    import duckdb  # noqa: F401 - gives connections their relations

    return connection.sql(statement, params=dict(values) if values else None)
