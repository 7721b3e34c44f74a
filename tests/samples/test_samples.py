"""The sample captures: the same bytes on every run, small, and telling what their README says, with tshark as the witness."""

from __future__ import annotations

import functools
import gzip
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from caphouse.ingest.sources import facts_from_path

SAMPLES = Path(__file__).parents[2] / "samples"
CAPTURES = sorted(path for path in SAMPLES.rglob("*") if path.suffix in {".cap", ".pcap", ".pcapng", ".gz"})
DAYS = ["2026/03/02", "2026/03/03", "2026/03/04", "2026/03/05"]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def captures_of(vm: str) -> list[Path]:
    """The captures of a machine, day by day."""
    return [path for path in CAPTURES if f"/virtualmachines/{vm}/" in path.as_posix()]


FIELDS = (
    "frame.protocols", "frame.interface_name", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.time_relative",
    "tcp.analysis.retransmission", "udp.payload", "portmap.procedure_v2", "rpc.msgtyp", "rdp.rt_cookie", "http.response.code",
    "dns.flags.response", "tds.type", "tls.handshake.type", "tls.handshake.extensions_server_name",
)  # fmt: skip
SYN, REFUSED, SYN_ACK = "0x0002", "0x0014", "0x0012"


@functools.cache
def packets(path: Path) -> list[dict[str, str]]:
    """What tshark says of each packet of a sample."""
    chosen = [option for field in FIELDS for option in ("-e", field)]
    command = ["tshark", "-n", "-o", "tcp.desegment_tcp_streams:FALSE", "-r", str(path), "-T", "fields", *chosen]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in output.splitlines()]


def those(path: Path, **wanted: str) -> list[dict[str, str]]:
    """The packets whose fields have these values; '_' in a name stands for '.'."""
    names = {field.replace(".", "_"): field for field in FIELDS}
    return [packet for packet in packets(path) if all(packet[names[name]] == value for name, value in wanted.items())]


def speak(path: Path, protocol: str) -> bool:
    """Whether tshark finds a protocol in any packet."""
    return any(protocol in packet["frame.protocols"].split(":") for packet in packets(path))


def test_samples_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    """The script gives the files that are committed and no others; of compressed ones the content counts."""
    pytest.importorskip("scapy")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, str(SAMPLES / "make_samples.py"), str(tmp_path)], check=True, env=environment)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(made) == {path.relative_to(SAMPLES) for path in CAPTURES}
    for name, path in made.items():
        contents = [file.read_bytes() for file in (path, SAMPLES / name)]
        if name.suffix == ".gz":  # not every zlib compresses alike
            contents = [gzip.decompress(content) for content in contents]
        assert contents[0] == contents[1], name


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in CAPTURES) < 2_000_000


def test_layout_is_network_watchers() -> None:
    """Two machines on the same four days, each capture's facts in its path."""
    found: dict[str | None, list[str]] = {}
    for path in CAPTURES:
        facts = facts_from_path(path.as_posix())
        if facts.vm is not None:
            assert facts.host == facts.vm
            assert (facts.resource_group, facts.subscription_id) == ("shop-prod", "6f1e2a52-3b1c-4b57-9c39-5f7d3c0a9e11")
            found.setdefault(facts.vm, []).append("/".join(path.parts[-4:-1]))
    assert found == {"web-01": DAYS, "app-02": DAYS}


