"""Reading captures once more, in the place of what was made of them before: after a change of the decoder, or by choice.

A capture is read from its original where one is kept, else from the place it came from. Readers see the earlier rows until the one
commit that switches to the new ones, never both and never neither. What cannot be had any more, or is another file now, is told;
its earlier rows stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..warehouse import originals
from ..warehouse.errors import UsageError
from ..warehouse.maintenance import find_captures
from .capture import Options
from .decode import DECODER_VERSION
from .pipeline import IngestReport, Progress, ingest_sources
from .sources import STDIN, Source, find_sources

if TYPE_CHECKING:
    from ..warehouse.locations import Location
    from ..warehouse.store import Warehouse


def choose(warehouse: Warehouse, captures: Sequence[str] = (), *, everything: bool = False) -> list[dict[str, Any]]:
    """The captures to read again, as rows of `captures`.

    Args:
        warehouse: The warehouse.
        captures: The captures, as `find_captures` takes them; without any, those that an older decoder has read.
        everything: All captures, whatever their decoder.

    Raises:
        UsageError: One of them is not there, or both are given.
    """
    if captures and everything:
        raise UsageError("give either captures or --all")
    snapshot = warehouse.snapshot([])
    if captures:
        found = pa.concat_tables([find_captures(snapshot, text) for text in captures])
    elif everything:
        found = snapshot.captures
    else:
        found = snapshot.captures.filter(pc.less(snapshot.captures["decoder_version"], DECODER_VERSION))
    return list({row["ingest_id"]: row for row in found.to_pylist()}.values())


def reingest(
    warehouse: Warehouse,
    rows: Sequence[dict[str, Any]],
    *,
    jobs: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Read captures again and put what comes of it in the place of their earlier rows, each in one step.

    Host, tags and the place they came from stay; packets that were pruned stay away.

    Args:
        warehouse: The warehouse.
        rows: Rows of `captures`, as `choose` gives them.
        jobs: Processes that read captures side by side.
        progress: Called from time to time in this process.

    Returns:
        One result per capture. One that cannot be read again is a result, not an exception.

    Raises:
        WarehouseError: The rows could not be committed.
    """
    sources = [source_of(warehouse.root, row) for row in rows]
    return ingest_sources(warehouse, sources, Options(), jobs=jobs, progress=progress)


def source_of(root: Location, row: dict[str, Any]) -> Source:
    """Where the content of a capture can be read once more.

    Args:
        root: The warehouse.
        row: The row of `captures`.
    """
    uri = row["source_uri"] or row["file_name"] or row["capture_id"]
    original = originals.location(root, row["capture_id"])
    place = original.uri if original.exists() else uri
    known = {"again": row, "uri": uri, "display": uri, "beside": (), "growing": row["status"] == "growing"}
    if place == STDIN:
        return Source(problem="it came from standard input and no original is kept; its earlier rows stay", **known)
    found = find_sources([place])
    source = found[0] if len(found) == 1 else None
    if source is None or source.problem is not None or source.is_stream:
        problem = source.problem if source is not None and source.problem is not None else "there is no such file any more"
        return Source(problem=f"{problem}, and no original is kept; its earlier rows stay", **known)
    return source._replace(**known)
