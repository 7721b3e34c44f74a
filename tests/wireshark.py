"""tshark as the oracle for packets that a test makes: what Wireshark names, in the same terms as `decoding.rows`."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from decoding import Raw

REFERENCE = "4.0"
"""The series of Wireshark whose names and rules are followed; others differ in a few dissectors."""
OPTIONS = ("-n", "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")
_TRANSPORTS = {"tcp": "tcp", "udp": "udp", "udplite": "udp", "sctp": "sctp", "dccp": "dccp"}
_FIELDS = (
    "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "eth.src", "vlan.id",
    *(f"{family}.{end}port" for family in ("tcp", "udp", "sctp", "dccp") for end in ("src", "dst")),
)  # fmt: skip
MISSING = "tshark of the reference series 4.0 is not installed"


def is_reference() -> bool:
    """Whether the tshark on the PATH is of the series that is followed."""
    if shutil.which("tshark") is None:
        return False
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return f" {REFERENCE}." in said.splitlines()[0]


@dataclass(frozen=True)
class Said:
    """What tshark says of a packet; the fields are those of `made_packets.Sample`.

    Attributes:
        whole: Whether as many addresses were read as there are IP headers in `protocols`: none was cut, and none is quoted.
    """

    protocols: str
    src: str
    dst: str
    src_port: int
    dst_port: int
    ipv4_layers: int
    ipv6_layers: int
    eth_src: str
    vlan_id: int
    whole: bool


def ask(folder: Path, packets: Sequence[Raw]) -> list[Said]:
    """Let tshark dissect packets of any link types, each link type in a file of its own.

    Raises:
        AssertionError: It did not read all of them.
    """
    answers: dict[int, Said] = {}
    for link_type in sorted({packet.link_type for packet in packets}):
        places = [place for place, packet in enumerate(packets) if packet.link_type == link_type]
        path = folder / f"{link_type}.pcap"
        path.write_bytes(pcap(link_type, [packets[place] for place in places]))
        fields = [option for field in _FIELDS for option in ("-e", field)]
        command = ["tshark", *OPTIONS, "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", *fields]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
        assert len(lines) == len(places), f"tshark read {len(lines)} of {len(places)} packets of link type {link_type}"
        answers.update(zip(places, map(_said, lines), strict=True))
    return [answers[place] for place in range(len(packets))]


def hierarchy(folder: Path, packets: Sequence[Raw]) -> str:
    """What `-z io,phs` prints of packets of one link type."""
    path = folder / f"hierarchy of {packets[0].link_type}.pcap"
    path.write_bytes(pcap(packets[0].link_type, packets))
    command = ["tshark", *OPTIONS, "-r", str(path), "-q", "-z", "io,phs"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def pcap(link_type: int, packets: Sequence[Raw]) -> bytes:
    """A classic pcap file."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, link_type)]
    for second, packet in enumerate(packets):
        captured = len(packet.data)
        wire = captured if packet.wire_length is None else packet.wire_length + packet.pseudo_header
        parts += [struct.pack("<IIII", 1_700_000_000 + second, 0, captured, wire), packet.data]
    return b"".join(parts)


def without_pseudo_layers(protocols: str) -> str:
    """`frame.protocols` without `ethertype` and IPv6's extension headers, which are no layers of their own here."""
    return ":".join(name for name in protocols.split(":") if name and name != "ethertype" and not name.startswith("ipv6."))


def _said(line: str) -> Said:
    values = dict(zip(_FIELDS, line.split("\t"), strict=True))
    several = {field: [value for value in text.split("|") if value] for field, text in values.items()}
    protocols = without_pseudo_layers(values["frame.protocols"])
    names = protocols.split(":")
    inner = next((name for name in reversed(names) if name in {"ip", "ipv6"}), "ip")
    transport = next((_TRANSPORTS[name] for name in reversed(names) if name in _TRANSPORTS), "tcp")
    vlan = several["vlan.id"]
    return Said(
        protocols=protocols,
        src="".join(several[f"{inner}.src"][-1:]),
        dst="".join(several[f"{inner}.dst"][-1:]),
        src_port=int((several[f"{transport}.srcport"] or ["-1"])[-1]),
        dst_port=int((several[f"{transport}.dstport"] or ["-1"])[-1]),
        ipv4_layers=len(several["ip.dst"]),
        ipv6_layers=len(several["ipv6.dst"]),
        eth_src="".join(several["eth.src"][:1]),
        vlan_id=int(vlan[0]) if vlan else -1,
        whole=len(several["ip.dst"]) == names.count("ip") and len(several["ipv6.dst"]) == names.count("ipv6"),
    )
