"""Where the warehouse may be: a local disk, or emulators of object storage that are started for the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import object_storage


@contextmanager
def local(folder: Path) -> Iterator[str]:
    """A folder."""
    yield str(folder / "warehouse")


@contextmanager
def azurite(_: Path) -> Iterator[str]:
    """Azure Blob Storage, as Azurite plays it."""
    with object_storage.azurite_server() as endpoint:
        os.environ.update(object_storage.azure_environment(endpoint))
        yield object_storage.make_container("chaos")


@contextmanager
def s3(_: Path) -> Iterator[str]:
    """Amazon S3, as moto plays it."""
    with object_storage.moto_server() as endpoint:
        os.environ.update(object_storage.s3_environment(endpoint))
        yield object_storage.make_bucket("chaos")


PLACES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {"local": local, "azurite": azurite, "s3": s3}
