"""What to ingest: from the words on a command line to a list of captures, and what a capture's path says about it.

| word | captures |
|---|---|
| `-` | standard input |
| a file | that file, whatever its name; also a pipe, as in `caphouse ingest <(ssh host tcpdump -w -)` |
| a folder | its files and, when recursive, those of the folders below, in order of their paths |
| a glob, `captures/**/*.cap` | what it matches; quoted, so that no shell has expanded it |
| `az://`, `abfss://`, `https://ACCOUNT.blob...`, `s3://`, `gs://` | a blob, the blobs below a prefix, or those that a glob matches |

A folder gives every regular file, since the magic number and not the name decides what is a capture, except hidden files and
folders, what commonly lies beside captures (`SIDECAR_SUFFIXES`), and the tables and originals of a warehouse inside the folder.
A file that cannot be had is in the list all the same, as a `Source` whose `open` raises: the others go on, and it gets its line.
"""

from __future__ import annotations

import glob
import io
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple, cast

from ..warehouse.errors import CaptureError, SourceVanished, UsageError, reason
from ..warehouse.locations import Entry, Location
from ..warehouse.originals import IS_ORIGINAL
from .companions import companions, names_beside, with_local_companions
from .content import Change

STDIN = "-"
"""The word, and the stored URI, of standard input."""

ONE_REQUEST_BYTES = 1 << 20
"""A blob of no more is fetched by a single request."""

SIDECAR_SUFFIXES = frozenset({".asc", ".json", ".md", ".md5", ".py", ".sha1", ".sha256", ".sha512", ".sig"})
"""Files that a folder may hold beside its captures: checksums and signatures, exported session metadata, notes and scripts.

A file with such a name is still read when it is named itself.
"""

NETWORK_WATCHER = re.compile(
    r"(?:^|/)subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/microsoft\.compute/"
    r"(?:virtualmachines/(?P<vm>[^/]+)|virtualmachinescalesets/(?P<scale_set>[^/]+)(?:/virtualmachines/(?P<instance>[^/]+))?)"
    r"/\d{4}/\d{1,2}/\d{1,2}/[^/]+$",
    re.IGNORECASE,
)
"""Azure Network Watcher's layout of a packet capture in a storage account; the service has written it in several mixes of case.

Source: Microsoft's documentation, "Manage packet captures for virtual machines with Azure Network Watcher".
"""


class Facts(NamedTuple):
    """What the path of a capture says about it; None where it says nothing.

    Attributes:
        host: The machine that captured.
        vm: Virtual machine or scale-set instance, as written in the path.
        resource_group: Resource group in the path; it may be the storage account's.
        subscription_id: Azure subscription.
    """

    host: str | None = None
    vm: str | None = None
    resource_group: str | None = None
    subscription_id: str | None = None


def facts_from_path(path: str) -> Facts:
    """Facts in a path or URI with '/' between its parts, Network Watcher's layout at its end.

    An instance of a scale set is named as Azure names it, `SCALESET_INSTANCE`; a capture of a whole scale set by the set's name.
    """
    match = NETWORK_WATCHER.search(path)
    if match is None:
        return Facts()
    vm, scale_set, instance = match["vm"], match["scale_set"], match["instance"]
    if vm is None:
        whole = instance is not None and instance.lower().startswith(scale_set.lower())
        vm = instance if whole else f"{scale_set}_{instance}" if instance else scale_set
    return Facts(host=vm, vm=vm, resource_group=match["group"], subscription_id=match["subscription"])


