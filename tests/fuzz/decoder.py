"""Mutates packets of every link type and tunnel and checks what must hold whatever comes in.

A long run, by hand, with tshark as a judge of what each packet is called:

    PYTHONPATH=tests python -m fuzz.decoder --packets 1000000
    PYTHONPATH=tests python -m fuzz.decoder --packets 50000 --tshark
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import wireshark
from decoding import Raw, raw, rows
from made_packets import SAMPLES

from caphouse.ingest.columns import TUNNEL

ROUND = 500
"""Packets that are mutated, and decoded together, at a time."""
ALONE = 12
"""Packets of a round that are decoded once more, each alone."""
MOST_SECONDS = 30.0
"""For a round; of processor time, so that it does not matter what else the machine does."""
BYTES = (0, 1, 2, 3, 4, 5, 6, 8, 0x0F, 0x10, 0x11, 0x20, 0x21, 0x29, 0x2B, 0x2C, 0x2F, 0x3C, 0x40, 0x45, 0x60, 0x7F, 0x80, 0x88, 0xAA, 0xFF)
LINK_TYPES = (*sorted({sample.link_type for sample in SAMPLES}), 3, 8, 147, 189, 227, 65_535)
TRANSPORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}


def mutate(rng: random.Random, packet: Raw) -> Raw:
    """`packet`, changed in up to five places, and cut: by the snapshot length, or on the wire."""
    header, data = packet.data[: packet.pseudo_header], bytearray(packet.data[packet.pseudo_header :])
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        if not data:
            break
        # Most of the headers are at the beginning.
        at = min(int(rng.expovariate(1 / 30)), len(data) - 1) if rng.random() < 0.8 else rng.randrange(len(data))
        way = rng.random()
        if way < 0.35:
            data[at] = rng.choice(BYTES)
        elif way < 0.7:
            data[at] ^= 1 << rng.randrange(8)
        elif way < 0.8:
            data[at] = rng.randrange(256)
        elif way < 0.86:
            del data[at : at + rng.choice((1, 2, 4, 8))]
        elif way < 0.92:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
        else:
            data[at:at] = data[: rng.randrange(len(data) + 1)]
    wire: int | None = len(data) + rng.choice((0, 0, 0, 1, 4, 60_000))
    way = rng.random()
    if way < 0.4:
        del data[rng.randrange(len(data) + 1) :]
        wire = wire if way < 0.25 else None
    link_type = packet.link_type if rng.random() < 0.97 or header else rng.choice(LINK_TYPES)
    return Raw(link_type, header + bytes(data), wire, packet.pseudo_header)


def rounds(seed: int) -> Iterator[tuple[int, list[Raw], random.Random]]:
    """Number, packets and randomness of each round, without end."""
    made = [raw(sample) for sample in SAMPLES]
    while True:
        rng = random.Random(seed)
        yield seed, [mutate(rng, rng.choice(made)) for _ in range(ROUND)], rng
        seed += 1


def check(packets: Sequence[Raw], rng: random.Random) -> list[dict[str, Any]]:
    """Decode packets in several ways, all of which must give the same, and look at the values.

    Returns:
        The rows.
    """
    began = time.process_time()
    found = rows(packets)
    for packet, row in zip(packets, found, strict=True):
        check_row(packet, row)
    assert rows(packets, filler=None) == found, "bytes beyond the captured ones were read"
    shuffled = rng.sample(range(len(packets)), len(packets))
    for place, row in zip(shuffled, rows([packets[place] for place in shuffled]), strict=True):
        assert without_place(row) == without_place(found[place]), "in another order it is something else"
    for place in rng.sample(range(len(packets)), min(ALONE, len(packets))):
        assert without_place(rows([packets[place]])[0]) == without_place(found[place]), "alone it is something else"
    assert time.process_time() - began < MOST_SECONDS, "it takes too long"
    return found


def without_place(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its time, which is its place in the batch here."""
    return {name: value for name, value in row.items() if name != "ts_ns"}


NODES_ALONE = {"isl", "vxlan", "pweth", "pweth.cw", "gtp"}
"""Names that the protocol hierarchy has in the place of others."""


