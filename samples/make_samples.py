"""Makes the sample captures beside this file: python samples/make_samples.py [FOLDER]

Two virtual machines of one subnet, captured for some minutes on three days, as Azure Network Watcher stores such captures. What they tell:

- 2026-09-14: an ordinary day. RDP, HTTPS, HTTP, DNS, pings; a distant server with a slow handshake.
- 2026-09-15: 10.1.0.9 tries the port mapper (port 111) of web-vm; the network loses SYNs; batch-vm begins to talk BitTorrent.
- 2026-09-16: port 111 again, BitTorrent with more peers, refused and unanswered connections.

`formats` holds the same little conversation as big-endian pcap, pcap with nanoseconds, pcapng with two interfaces, and pcap in gzip.
Addresses are those for documentation (RFC 5737) and of private networks (RFC 1918); 168.63.129.16 is Azure's name server.
"""

from __future__ import annotations

import datetime
import gzip
import random
import sys
from collections.abc import Callable
from pathlib import Path

from scapy.layers.dns import DNS  # noqa: F401 - registers DNS, so that nothing is registered half-way
from scapy.utils import PcapNgWriter, PcapWriter

import payloads
from traffic import Host, Recorder

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
RESOURCE_GROUP = "contoso-rg"

GATEWAY = "12:34:56:78:9a:bc"
WEB = Host("10.1.0.4", "00:0d:3a:00:00:04")
BATCH = Host("10.1.0.5", "00:0d:3a:00:00:05")
NEIGHBOUR = Host("10.1.0.9", "00:0d:3a:00:00:09")
NAME_SERVER = Host("168.63.129.16", GATEWAY)
OPERATOR = Host("203.0.113.10", GATEWAY)
SLOW_SERVER = Host("198.51.100.200", GATEWAY)
DEAD_SERVER = Host("192.0.2.66", GATEWAY)


def visitor(number: int) -> Host:
    """One of the web server's visitors, behind the gateway."""
    return Host(f"198.51.100.{10 + number}", GATEWAY)


def peer(number: int) -> Host:
    """One of the BitTorrent peers."""
    return Host(f"203.0.113.{70 + number}", GATEWAY)


def ordinary(recorder: Recorder, start: float, vm: Host, visitors: int) -> None:
    """What every capture has: an operator on RDP, web traffic, names, a ping."""
    chance = recorder.chance
    recorder.arp(start, vm, Host("10.1.0.1", GATEWAY))
    recorder.tcp(start + 0.5, OPERATOR, vm, (chance.randrange(49152, 65535), 3389), payloads.rdp(chance, 90), rtt=0.0003, client_rtt=0.031)
    for number in range(visitors):
        at = start + 2 + number * 1.7
        recorder.udp(at, vm, NAME_SERVER, (chance.randrange(49152, 65535), 53), payloads.dns(f"api{number}.example.com", f"198.51.100.{number + 40}", number), 0.0011)
        # The capture is made at the server: the way to the visitor shows between SYN/ACK and ACK.
        recorder.tcp(at + 0.2, visitor(number), vm, (chance.randrange(49152, 65535), 443), payloads.tls("www.example.com", chance, chance.randrange(500, 6000)), rtt=0.0002, client_rtt=0.008 + 0.011 * number)
        server = Host(f"198.51.100.{number + 40}", GATEWAY)
        recorder.tcp(at + 0.6, vm, server, (chance.randrange(49152, 65535), 443), payloads.tls(f"api{number}.example.com", chance, 2500), rtt=chance.uniform(0.004, 0.03))
    recorder.tcp(start + 4, visitor(1), vm, (chance.randrange(49152, 65535), 80), payloads.http("/health", "www.example.com", 1800), rtt=0.0002, client_rtt=0.019)
    recorder.tcp(start + 5, vm, SLOW_SERVER, (chance.randrange(49152, 65535), 443), payloads.tls("far-away.example.com", chance, 3000), rtt=0.182)
    recorder.ping(start + 6, vm, NAME_SERVER, 0.0009, 3)


def port_111(recorder: Recorder, start: float, times: int) -> None:
    """A neighbour asks web-vm's port mapper what it offers, a handful of times."""
    for number in range(times):
        recorder.tcp(start + number * 2.5, NEIGHBOUR, WEB, (40000 + number, 111), payloads.portmap_dump(recorder.chance), rtt=0.0006)