class Source(NamedTuple):
    """One capture to ingest, before it is opened. Can be sent to another process, except for standard input and pipes.

    Attributes:
        uri: Where it is, as it is stored: an absolute path or a URI without credentials, always valid UTF-8.
        display: What to call it in messages: the path as the user would write it.
        file_bytes: Size in bytes when it was found; None for a stream.
        modified_ns: Modification time when it was found, nanoseconds since the epoch; None when not known.
        facts: What its path says.
        location: Where to open it; None for standard input.
        is_stream: Whether it can be read only once, from the start, and only by this process.
        problem: Why it cannot be read; `open` raises it.
        beside: JSON files beside it that may say how it was captured.
        growing: Whether it is known that more will be written to it.
        again: The row of `captures` that was made of it before, when it is to be read once more in its place.
    """

    uri: str
    display: str
    file_bytes: int | None = None
    modified_ns: int | None = None
    facts: Facts = Facts()
    location: Location | None = None
    is_stream: bool = False
    problem: str | None = None
    beside: tuple[Entry, ...] = ()
    growing: bool = False
    again: Mapping[str, Any] | None = None

    @property
    def file_name(self) -> str:
        """Last part of `uri`."""
        return self.uri.rpartition("/")[2]

    def open(self) -> Path | BinaryIO:
        """The path of a local regular file, else a stream of its bytes.

        Raises:
            CaptureError: It cannot be read.
            SourceVanished: It was there when it was found and is not any more.
        """
        if self.problem is not None:
            raise CaptureError(self.problem, source=self.display)
        if self.location is None:
            return sys.stdin.buffer
        try:
            if not self.location.is_local:
                blob = cast("BinaryIO", self.location.open_input())
                if self.file_bytes is None or self.file_bytes > ONE_REQUEST_BYTES:
                    return blob
                with blob:
                    return io.BytesIO(blob.read())  # one request, so that it is of one state of the blob
            path = Path(self.location.path)
            # Opening a pipe waits for its writer and may be done once: the check is for regular files only.
            if self.is_stream:
                return path.open("rb")
            with path.open("rb"):
                return path
        except FileNotFoundError as error:
            raise SourceVanished("the file is gone since it was found", source=self.display) from error
        except OSError as error:
            raise CaptureError(f"cannot be opened: {_reason(error)}", source=self.display) from error

    def change(self) -> Change | None:
        """What others have done to a blob since it was found; costs a request. Of a blob that one request reads it is not asked.

        Raises:
            SourceVanished: It is gone.
        """
        if self.location is None or self.location.is_local or (self.file_bytes or 0) <= ONE_REQUEST_BYTES:
            return None
        info = self.location.filesystem().get_file_info(self.location.path)
        if info.type.name == "NotFound":
            raise SourceVanished("it was removed while it was read", source=self.display)
        if (int(info.size), info.mtime_ns) == (self.file_bytes, self.modified_ns):
            return None
        # Blobs of Azure can be appended to; objects elsewhere are exchanged as a whole.
        return "grown" if self.location.scheme == "az" and int(info.size) > (self.file_bytes or 0) else "rewritten"


def find_sources(args: Sequence[str | os.PathLike[str]], *, recursive: bool = True) -> list[Source]:
    """The captures that the words of a command line mean, in their order, each once.

    Args:
        args: Paths, globs, folders, URIs, or '-' for standard input.
        recursive: Whether folders below a folder are read, too.

    Raises:
        UsageError: No word was given, or one is a URI of a kind that is not known.
    """
    if not args:
        raise UsageError("Nothing to ingest: give files, folders, globs or URIs, or - for standard input.")
    found: dict[tuple[str, bool], Source] = {}
    for arg in args:
        for source in _expand(os.fspath(arg), recursive=recursive):
            # The same file by two words (a folder and a glob in it) is one source.
            found.setdefault((source.uri, source.problem is None), source)
    return with_local_companions(found.values())


def _expand(word: str, *, recursive: bool) -> Iterator[Source]:
    if word == STDIN:
        yield Source(STDIN, "standard input", is_stream=True)
        return
    location = Location.parse(word)
    if not location.is_local:
        yield from _remote(location, recursive=recursive)
    elif os.path.lexists(location.path):
        yield from _local(location.path, _shown(word), recursive=recursive)
    elif glob.has_magic(word):
        # The word and not its absolute path: the folder that we are in may have brackets in its name.
        matches = sorted(glob.glob(str(Path(word).expanduser()), recursive=True))  # noqa: PTH207 - a pattern, absolute or not, and its brackets
        if not matches:
            yield _refused(location, _shown(word), "no file matches this pattern")
        for match in matches:
            yield from _local(str(Path(match).absolute()), _shown(match), recursive=recursive)
    else:
        yield _refused(location, _shown(word), "no such file or folder")


def _local(path: str, name: str, *, recursive: bool) -> Iterator[Source]:
    """The sources of a local path that was named: a file of any kind that can be read, or a folder."""
    try:
        status = Path(path).stat()
    except OSError as error:
        yield _refused(Location("file", path), name, _unreachable(path, error))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path, name, {(status.st_dev, status.st_ino)}, recursive=recursive)
    elif stat.S_ISREG(status.st_mode):
        yield _file(path, name, status)
    elif stat.S_ISFIFO(status.st_mode):
        yield _file(path, name, status)._replace(file_bytes=None, modified_ns=None, is_stream=True)
    else:
        kind = "a socket" if stat.S_ISSOCK(status.st_mode) else "a device"
        yield _refused(Location("file", path), name, f"{kind}, not a file or a folder")


