"""Protocol paths: the chain of protocol names of a packet, kept as one small number.

`eth:ip:tcp` is the child "tcp" of the path `eth:ip`. Paths are few (tens in a capture, even of tunnels), so that a packet's
path is an int32 and its text is looked up once per distinct path.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

ROOT = 0
"""The empty path, parent of all."""


class Paths:
    """The paths met so far; numbers are stable for the life of the object, which may be shared between threads.

    Args:
        names: Protocol names by protocol number, as in `caphouse.ingest.protocols.Registry`.
        limit: Most paths kept apart. A capture made to have more gets the path of the parent, so that memory stays bounded.
    """

    def __init__(self, names: list[str], limit: int = 1 << 13) -> None:
        self._names = names
        self._limit = limit
        self._children = np.full((64, len(names)), -1, dtype=np.int32)
        self._lock = threading.Lock()
        self._named: dict[str, int] = {}
        self._parents = [ROOT]
        self.texts: list[str] = [""]
        """Text of each path, by its number."""

    def __len__(self) -> int:
        return len(self.texts)

    def extend(self, parents: npt.NDArray[np.int32], protocol: int) -> npt.NDArray[np.int32]:
        """Numbers of the paths that follow when `protocol` comes after each of `parents` (int32[m])."""
        children = self._children
        column = children[:, protocol]
        if len(parents) and (int(parents.max()) >= len(column) or (column[parents] < 0).any()):
            self._grow(np.unique(parents), protocol)
            column = self._children[:, protocol]
        return column[parents]

    def _grow(self, parents: npt.NDArray[np.int32], protocol: int) -> None:
        with self._lock:
            for parent in parents.tolist():
                if parent < len(self._children) and self._children[parent, protocol] >= 0:
                    continue
                if len(self.texts) >= self._limit:
                    number = parent
                else:
                    number = len(self.texts)
                    name = self._names[protocol]
                    before = self.texts[parent]
                    self.texts.append(f"{before}:{name}" if before else name)
                    self._parents.append(parent)
                while max(number, parent) >= len(self._children):
                    # A copy, put in place whole: other threads may be reading the old table.
                    self._children = np.vstack([self._children, np.full_like(self._children, -1)])
                self._children[parent, protocol] = number

    def named(self, text: str) -> int:
        """Number of the path that is `text` alone and belongs to no protocol: the name of a link type that is not decoded."""
        with self._lock:
            number = self._named.get(text)
            if number is None:
                number = self._named[text] = len(self.texts)
                self.texts.append(text)
                self._parents.append(ROOT)
            return number

    def parents(self, paths: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Numbers of the paths (int32[m]) without their last names."""
        if not len(paths):
            return paths
        with self._lock:
            return np.array(self._parents, dtype=np.int32)[paths]

    def child(self, parent: int, protocol: int) -> int:
        """Number of one path."""
        return int(self.extend(np.array([parent], dtype=np.int32), protocol)[0])