def bittorrent(recorder: Recorder, start: float, peers: int) -> None:
    """Tracker, distributed hash table and peers."""
    chance = recorder.chance
    recorder.udp(start, BATCH, peer(60), (51413, 6969), payloads.bittorrent_tracker(chance), 0.04)
    for number in range(peers):
        recorder.udp(start + 1 + number, BATCH, peer(20 + number), (51413, 6881), payloads.bittorrent_dht(chance), 0.06)
        recorder.tcp(start + 1.5 + number, BATCH, peer(number), (chance.randrange(49152, 65535), 51413), payloads.bittorrent_peer(chance, 3), rtt=0.055 + number / 100)


def lossy(recorder: Recorder, start: float, vm: Host) -> None:
    """Handshakes whose SYN was lost once and twice."""
    for number in range(1, 3):
        ports = (recorder.chance.randrange(49152, 65535), 443)
        recorder.tcp(start + number, vm, SLOW_SERVER, ports, payloads.tls("far-away.example.com", recorder.chance, 800), rtt=0.19, lost_syns=number)


def failing(recorder: Recorder, start: float, vm: Host) -> None:
    """Connections that do not come about: refused, and into silence."""
    for number in range(4):
        recorder.refused(start + number, vm, WEB if vm is BATCH else BATCH, (50000 + number, 5432), 0.0004)
    recorder.unanswered(start + 5, vm, DEAD_SERVER, (50010, 8443))


def web_vm(day: int) -> Callable[[Recorder, float], None]:
    """The story of web-vm on the day 0, 1 or 2."""

    def tell(recorder: Recorder, start: float) -> None:
        ordinary(recorder, start, WEB, visitors=5 + day)
        if day:
            port_111(recorder, start + 8, times=3 + 2 * day)
            lossy(recorder, start + 10, WEB)
        if day == 2:
            failing(recorder, start + 12, WEB)

    return tell


def batch_vm(day: int) -> Callable[[Recorder, float], None]:
    """The story of batch-vm on the day 0, 1 or 2."""

    def tell(recorder: Recorder, start: float) -> None:
        ordinary(recorder, start, BATCH, visitors=3)
        if day:
            bittorrent(recorder, start + 3, peers=2 * day)
        if day == 2:
            failing(recorder, start + 12, BATCH)

    return tell


def network_watcher_path(vm: str, moment: datetime.datetime) -> Path:
    """Where Network Watcher stores the capture of `vm` that was asked for at `moment`."""
    return Path(
        f"network-watcher-logs/subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/providers/microsoft.compute/virtualmachines/{vm}"
        f"/{moment:%Y/%m/%d}/packetcapture_{moment:%H_%M_%S}_{moment.microsecond // 1000:03}.cap"
    )


def write_pcap(path: Path, recorder: Recorder, **options: object) -> None:
    """Write a classic pcap."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with PcapWriter(str(path), linktype=1, sync=False, **options) as writer:
        for packet in recorder.sorted_packets():
            writer.write(packet)


def small_talk() -> Recorder:
    """The conversation of the files in `formats`."""
    recorder = Recorder(random.Random(7))
    start = datetime.datetime(2026, 9, 17, 9, tzinfo=datetime.UTC).timestamp()
    recorder.udp(start, WEB, NAME_SERVER, (50053, 53), payloads.dns("www.example.com", "198.51.100.10", 1), 0.0011)
    recorder.tcp(start + 1, visitor(0), WEB, (50080, 80), payloads.http("/", "www.example.com", 600), rtt=0.025)
    return recorder


def make_formats(folder: Path) -> None:
    """The same conversation in several formats."""
    talk = small_talk()
    write_pcap(folder / "big-endian.pcap", talk, endianness=">")
    write_pcap(folder / "nanoseconds.pcap", talk, nano=True)
    with PcapNgWriter(str(folder / "two-interfaces.pcapng")) as writer:
        for number, packet in enumerate(talk.sorted_packets()):
            packet.sniffed_on = f"eth{number % 2}"
            writer.write(packet)
    plain = folder / "compressed.cap"
    write_pcap(plain, talk)
    # No name and no time of day in the gzip header: the same bytes on every run.
    (folder / "compressed.cap.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()


def make(folder: Path) -> None:
    """Make all samples below `folder`."""
    for vm, story in (("web-vm", web_vm), ("batch-vm", batch_vm)):
        for day in range(3):
            moment = datetime.datetime(2026, 9, 14 + day, 8, 30, 12 if vm == "web-vm" else 41, 250_000 + day * 111_000, tzinfo=datetime.UTC)
            recorder = Recorder(random.Random(f"{vm} {day}"))
            # Network Watcher names the file after the request, some seconds before the first packet.
            story(day)(recorder, moment.timestamp() + 11)
            write_pcap(folder / network_watcher_path(vm, moment), recorder)
    make_formats(folder / "formats")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
