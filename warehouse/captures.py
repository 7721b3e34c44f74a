"""The rows of `captures` in memory: what a commit looks at to decide which captures it adds and which it replaces.

pyarrow is imported where rows are looked at: whoever only asks questions leaves them to the SQL engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from .errors import WarehouseError
from .tables import CAPTURES

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


class KnownCapture(NamedTuple):
    """A row of `captures` as far as an ingest needs it to decide whether a file is worth reading."""

    capture_id: str
    ingest_id: int
    status: str
    decoder_version: int
    source_uri: str | None
    file_bytes: int | None
    content_bytes: int | None
    modified_ns: int | None
    first_ts_ns: int | None
    packets_pruned_ns: int | None

    @property
    def is_part(self) -> bool:
        """Whether there was more in its file than could be read: what the same place holds later takes its place."""
        return self.status in {"growing", "interrupted"}


@dataclass(frozen=True)
class KnownCaptures:
    """The captures that are in the warehouse, by content and by place."""

    by_content: Mapping[str, KnownCapture]
    by_source: Mapping[tuple[str | None, int | None, int | None], KnownCapture]
    file_sizes: frozenset[int | None]

    def has(self, capture_id: str, decoder_version: int) -> bool:
        """Whether this content is in, by the same or a newer decoder, and not as the part of a file."""
        known = self.by_content.get(capture_id)
        return known is not None and not known.is_part and known.decoder_version >= decoder_version

    def unchanged(self, source_uri: str, file_bytes: int, modified_ns: int | None) -> KnownCapture | None:
        """The capture that was read from this place, if size and time of modification are still the same."""
        return self.by_source.get((source_uri, file_bytes, modified_ns)) if modified_ns is not None else None

    def at(self, source_uri: str) -> Sequence[KnownCapture]:
        """All that was read from this place, at whatever time."""
        return self._by_place.get(source_uri, ())

    @cached_property
    def _by_place(self) -> Mapping[str | None, Sequence[KnownCapture]]:
        return by_place(self.by_content.values())

    def may_have(self, file_bytes: int) -> bool:
        """Whether some capture was as large on disk; if not, an uncompressed copy of it cannot be there, so hashing first is in vain."""
        return file_bytes in self.file_sizes


def by_place(captures: Iterable[KnownCapture]) -> dict[str | None, list[KnownCapture]]:
    """Captures by `source_uri`."""
    places: dict[str | None, list[KnownCapture]] = defaultdict(list)
    for capture in captures:
        places[capture.source_uri].append(capture)
    return dict(places)


COLUMNS = list(KnownCapture._fields)


def known_captures(rows: pa.Table) -> list[KnownCapture]:
    """Rows of `captures` as objects."""
    columns = [rows.column(name).to_pylist() for name in COLUMNS]
    return [KnownCapture(*values) for values in zip(*columns, strict=True)]


def capture_rows(captures: Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows of `captures`, given as stored columns by name, as Arrow.

    Raises:
        WarehouseError: One is not as the declaration wants it.
    """
    import pyarrow as pa

    from .parquet import conform

    rows = []
    for capture in captures:
        unknown = set(capture) - set(CAPTURES.arrow_schema.names)
        if unknown:
            raise WarehouseError(f"captures has no stored column {', '.join(sorted(unknown))}")
        rows.append({name: list(value.items()) if isinstance(value, Mapping) else value for name, value in capture.items()})
    try:
        table = pa.Table.from_pylist(rows, schema=CAPTURES.arrow_schema)
        conform(table, CAPTURES)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise WarehouseError(f"this is no row of captures: {error}") from error
    return table


def select(rows: pa.Table, ingest_ids: frozenset[int] | set[int], *, inside: bool = True) -> pa.Table:
    """The rows whose `ingest_id` is among `ingest_ids`, or is not."""
    import numpy as np
    import pyarrow as pa

    found = np.isin(rows.column("ingest_id").to_numpy(), np.array(sorted(ingest_ids), dtype=np.int64)) == inside
    # Most often it is all or none, and filtering loads Arrow's functions.
    return rows if found.all() else rows.filter(pa.array(found)) if found.any() else rows.slice(0, 0)


@dataclass(frozen=True)
class CapturesFile:
    """A file of `captures`, kept in memory: files never change.

    Attributes:
        path: Path below the table's folder.
        size: Size in bytes.
        read: Gives its rows.
    """

    path: str
    size: int
    read: Callable[[], pa.Table]

    @cached_property
    def rows(self) -> pa.Table:
        """Its rows, read when they are first asked for."""
        return self.read()

    @cached_property
    def known(self) -> list[KnownCapture]:
        """The rows as objects."""
        return known_captures(self.rows)

    def has_any(self, ingest_ids: set[int]) -> bool:
        """Whether one of the attempts is in it."""
        return bool(ingest_ids) and any(known.ingest_id in ingest_ids for known in self.known)


