"""Protocol paths: the chain of protocol names of a packet, kept as one small number.

`eth:ip:tcp` is the child "tcp" of the path `eth:ip`. Paths are few (tens in a capture, even of tunnels), so that a packet's
path is a number and its text is looked up once per distinct path.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

ROOT = 0
"""The empty path, parent of all."""
_NO_CHILDREN = np.zeros(0, dtype=np.int64)


class Paths:
    """The paths met so far; numbers are stable for the life of the object, which may be shared between threads.

    Args:
        names: Protocol names by protocol number, as in `caphouse.ingest.protocols.Registry`.
        limit: Most paths kept apart. A capture made to have more gets the path of the parent, so that memory stays bounded.
    """

    def __init__(self, names: list[str], limit: int = 1 << 13) -> None:
        self._names = names
        self._limit = limit
        self._children: dict[int, npt.NDArray[np.int64]] = {}
        """By protocol: the path that follows each path, -1 where there is none yet."""
        self._lock = threading.Lock()
        self._named: dict[str, int] = {}
        self._parents = [ROOT]
        self.texts: list[str] = [""]
        """Text of each path, by its number."""

    def __len__(self) -> int:
        return len(self.texts)

    def extend(self, parents: npt.NDArray[np.int64], protocol: int) -> npt.NDArray[np.int64]:
        """Numbers of the paths that follow when `protocol` comes after each of `parents` (int64[m])."""
        children = self._children.get(protocol, _NO_CHILDREN)
        if len(children) < len(self.texts):
            children = self._make_room(protocol)
        following = children.take(parents)
        if following.min(initial=0) < 0:
            following = self._grow(np.flatnonzero(np.bincount(parents)), protocol).take(parents)
        return following

    def _make_room(self, protocol: int) -> npt.NDArray[np.int64]:
        """Have a child, known or not, for every path that there is."""
        with self._lock:
            children = self._children.get(protocol, _NO_CHILDREN)
            if len(children) < len(self.texts):
                # A copy, put in place whole: other threads may be reading the old one.
                children = np.append(children, np.full(max(64, 2 * len(self.texts)) - len(children), -1))
                self._children[protocol] = children
            return children

    def _grow(self, parents: npt.NDArray[np.int64], protocol: int) -> npt.NDArray[np.int64]:
        with self._lock:
            children = self._children[protocol]
            for parent in parents.tolist():
                if children[parent] >= 0:
                    continue
                if len(self.texts) >= self._limit:
                    number = parent
                else:
                    number = len(self.texts)
                    name = self._names[protocol]
                    before = self.texts[parent]
                    self.texts.append(f"{before}:{name}" if before else name)
                    self._parents.append(parent)
                children[parent] = number
            return children

    def named(self, text: str) -> int:
        """Number of the path that is `text` alone and belongs to no protocol: the name of a link type that is not decoded."""
        with self._lock:
            number = self._named.get(text)
            if number is None:
                number = self._named[text] = len(self.texts)
                self.texts.append(text)
                self._parents.append(ROOT)
            return number

    def parents(self, paths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Numbers of the paths (int64[m]) without their last names."""
        if not len(paths):
            return paths
        with self._lock:
            return np.array(self._parents)[paths]
