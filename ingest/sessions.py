"""What Azure says about a packet capture session, exported to JSON beside the capture: its filters, limits and how it ended.

Read are the outputs of `az network watcher packet-capture show`, `show-status` and `list`, of the REST calls of the same names, and
of `Get-AzNetworkWatcherPacketCapture | ConvertTo-Json`; keys in any mix of case, one session or a list. `show` names the capture in
`storageLocation`; `show-status` names only the session, and is joined to it by `id`. None of it can stop an ingest.

Source: Microsoft's REST reference, Network Watcher, "Packet Captures - Get" and "Packet Captures - Get Status".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .companions import names_beside
from .sources import Facts, facts_from_path

if TYPE_CHECKING:
    from ..warehouse.locations import Entry
    from .sources import Source

MOST_BYTES = 4 << 20
"""Larger files are not read: a thousand sessions take a fourth of it."""

MOST_TEXT = 2000
"""Characters of a filter or tag that are kept."""

TAGS = {
    "name": "session",
    "target": "target",
    "provisioningstate": "provisioning_state",
    "capturestarttime": "capture_start_time",
    "packetcapturestatus": "capture_status",
    "stopreason": "stop_reason",
    "packetcaptureerror": "capture_errors",
    "timelimitinseconds": "time_limit_seconds",
    "bytestocaptureperpacket": "bytes_per_packet",
    "totalbytespersession": "bytes_per_session",
}
"""Which of a session's properties become tags, and how those are called. A limit of 0 is none, and left out."""

MARKS = frozenset({"storagelocation", "packetcapturestatus", "bytestocaptureperpacket", "totalbytespersession", "stopreason"})
"""Properties that tell the export of a session from any other JSON."""

ANY_PROTOCOL = frozenset({"", "any", "all"})


class Session(NamedTuple):
    """What was found about one capture.

    Attributes:
        capture_filter: The filters as one sentence; None when all packets were wanted.
        tags: What else is worth keeping, by the names of `TAGS`.
        facts: What the session's target says about the machine.
    """

    capture_filter: str | None
    tags: Mapping[str, str]
    facts: Facts


class _UnreadableError(Exception):
    """A file that is no JSON; the text says why."""


def session_of(source: Source) -> tuple[Session | None, str | None]:
    """What the JSON files beside a capture say about it.

    Returns:
        The session, None when none of them is about this capture; and what is wrong with them, or None.
    """
    documents: list[dict[str, Any]] = []
    warnings: list[str] = []
    by_name = set(names_beside(source.location.path)) if source.location is not None else set()
    own: list[dict[str, Any]] = []
    for entry in source.beside:
        found = _documents(entry)
        if isinstance(found, str):
            warnings.append(f"{entry.location.name} is not read: {found}")
            continue
        documents += found
        if entry.location.path in by_name:
            own += found
    warning = "; ".join(warnings) or None
    chosen = _choose(source, own, documents)
    if chosen is None:
        return None, warning
    session_id = _text(chosen.get("id")).lower()
    merged: dict[str, Any] = {}
    for document in [chosen, *(other for other in documents if session_id and _text(other.get("id")).lower() == session_id)]:
        for key, value in document.items():
            if merged.get(key) in (None, "", [], {}):
                merged[key] = value
    return _session(merged), warning


def _choose(source: Source, own: list[dict[str, Any]], documents: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The document that is about the capture: it names it, best with its folders, or is alone in a file that belongs to it by name."""
    ranked = [(_agreement(source.uri, document), document) for document in documents]
    best, document = max(ranked, key=lambda item: item[0], default=(0, None))
    if best:
        return document
    ids = {_text(document.get("id")).lower() for document in own}
    return own[0] if own and len(ids) == 1 else None


def _agreement(uri: str, document: Mapping[str, Any]) -> int:
    """How many of the last parts of the capture's path are those of the document's storage location; 0 when not even the name is."""
    storage = _lowered(document.get("storagelocation"))
    ours = _parts(uri)
    best = 0
    for key in ("storagepath", "filepath", "localpath"):
        theirs = _parts(_text(storage.get(key)))
        same = 0
        for mine, its in zip(reversed(ours), reversed(theirs), strict=False):
            if mine != its:
                break
            same += 1
        best = max(best, same)
    return best


def _parts(path: str) -> list[str]:
    # What follows '?' is a signature; Windows paths have backslashes.
    return [part for part in re.split(r"[/\\]+", path.partition("?")[0].lower()) if part]


@lru_cache(maxsize=4096)
def _documents(entry: Entry) -> list[dict[str, Any]] | str:
    """The sessions in a file, keys in lower case and those below `properties` raised; a sentence when the file cannot be read.

    Cached, because all captures of a folder look into the same files.
    """
    try:
        return [document for document in _flattened(_parsed(entry)) if MARKS & document.keys()]
    except _UnreadableError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    except OSError as error:
        return error.strerror or str(error)


def _parsed(entry: Entry) -> object:
    if entry.size > MOST_BYTES:
        raise _UnreadableError(f"it has {entry.size:,} bytes, more than any export")
    with entry.location.open_input() as file:
        data = bytes(file.read(MOST_BYTES))
    # PowerShell redirects as UTF-16 with a byte order mark.
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return json.loads(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"it is not text at byte {error.start:,}") from error
    except ValueError as error:
        raise _UnreadableError(f"it is not JSON: {error}") from error


def _flattened(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _flattened(item)
    elif isinstance(value, dict):
        document = _lowered(value)
        listed = document.get("value")
        if isinstance(listed, list):
            yield from _flattened(listed)
        else:
            yield {**document, **_lowered(document.get("properties"))}


def _lowered(value: object) -> dict[str, Any]:
    """A mapping with its keys in lower case; PowerShell nests some as text. Anything else is an empty one."""
    value = _unpacked(value)
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}


def _unpacked(value: object) -> object:
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _session(document: Mapping[str, Any]) -> Session:
    tags = {}
    for key, tag in TAGS.items():
        value = _unpacked(document.get(key))
        text = ", ".join(filter(None, map(_text, value))) if isinstance(value, list) else _text(value)
        if text and not (text == "0" and key.startswith(("bytes", "total", "time"))):
            tags[tag] = text
    # A virtual machine's resource id has the parts that stand before the day in the path of a capture.
    facts = facts_from_path(f"{_text(document.get('target'))}/2000/01/01/capture")
    return Session(_filter_text(_unpacked(document.get("filters"))), tags, facts)


def _filter_text(filters: object) -> str | None:
    """The filters as a sentence: a packet is captured when it fits any of them; None when every packet does."""
    if not isinstance(filters, list):
        return None
    texts = [_one_filter(_lowered(item)) for item in filters]
    if not texts or not all(texts):
        return None
    return " or ".join(f"({text})" if len(texts) > 1 and " and " in text else text for text in texts)[:MOST_TEXT]


def _one_filter(parts: Mapping[str, Any]) -> str:
    protocol = _text(parts.get("protocol")).lower()
    words = [] if protocol in ANY_PROTOCOL else [protocol]
    for side in ("local", "remote"):
        for what, key in (("", "ipaddress"), (" port", "port")):
            if value := _text(parts.get(side + key)):
                words.append(f"{side}{what} {value}")
    return " and ".join(words)


def _text(value: object) -> str:
    """A plain value as text, bounded; nothing for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()[:MOST_TEXT]