@dataclass(frozen=True)
class CapturesState:
    """All of `captures` at one version, and the table to commit the next one through."""

    dt: DeltaTable
    files: tuple[CapturesFile, ...]

    @property
    def rows(self) -> pa.Table:
        """The rows of `captures`."""
        import pyarrow as pa

        return pa.concat_tables([file.rows for file in self.files]) if self.files else CAPTURES.arrow_schema.empty_table()

    def __iter__(self) -> Iterator[KnownCapture]:
        return (known for file in self.files for known in file.known)

    @property
    def ingest_ids(self) -> frozenset[int]:
        """The attempts that count."""
        return frozenset(self.rows.column("ingest_id").to_pylist())

    @property
    def burials(self) -> int:
        """How often maintenance has given up attempts; as long as it has not changed none was given up."""
        return self.dt.transaction_version(BURIALS) or 0

    def is_dead(self, ingest_id: int) -> bool:
        """Whether maintenance has given the attempt up and taken its rows away."""
        return self.dt.transaction_version(dead_key(ingest_id)) is not None


BURIALS = "dead"
"""Application transaction in the log of `captures` that counts the commits which give up attempts."""


def dead_key(ingest_id: int) -> str:
    """Application transaction that marks an attempt as given up; what carries this mark can no longer be made to count."""
    return f"dead:{ingest_id}"


@dataclass
class Plan:
    """What a commit does, decided by looking at one state of `captures`.

    Attributes:
        add: Captures to add.
        done: Captures that are there under the same `ingest_id`: an earlier try went through though it was told otherwise.
        present: Captures that are there by another attempt.
        replace: `ingest_id` of rows to take out.
    """

    add: list[KnownCapture] = field(default_factory=list)
    done: list[KnownCapture] = field(default_factory=list)
    present: list[KnownCapture] = field(default_factory=list)
    replace: set[int] = field(default_factory=set)


def decide(
    state: CapturesState,
    offered: Sequence[KnownCapture],
    *,
    instead_of: Mapping[int, int] | None = None,
    beginnings: Mapping[int, Mapping[str, bool]] | None = None,
) -> Plan:
    """What to do with each capture, given what is there; the arguments are those of `Warehouse.commit`."""
    by_content = {known.capture_id: known for known in state}
    places = by_place(state)
    plan = Plan()
    batch: set[str] = set()
    for capture in offered:
        there = by_content.get(capture.capture_id)
        same_place = places.get(capture.source_uri, []) if capture.source_uri is not None else []
        earlier = (instead_of or {}).get(capture.ingest_id)
        if there is not None and there.ingest_id == capture.ingest_id:
            plan.done.append(capture)
        elif earlier is not None:
            if there is not None and there.ingest_id == earlier and there.packets_pruned_ns == capture.packets_pruned_ns:
                plan.add.append(capture)
                plan.replace.add(earlier)
            else:  # forgotten, pruned or read again by somebody else meanwhile: what they did holds
                plan.present.append(capture)
        elif capture.capture_id in batch or (there is not None and _serves(there, capture)):
            plan.present.append(capture)
        elif any(_has_outgrown(known, capture) for known in same_place):
            plan.present.append(capture)  # another writer has read more of the same file meanwhile
        else:
            batch.add(capture.capture_id)
            plan.add.append(capture)
            if there is not None:
                plan.replace.add(there.ingest_id)
            compared = (beginnings or {}).get(capture.ingest_id, {})
            plan.replace.update(known.ingest_id for known in same_place if _is_beginning(known, capture, compared.get(known.capture_id)))
    return plan


def _serves(there: KnownCapture, capture: KnownCapture) -> bool:
    """Whether what is there is as good as the same content read again."""
    return not there.is_part and there.decoder_version >= capture.decoder_version


def _is_beginning(earlier: KnownCapture, capture: KnownCapture, compared: bool | None) -> bool:  # noqa: FBT001 - three states
    """Whether `earlier` is what the file of `capture` held before; `compared` says so where their bytes were compared."""
    if compared is not None:
        return compared
    if earlier.is_part:
        return _is_same_recording(capture, earlier)
    # Another writer read the file when there was less in it, and committed after this one had begun to read.
    return _has_outgrown(capture, earlier)


def _is_same_recording(capture: KnownCapture, earlier: KnownCapture) -> bool:
    """Whether `earlier` seems the beginning of `capture`, and not of a recording that had the same name before (ring buffers)."""
    return earlier.first_ts_ns is None or capture.first_ts_ns is None or capture.first_ts_ns == earlier.first_ts_ns


def _has_outgrown(there: KnownCapture, capture: KnownCapture) -> bool:
    """Whether what is there was read from the same file as `capture`, at the same place, when there was more in it."""
    if (capture.content_bytes or 0) >= (there.content_bytes or 0):
        return False
    if capture.status == "interrupted":
        return _is_same_recording(capture, there)  # whatever its time: nobody knows what else is in the file
    times_known = capture.modified_ns is not None and there.modified_ns is not None
    # A file that was written anew with less in it is another one: its time is later than that of what was there.
    if capture.modified_ns is not None and there.modified_ns is not None and capture.modified_ns > there.modified_ns:
        return False
    if there.is_part:
        return _is_same_recording(capture, there)
    return times_known and capture.first_ts_ns is not None and capture.first_ts_ns == there.first_ts_ns
