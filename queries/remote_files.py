"""How DuckDB reads a warehouse in object storage: through fsspec, and pyarrow below it, rather than extensions that it would download.

Loaded for such warehouses only; those on a local disk are answered without pyarrow.
"""

from __future__ import annotations

from typing import Any

import duckdb
from fsspec.implementations.arrow import ArrowFSWrapper

from ..warehouse.locations import Location


class RemoteFiles(ArrowFSWrapper):  # type: ignore[misc]  # fsspec has no types
    """The storage that a warehouse is in, by URIs as `Location.file_uri` gives them: scheme, container or bucket, key.

    Args:
        root: The warehouse; its account and credentials serve for every container or bucket.
    """

    cachable = False
    # Keys of Azure begin with the container, as those of S3 with the bucket.
    root_marker = ""

    def __init__(self, root: Location) -> None:
        self._scheme = root.scheme
        super().__init__(root.filesystem())

    @property
    def protocol(self) -> str:
        """The scheme that DuckDB sends here; others it refuses."""
        return self._scheme

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        _, separator, key = path.partition("://")
        return key if separator else path

    def unstrip_protocol(self, name: str) -> str:
        """The URI of a path."""
        return f"{self._scheme}://{self._strip_protocol(name)}"

    def glob(self, path: str, **options: Any) -> Any:  # noqa: ANN401 - of another library
        """The files of a pattern; a name without one is taken for a file, which saves a request for each."""
        return super().glob(path, **options) if any(sign in path for sign in "*?[") else [self._strip_protocol(path)]


def register(connection: duckdb.DuckDBPyConnection, root: Location) -> None:
    """Let all connections of this database read what lies beside the warehouse."""
    connection.register_filesystem(RemoteFiles(root))
