"""Which JSON files lie beside captures and may say how they were captured: found by name, read by `sessions`.

`X.json` and `X.cap.json` belong to `X.cap`. JSON files that belong to no capture by name may name one inside, so every capture of
the folder gets them, too.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from ..warehouse.locations import Entry, Location

if TYPE_CHECKING:
    from .sources import Source

SUFFIX = ".json"

COMPRESSION_SUFFIXES = (".gz", ".zst", ".lz4", ".bz2", ".xz")

MOST_FREE = 256
"""JSON files of a folder that are looked into though they belong to no capture by name: the newest."""


def with_local_companions(sources: Iterable[Source]) -> list[Source]:
    """The sources, each local file with the JSON files beside it."""
    sources = list(sources)
    files = {source.location.path for source in sources if _is_local_file(source) and source.location is not None}
    entries = [entry for folder in {path.rpartition("/")[0] for path in files} for entry in _json_files(folder)]
    if not entries:
        return sources
    found = companions(files, entries)
    return [
        source._replace(beside=found[source.location.path]) if source.location is not None and _is_local_file(source) else source
        for source in sources
    ]


def companions(paths: Collection[str], entries: Iterable[Entry]) -> Mapping[str, tuple[Entry, ...]]:
    """The JSON files that may belong to each capture, those that do by name first.

    Args:
        paths: Paths of captures, '/' between their parts.
        entries: Files of the same folders; those that are not JSON are left out.
    """
    by_path = {entry.location.path: entry for entry in entries if entry.location.path.lower().endswith(SUFFIX)}
    own = {path: tuple(by_path[name] for name in names_beside(path) if name in by_path) for path in paths}
    owned = {entry.location.path for found in own.values() for entry in found}
    free: dict[str, list[Entry]] = defaultdict(list)
    for path, entry in by_path.items():
        if path not in owned:
            free[path.rpartition("/")[0]].append(entry)
    # One tuple per folder, shared by all its captures: there may be thousands.
    shared = {
        folder: tuple(sorted(found, key=lambda entry: (entry.modified_ns or 0, entry.location.path))[-MOST_FREE:])
        for folder, found in free.items()
    }

    def with_free(path: str, found: tuple[Entry, ...]) -> tuple[Entry, ...]:
        others = shared.get(path.rpartition("/")[0], ())
        return found + others if found else others

    return {path: with_free(path, found) for path, found in own.items()}


def names_beside(path: str) -> list[str]:
    """The paths of JSON files that belong to a capture by their names, whether they are there or not."""
    bare = next((path[: -len(suffix)] for suffix in COMPRESSION_SUFFIXES if path.lower().endswith(suffix)), path)
    folder, slash, name = bare.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return list(dict.fromkeys([f"{folder}{slash}{stem}{SUFFIX}", f"{bare}{SUFFIX}", f"{path}{SUFFIX}"]))


def _is_local_file(source: Source) -> bool:
    return source.location is not None and source.location.is_local and not source.is_stream and source.problem is None


def _json_files(folder: str) -> list[Entry]:
    """The JSON files of a local folder; none where it cannot be read."""
    found = []
    try:
        with os.scandir(folder or "/") as scan:
            for item in scan:
                if not item.name.lower().endswith(SUFFIX) or item.name.startswith("."):
                    continue
                status = item.stat()
                if stat.S_ISREG(status.st_mode):
                    found.append(Entry(Location("file", item.path), status.st_size, status.st_mtime_ns))
    except OSError:
        pass
    return found