def _folder(path: str, name: str, seen: set[tuple[int, int]], *, recursive: bool) -> Iterator[Source]:
    """The files of a folder. `seen` holds the folders already entered, so that links that lead back end."""
    try:
        with os.scandir(path) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield _refused(Location("file", path), name, f"the folder cannot be read: {_reason(error)}")
        return
    if any(entry.name == "_delta_log" for entry in entries):
        return
    for entry in entries:
        entry_name = f"{name.rstrip('/')}/{_shown(entry.name)}"
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        try:
            status = entry.stat()
        except OSError as error:
            yield _refused(Location("file", entry.path), entry_name, _unreachable(entry.path, error))
            continue
        if stat.S_ISREG(status.st_mode):
            if PurePath(entry.name).suffix.lower() not in SIDECAR_SUFFIXES and not IS_ORIGINAL.search(entry.path):
                yield _file(entry.path, entry_name, status)
        elif stat.S_ISDIR(status.st_mode) and recursive and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield from _folder(entry.path, entry_name, seen, recursive=recursive)


def _file(path: str, name: str, status: os.stat_result) -> Source:
    uri = _shown(path)
    return Source(uri, name, status.st_size, status.st_mtime_ns, facts_from_path(uri), Location("file", path))


def _remote(location: Location, *, recursive: bool) -> Iterator[Source]:
    """The blobs that a URI means: the one of that name, else those below it, else those that it matches as a glob."""
    name = location.uri
    pattern: re.Pattern[str] | None = None
    top = location
    if glob.has_magic(location.path):
        fixed = re.split(r"[*?\[]", location.path, maxsplit=1)[0].rpartition("/")[0]
        if not fixed:
            raise UsageError(f"{name}: the container or bucket cannot be a pattern.")
        top, pattern, recursive = replace(location, path=fixed), _glob_regex(location.path), True
    try:
        info = location.filesystem().get_file_info(location.path)
        # The names of the types are compared, because the types themselves would need pyarrow here.
        if info.type.name == "File":
            facts = facts_from_path(location.path)
            yield Source(name, name, int(info.size), info.mtime_ns, facts, location, beside=_blobs_beside(location))
            return
        listed = top.entries(recursive=recursive)
        entries = [entry for entry in listed if pattern is None or pattern.fullmatch(entry.location.path)]
    except OSError as error:
        yield _refused(location, name, f"cannot be listed: {_reason(error)}")
        return
    if not entries:
        yield _refused(location, name, "no blob matches this pattern" if pattern else "no such blob or folder")
    beside = companions([entry.location.path for entry in entries], listed)
    for entry in entries:
        parts = entry.location.path[len(top.path) :].split("/")
        hidden = any(part.startswith(".") for part in parts) or "_delta_log" in parts or IS_ORIGINAL.search(entry.location.path)
        if pattern is None and (hidden or PurePath(parts[-1]).suffix.lower() in SIDECAR_SUFFIXES):
            continue
        uri = entry.location.uri
        facts = facts_from_path(entry.location.path)
        yield Source(uri, uri, entry.size, entry.modified_ns, facts, entry.location, beside=beside[entry.location.path])


def _blobs_beside(location: Location) -> tuple[Entry, ...]:
    """The JSON blobs that belong to one by name. What else is in the folder is not looked at: it may be very large."""
    candidates = [replace(location, path=path) for path in names_beside(location.path)]
    infos = location.filesystem().get_file_info([candidate.path for candidate in candidates])
    return tuple(
        Entry(candidate, int(info.size), info.mtime_ns)
        for candidate, info in zip(candidates, infos, strict=True)
        if info.type.name == "File"
    )


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob over object names, with the shell's meaning: `*` and `?` stay within a part, `**` goes over any number of parts."""
    pieces: list[str] = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|[^*?]", pattern):
        if piece == "**/":
            pieces.append("(?:[^/]+/)*")
        elif piece == "**":
            pieces.append(".*")
        elif piece == "*":
            pieces.append("[^/]*")
        elif piece == "?":
            pieces.append("[^/]")
        elif len(piece) > 1:
            body = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            pieces.append(f"(?!/)[^{body[1:]}]" if body.startswith("!") else f"(?!/)[{body}]")
        else:
            pieces.append(re.escape(piece))
    return re.compile("".join(pieces), re.DOTALL)


def _refused(location: Location, name: str, problem: str) -> Source:
    return Source(_shown(location.uri), name, location=location, problem=problem)


def _unreachable(path: str, error: OSError) -> str:
    if Path(path).is_symlink() and isinstance(error, FileNotFoundError):
        return "a symbolic link to a file that is not there"
    return f"cannot be reached: {_reason(error)}"


def _reason(error: OSError) -> str:
    """The system's own words without the number and the path, which the message has already."""
    return (error.strerror or str(error)).lower() if error.errno is not None else reason(error)


def _shown(path: str) -> str:
    r"""A file name as valid UTF-8: bytes that are not are written as `\xff`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
