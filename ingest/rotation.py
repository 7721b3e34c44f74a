"""Files that a capture tool writes one after the other: a file that has a successor is complete.

| tool and options | names |
|---|---|
| `tcpdump -w x.pcap -C 10` | `x.pcap`, `x.pcap1`, `x.pcap2`, ...; with `-W 12` `x.pcap00` ... `x.pcap11` and over again |
| `tcpdump -w x_%Y%m%d_%H%M%S.pcap -G 60` | any date or time in the name; with `-C` a number behind it |
| `dumpcap -w x.pcap -b duration:60` and the like | `x_00001_20261123120000.pcap`; with `-b nametimenum:2` time before number |

A successor must also have been written to no earlier than the file itself, so that files which are still being copied, in whatever
order, are not taken for complete. Names are only a hint: a file that was taken for complete and grows after all is replaced.

Sources: tcpdump(1), options -C, -G, -W; dumpcap(1), option -b.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

DUMPCAP = re.compile(r"^(?P<base>.+)_(?:(?P<number>\d{5})_\d{14}|\d{14}_(?P<later>\d{5}))(?P<suffix>\.[^_]*)?$")

TIME = re.compile(
    r"""(?<!\d)(?:
        (?:19|20)\d\d(?P<sep>[-_.]?)(?:0[1-9]|1[0-2])(?P=sep)(?:0[1-9]|[12]\d|3[01])  # date
            (?:[-_.T ]?[0-2]\d(?:[-_.:]?[0-5]\d){1,2})?                               # with a time of day
        | 1\d{9}                                                                       # seconds since the epoch
        | [0-2]\d(?P<colon>[-_.:])[0-5]\d(?P=colon)[0-6]\d                             # time of day
    )Z?(?!\d)""",
    re.VERBOSE,
)
"""A date, a date and time, seconds since the epoch or a time of day as `strftime` writes them, the larger unit first.

Only such names sort as their times do; of others nothing is concluded.
"""

COUNT = re.compile(r"(?<!\d)\d{1,9}$")


class Slot(NamedTuple):
    """The place of a file in a rotation.

    Attributes:
        rotation: What the names of its files have in common.
        order: Compares as the files were begun.
        cyclic: Whether the tool begins with the first file again after the last.
    """

    rotation: tuple[str, ...]
    order: tuple[str | int, ...]
    cyclic: bool = False


def slot(path: str) -> Slot:
    """The place of a file among others that one tool may have written, by its path."""
    folder, _, name = path.rpartition("/")
    if match := DUMPCAP.match(name):
        return Slot((folder, "dumpcap", match["base"], match["suffix"] or ""), (int(match["number"] or match["later"]),))
    digits = "".join(re.sub(r"\D", "", time[0]) for time in TIME.finditer(name))
    template = TIME.sub("{time}", name)
    count = COUNT.search(template)
    number = int(count[0]) if count else 0
    template = template[: count.start()] if count else template
    if digits:
        return Slot((folder, "time", template), (digits, number))
    return Slot((folder, "count", template), (number,), cyclic=True)


def followed(files: Mapping[str, int | None]) -> set[str]:
    """The files that have a successor.

    Args:
        files: Path and modification time, nanoseconds since the epoch or None, of all files that are there.
    """
    rotations: dict[tuple[str, ...], list[tuple[Slot, str, int]]] = defaultdict(list)
    for path, modified_ns in files.items():
        if modified_ns is not None:
            place = slot(path)
            rotations[place.rotation].append((place, path, modified_ns))
    found: set[str] = set()
    for members in rotations.values():
        if len(members) > 1:
            members.sort(key=lambda member: member[0].order)
            found |= _followed_by_next(members) if members[0][0].cyclic else _followed_by_any(members)
    return found


def _followed_by_any(members: list[tuple[Slot, str, int]]) -> set[str]:
    """Files before one that was begun later and written to no earlier."""
    found = set()
    newest = -1
    for _, path, modified_ns in reversed(members):
        if modified_ns <= newest:
            found.add(path)
        newest = max(newest, modified_ns)
    return found


def _followed_by_next(members: list[tuple[Slot, str, int]]) -> set[str]:
    """Files whose next one, the first after the last, was written to no earlier: what comes after the file in hand is a round older."""
    return {
        path
        for (_, path, modified_ns), (_, next_path, next_ns) in zip(members, [*members[1:], members[0]], strict=True)
        if path != next_path and next_ns >= modified_ns
    }