def check_row(packet: Raw, row: dict[str, Any]) -> None:
    """What is true of every decoded packet."""
    names = row["protocols"].split(":")
    captured = len(packet.data) - packet.pseudo_header
    assert row["protocols"] or not captured, "a packet without a name"
    assert {*row["counted"].split(":")} <= {*names, *NODES_ALONE, ""}, "counted as what it is not"
    assert len(names) <= 64, "the nesting is not bounded"
    assert TUNNEL <= row["payload_captured"] <= captured, "more payload than packet"
    assert row["payload_captured"] != TUNNEL or row["transport"] in {17, 136}, "a tunnel without UDP"
    assert row["payload"] in packet.data, "the payload lies outside of the packet"
    has_ports = row["transport"] != -1
    assert (row["src_port"] >= 0) == (row["dst_port"] >= 0) >= (row["transport"] >= 0), "half a transport header"
    assert not has_ports or (row["src_ip"] and row["dst_ip"]), "ports without addresses"
    assert not has_ports or TRANSPORTS[row["transport"]] in names, "ports of a protocol that is not there"
    assert bool(row["dst_ip"]) <= bool(row["src_ip"]), "a destination without a source"
    assert row["ipv4_layers"] <= names.count("ip"), "more IPv4 headers than named"
    assert row["ipv6_layers"] <= names.count("ipv6"), "more IPv6 headers than named"
    # A later fragment's IPv6 header does not count as one.
    headers = row["ipv4_layers"] + row["ipv6_layers"] + (row["ip_version"] == 6 and row["ip_fragment_offset"] > 0)
    # Nor does one whose extension headers are cut.
    assert bool(row["dst_ip"]) == (headers > 0) or row["ip_version"] == 6, "addresses without a header"
    assert bool(row["tunnel_src_ip"]) <= (headers > (row["ip_version"] != 6)), "outer addresses without a tunnel"
    ends = [(src, dst) for src, _, dst, _ in row["headers"]]
    assert len(ends) == (row["ipv4_layers"] + row["ipv6_layers"] if row["tunnel_src_ip"] else 0), "IP headers of a tunnel are missing"
    assert not ends or ends[0] == (row["tunnel_src_ip"], row["tunnel_dst_ip"]), "another outermost header"
    assert row["tcp_flags"] == -1 or "tcp" in names, "TCP flags without TCP"
    assert -1 <= row["payload_length"] <= max(packet.wire_length or 0, captured), "more payload than packet"
    for name, most in (
        ("src_port", 0xFFFF),
        ("dst_port", 0xFFFF),
        ("vlan_id", 4095),
        ("ip_ttl", 255),
        ("ip_dscp", 63),
        ("tcp_flags", 4095),
    ):
        assert -1 <= row[name] <= most, name


def differences(packets: Sequence[Raw], found: Sequence[dict[str, Any]], folder: Path) -> Counter[tuple[str, str]]:
    """Where tshark names other protocols, down to the last one that we name: ours and its names, and how often."""
    differing: Counter[tuple[str, str]] = Counter()
    for row, said in zip(found, wireshark.ask(folder, packets), strict=True):
        if not f"{said.protocols}:".startswith(f"{row['protocols']}:"):
            differing[row["protocols"], said.protocols] += 1
    return differing


def readable(packets: Sequence[Raw]) -> list[Raw]:
    """Packets of link types that tshark reads, and with headers that do not make it give up."""
    known = {sample.link_type for sample in SAMPLES if sample.in_wireshark}
    return [packet for packet in packets if packet.link_type in known]


def main(arguments: list[str]) -> int:
    """Run rounds; those that fail are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tshark", action="store_true", help="compare the names with tshark's, and print those that differ most")
    options = parser.parse_args(arguments)
    if options.tshark and not wireshark.is_reference():
        parser.error(wireshark.MISSING)
    failures, compared, differing = 0, 0, Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as folder:
        for number, packets, rng in rounds(options.seed):
            if number >= options.seed + options.packets / ROUND:
                break
            try:
                check(packets, rng)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
                failures += 1
                print(f"round {number}: {error!r}")  # noqa: T201 - a script
            if options.tshark:
                asked = readable(packets)
                compared += len(asked)
                differing += differences(asked, rows(asked), Path(folder))
    print(f"{options.packets} packets, {failures} rounds of {ROUND} to look at")  # noqa: T201 - a script
    if options.tshark:
        print(f"{differing.total()} of {compared} named otherwise by tshark; the most frequent:")  # noqa: T201 - a script
        for (ours, theirs), count in differing.most_common(25):
            print(f"{count:6}  {ours}  {theirs}")  # noqa: T201 - a script
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
