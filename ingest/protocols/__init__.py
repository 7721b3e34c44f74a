"""The protocols, one small file each; this folder is the registry.

A module here declares `PROTOCOL` or `PROTOCOLS`. To add a protocol, add its file; nothing else lists it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Protocol

_TABLE_SIZES = {"ip.proto": 256}
_TABLE_SIZE = 65536
NOTHING = -1
"""Protocol number for "nothing comes next"."""


class Registry:
    """All protocols by number, and the dispatch tables that their `under` declarations make."""

    def __init__(self, protocols: list[Protocol]) -> None:
        self.protocols = protocols
        self.names = [protocol.name for protocol in protocols]
        self._numbers: dict[str, int] = {}
        for number, protocol in enumerate(protocols):
            # A name may be declared in several places (leaf names under several tables); the one that is dissected leads.
            name = protocol.key or protocol.name
            if name not in self._numbers or (protocol.dissect is not None and protocols[self._numbers[name]].dissect is None):
                self._numbers[name] = number
        self.nodes = [self._node(number, protocol) for number, protocol in enumerate(protocols)]
        """Number of the protocol that is the node of each in the tree; `NOTHING` for none."""
        self._tables: dict[str, npt.NDArray[np.int16]] = {}
        self._filled: dict[tuple[str, str | None], npt.NDArray[np.int16]] = {}
        for number, protocol in enumerate(protocols):
            target = number if protocol.dissect is not None else self._numbers[protocol.key or protocol.name]
            for table, keys in protocol.under.items():
                if table not in self._tables:
                    self._tables[table] = np.full(_TABLE_SIZES.get(table, _TABLE_SIZE), NOTHING, dtype=np.int16)
                entries = self._tables[table]
                for key in keys:
                    if entries[key] not in (NOTHING, target):
                        other = protocols[entries[key]].name
                        raise ValueError(f"{table} {key:#x} is claimed by both {other} and {protocol.name}")
                    entries[key] = target

    def _node(self, number: int, protocol: Protocol) -> int:
        if protocol.node is None:
            return number if protocol.shown else NOTHING
        return self._numbers[protocol.node] if protocol.node else NOTHING

    def number(self, name: str) -> int:
        """Number of the protocol `name`."""
        return self._numbers[name]

    def lookup(self, table: str, keys: npt.NDArray[Any], default: str | None) -> npt.NDArray[np.int16]:
        """Protocol numbers (int16) for `keys` in `table`; `default` where it has none, `NOTHING` where that is None too."""
        entries = self._entries(table, default)
        if keys.dtype.itemsize > 2 or keys.dtype.kind != "u":
            known = (keys >= 0) & (keys < len(entries))
            other = NOTHING if default is None else self._numbers[default]
            return np.where(known, entries[np.where(known, keys, 0)], np.int16(other))
        return entries.take(keys)

    def _entries(self, table: str, default: str | None) -> npt.NDArray[np.int16]:
        """The table with `default` where it has nothing; made when it is first asked for."""
        entries = self._filled.get((table, default))
        if entries is None:
            entries = self.table(table)
            if default is not None:
                entries = np.where(entries == NOTHING, np.int16(self._numbers[default]), entries)
            self._filled[table, default] = entries
        return entries

    def table(self, name: str) -> npt.NDArray[np.int16]:
        """Protocol number (int16) of each key of the table `name`; `NOTHING` where it has none."""
        entries = self._tables.get(name)
        return entries if entries is not None else np.full(_TABLE_SIZE, NOTHING, dtype=np.int16)


@cache
def registry() -> Registry:
    """The registry of all protocols in this folder."""
    protocols: list[Protocol] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        declared = importlib.import_module(f".{module}", __name__)
        if hasattr(declared, "PROTOCOL"):
            protocols.append(declared.PROTOCOL)
        protocols.extend(getattr(declared, "PROTOCOLS", ()))
    return Registry(protocols)
