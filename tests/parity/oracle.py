"""What tshark 4.0.17 said about the captures of the corpus, as it is stored beside them.

The stored fields hold the first occurrence of each, the outermost addresses, and no ports in tunnels and ICMP errors. The innermost
ones need a tshark that is run afresh (`tshark.innermost`).
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

from . import printed
from .model import Capture, Ends, Frame, Handshake, Ports
from .paths import NETWORKS, TRANSPORTS, names, only_quoted, to_transport

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
"""Where the corpus lies beside the checkout, if it does."""


def captures() -> list[Path]:
    """The captures of the corpus, by name; empty where there is no corpus."""
    return sorted(path for path in CORPUS.glob("*") if (CORPUS / "oracle" / f"{path.name}.json").exists())


def load(capture: Path) -> Capture:
    """What tshark said of one capture of the corpus."""
    folder = capture.parent / "oracle"
    said = json.loads((folder / f"{capture.name}.json").read_text(encoding="utf-8"))
    with gzip.open(folder / f"{capture.name}.frames.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        frames = [_frame(row) for row in csv.DictReader(file, delimiter="\t")]
    return Capture(
        frames=frames,
        handshakes={said["stream"]: _handshake(said) for said in said["handshakes"]},
        destinations=printed.destinations(said["stats"]["dests_tree"]),
        destinations_v6=printed.destinations(said["stats"]["ipv6_dests_tree"]),
        hierarchy=printed.hierarchy(said["stats"]["io_phs"]),
        conversations=printed.conversations(said["stats"]["conv_tcp"]),
        damaged=said["tshark"]["rc"] != 0,
    )


def nanoseconds(seconds: str) -> int | None:
    """A decimal number of seconds, as tshark prints times, exactly; None for an empty text."""
    if not seconds:
        return None
    whole, _, fraction = seconds.removeprefix("-").partition(".")
    value = int(whole) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
    return -value if seconds.startswith("-") else value


def _frame(row: dict[str, str]) -> Frame:
    path = names(row["protocols"])
    lower = to_transport(path)
    nested = sum(name in NETWORKS for name in lower) > 1
    transports = sum(name in TRANSPORTS for name in lower)
    ends: Ends = (row["ip_src"] or None, row["ip_dst"] or None)
    ports: Ports = (_integer(row["sport"]), _integer(row["dport"])) if transports else (None, None)
    return Frame(
        ts_ns=_integer(row["ns"]),
        wire_length=int(row["len"]),
        captured_length=int(row["caplen"]),
        interface_id=_integer(row["iface"]),
        path=path,
        outer=ends,
        inner=None if nested else ends,
        ports=None if nested or transports > 1 or "udplite" in lower else ports,
        quoted_ports=None if only_quoted(path, TRANSPORTS) else (None, None),
        tcp_stream=None if only_quoted(path, frozenset({"tcp"})) else _integer(row["tcp_stream"]),
    )


def _integer(text: str) -> int | None:
    return int(text) if text not in {"", "None"} else None


def _handshake(said: dict[str, Any]) -> Handshake:
    return Handshake(said["rtt_first_ns"], nanoseconds(said["initial_rtt"] or ""))