@needs_tshark
def test_nothing_is_malformed() -> None:
    """tshark finds no fault in any packet, after reassembly."""
    for path in CAPTURES:
        command = ["tshark", "-n", "-r", str(path), "-Y", "_ws.malformed or _ws.expert.severity >= 0x800000"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "", path.name


@needs_tshark
def test_latency_story() -> None:
    """The way to the payment provider takes 35 ms on three days and 183 ms on the third, when two SYNs are lost."""
    bounds = [(0.033, 0.036), (0.035, 0.038), (0.178, 0.191), (0.034, 0.037)]
    for day, (path, (least, most)) in enumerate(zip(captures_of("web-01"), bounds, strict=True)):
        answers = [float(packet["tcp.time_relative"]) for packet in those(path, ip_src="203.0.113.80", tcp_flags=SYN_ACK)]
        assert len(answers) == 7
        assert all(least < answer % 1 < most for answer in answers)
        assert sum(answer > 1 for answer in answers) == (2 if day == 2 else 0)
        again = [packet["ip.dst"] for packet in those(path, tcp_flags=SYN) if packet["tcp.analysis.retransmission"]]
        assert again == ["203.0.113.80"] * (2 if day == 2 else 0)
    refusals = those(captures_of("web-01")[1], tcp_flags=REFUSED, tcp_srcport="1433")
    assert [packet["ip.src"] for packet in refusals] == ["10.20.1.7"] * 2


@needs_tshark
def test_unwanted_protocol_story() -> None:
    """BitTorrent is on app-02 on the last two days and nowhere else: peers, the hash table, the tracker's magic number."""
    for path in CAPTURES:
        expected = path in captures_of("app-02")[2:]
        assert speak(path, "bittorrent") == expected
        assert speak(path, "bt-dht") == expected
        assert any(packet["udp.payload"].startswith("0000041727101980") for packet in packets(path)) == expected


@needs_tshark
def test_port_111_story() -> None:
    """Only 10.20.0.9 calls port 111, from the second day on: app-02 answers its RPC calls, web-01 refuses."""
    for vm, calls in (("web-01", 3), ("app-02", 9)):
        for day, path in enumerate(captures_of(vm)):
            syns = Counter(packet["ip.src"] for packet in those(path, tcp_flags=SYN, tcp_dstport="111"))
            assert syns == ({"10.20.0.9": calls} if day else {})
            answered = those(path, tcp_srcport="111", portmap_procedure_v2="4", rpc_msgtyp="1")
            refused = those(path, tcp_srcport="111", tcp_flags=REFUSED)
            assert (len(answered), len(refused)) == ((0, 0) if not day else (calls, 0) if vm == "app-02" else (0, calls))


@needs_tshark
def test_everyday_traffic() -> None:
    """Remote desktop, TLS with server names, HTTP, DNS, SQL Server, NTP, ARP and ICMP are there."""
    web, app = captures_of("web-01")[0], captures_of("app-02")[0]
    (session,) = (packet for packet in packets(app) if packet["rdp.rt_cookie"])
    assert (session["tcp.dstport"], session["ip.src"]) == ("3389", "192.0.2.14")
    assert len(those(app, ip_src="192.0.2.200", tcp_flags=SYN, tcp_dstport="3389")) == 3
    names = Counter(packet["tls.handshake.extensions_server_name"] for packet in those(web, tls_handshake_type="1"))
    assert names == {"shop.example.com": 16, "pay.example.net": 7}
    assert those(web, http_response_code="200")
    assert those(web, dns_flags_response="1")
    assert those(web, tds_type="1")
    assert all(speak(web, protocol) for protocol in ("ntp", "arp", "icmp"))


@needs_tshark
def test_formats() -> None:
    """The other files are what their names say."""
    kinds = {
        path.name: subprocess.run(["capinfos", "-t", "-E", "-r", "-T", str(path)], capture_output=True, text=True, check=True)
        .stdout.strip()
        .split("\t")[1:]
        for path in CAPTURES
        if "network-watcher-logs" not in path.parts
    }
    assert kinds == {
        "linux-cooked-nanoseconds-big-endian.pcap": ["nsecpcap", "linux-sll2"],
        "tunnels.pcap": ["pcap", "ether"],
        "notebook.pcapng": ["pcapng", "ether"],
        "branch-proxy.pcap.gz": ["pcap", "ether"],
    }
    (notebook,) = (path for path in CAPTURES if path.name == "notebook.pcapng")
    assert {packet["frame.interface_name"] for packet in packets(notebook)} == {"wlan0", "eth0"}
    (tunnels,) = (path for path in CAPTURES if path.name == "tunnels.pcap")
    protocols = [packet["frame.protocols"] for packet in packets(tunnels)]
    assert protocols[:3] == [
        "eth:ethertype:vlan:ethertype:ip:tcp",
        "eth:ethertype:ip:gre:ip:tcp",
        "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp",
    ]
