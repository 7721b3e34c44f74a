"""What tshark prints for `-z io,phs`, `-z dests,tree`, `-z ipv6_dests,tree` and `-z conv,tcp`, read back."""

from __future__ import annotations

import re
from collections import Counter

from .model import Conversation, Destination, Node
from .paths import layers

_NODE = re.compile(r"^(?P<indent> *)(?P<name>\S+) +frames:(?P<frames>\d+) bytes:(?P<bytes>\d+)$")
_LEAF = re.compile(r"^(?P<indent> *)(?P<item>\S+) +(?P<count>\d+) ")
_CONVERSATION = re.compile(
    r"^(?P<a>\S+):(?P<port_a>\d+) +<-> (?P<b>\S+):(?P<port_b>\d+) +(?P<frames_to_a>\d+) (?P<bytes_to_a>-?\d+ \S+) +"
    r"(?P<frames_to_b>\d+) (?P<bytes_to_b>-?\d+ \S+) +\d+ -?\d+ \S+ +-?[\d.]+ +[\d.]+$",
)


def hierarchy(text: str) -> dict[tuple[str, ...], Node]:
    """Nodes of `-z io,phs` by their path. Nodes that are no layers are left out, and what hangs below them counts one level up."""
    nodes: dict[tuple[str, ...], Node] = {}
    path: list[str] = []
    for line in text.splitlines():
        if match := _NODE.match(line):
            del path[len(match["indent"]) // 2 :]
            path.append(match["name"])
            if layers([match["name"]]):
                before = nodes.get(layers(path), Node(0, 0))
                nodes[layers(path)] = Node(before.frames + int(match["frames"]), before.bytes + int(match["bytes"]))
    return nodes


def destinations(text: str) -> Counter[Destination]:
    """Leaves of `-z dests,tree` or `-z ipv6_dests,tree`: one level of indent is the address, two the protocol, three the port."""
    leaves: Counter[Destination] = Counter()
    address = protocol = ""
    for line in text.splitlines():
        match = _LEAF.match(line)
        depth = len(match["indent"]) if match else 0
        if match and depth == 1:
            address = match["item"]
        elif match and depth == 2:
            protocol = match["item"]
        elif match and depth == 3:
            leaves[Destination(address, protocol, int(match["item"]))] += int(match["count"])
    return leaves


def conversations(text: str) -> Counter[Conversation]:
    """Rows of `-z conv,tcp`; two connections between the same ports are two rows."""
    rows: Counter[Conversation] = Counter()
    for line in text.splitlines():
        if match := _CONVERSATION.match(line):
            row = Conversation(
                match["a"],
                int(match["port_a"]),
                match["b"],
                int(match["port_b"]),
                int(match["frames_to_a"]),
                int(match["frames_to_b"]),
                match["bytes_to_a"],
                match["bytes_to_b"],
            )
            rows[row] += 1
    return rows


def size_text(count: int) -> str:
    """A number of bytes as Wireshark 4.0 writes it in the text of conversations: the unit that leaves at least two digits, cut."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= 10 * factor:
            return f"{count // factor} {unit}"
    return f"{count} bytes"
