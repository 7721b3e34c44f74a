"""Makes the sample captures: four days on two virtual machines of a small web shop, laid out as Azure Network Watcher lays them out.

Run it as `python samples/make_samples.py [FOLDER]`; without a folder the captures beside this script are made again. The same bytes
come out on every run. What happens in them is told in README.md beside this script.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from random import Random

from payloads import (
    application_data,
    client_hello,
    dht_answer,
    dht_query,
    dns_answer,
    dns_query,
    http_request,
    http_response,
    ntp,
    peer_handshake,
    peer_message,
    portmap_dump,
    portmap_list,
    rdp_confirm,
    rdp_request,
    server_hello,
    tds_batch,
    tds_prelogin,
    tds_reply,
    tracker_announce,
    tracker_connect,
    tracker_connected,
    tracker_peers,
)
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, CookedLinuxV2, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from traffic import MS, SECOND, Capture, Connection, Host, pcap, pcapng

SUBSCRIPTION = "6f1e2a52-3b1c-4b57-9c39-5f7d3c0a9e11"
RESOURCE_GROUP = "shop-prod"
GATEWAY = "12:34:56:78:9a:bc"

WEB = Host("10.20.0.4", "02:0d:3a:00:00:04")
APP = Host("10.20.0.5", "02:0d:3a:00:00:05")
CALLER = Host("10.20.0.9", "02:0d:3a:00:00:09")
"""A third machine of the subnet, which goes around and asks for the port mapper."""
RESOLVER = Host("10.20.0.53", "02:0d:3a:00:00:53")
DATABASE = Host("10.20.1.7", GATEWAY)
CLOCK = Host("203.0.113.123", GATEWAY)
PAYMENTS = Host("203.0.113.80", GATEWAY)
"""The shop's payment provider."""
ADMIN = Host("192.0.2.14", GATEWAY)
STRANGER = Host("192.0.2.200", GATEWAY)
TRACKER = Host("198.51.100.69", GATEWAY)
CUSTOMERS = [Host(f"198.51.100.{number}", GATEWAY) for number in (11, 23, 37, 42, 58, 77, 91)]
PEERS = [Host(f"203.0.113.{number}", GATEWAY) for number in range(140, 164)]

DAYS = ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]
PAYMENT_ROUND_TRIPS = [34 * MS, 36 * MS, 183 * MS, 35 * MS]
"""By day: on the third one the way to the payment provider is slow."""

INFO_HASH = bytes.fromhex("c9e15763f722f23e98a29decdfae341b98d53056")
PEER_ID = b"-XX2070-caphousesmpl"


class Ports:
    """Client ports, each used once in a capture."""

    def __init__(self, random: Random) -> None:
        self._next = random.randrange(49_200, 52_000)

    def take(self) -> int:
        """The next port."""
        self._next += 1
        return self._next


def https(
    capture: Capture, at: int, client: tuple[Host, int], server: Host, round_trip: int, name: str, size: int, *, lost_syns: int = 0
) -> None:
    """A TLS connection: hello, hello, a request and `size` bytes of answer."""
    random = capture.random
    connection = Connection(capture, at, client, (server, 443), round_trip).open(lost_syns=lost_syns)
    connection.send("client", client_hello(random, name)).send("server", server_hello(random, 1100), think=900)
    connection.send("client", application_data(random, 53) + application_data(random, random.randrange(300, 500)), think=700)
    connection.send("server", b"".join(application_data(random, 1000) for _ in range(-(-size // 1000))), think=random.randrange(4, 25) * MS)
    connection.close()


def look_up(capture: Capture, at: int, client: Host, port: int, name: str, address: str | None) -> None:
    """A question to the resolver and its answer."""
    number = capture.random.randrange(1 << 16)
    capture.datagram(at, (client, port), (RESOLVER, 53), dns_query(number, name))
    capture.datagram(at + capture.random.randrange(350, 900), (RESOLVER, 53), (client, port), dns_answer(number, name, address))


def housekeeping(capture: Capture, ports: Ports) -> None:
    """What every machine does: ARP, the clock, a ping from the resolver's monitor."""
    machine = capture.machine
    capture.who_has(20 * MS, machine, RESOLVER)
    capture.ping(35 * SECOND, RESOLVER, machine, 90)
    port = ports.take()
    at = 61 * SECOND
    capture.datagram(at, (machine, port), (CLOCK, 123), ntp(3, 0, 0))
    capture.datagram(at + 21 * MS, (CLOCK, 123), (machine, port), ntp(4, 2, capture.epoch // SECOND + 2_208_988_800 + 61))


def port_mapper_calls(capture: Capture, calls: int) -> None:
    """Connections to port 111 from one machine of the subnet: answered on APP, refused on WEB, where nothing listens."""
    ports = Ports(capture.random)
    for number in range(calls):
        at = (40 + 17 * number) * SECOND + capture.random.randrange(SECOND)
        connection = Connection(capture, at, (CALLER, ports.take()), (capture.machine, 111), 240)
        if capture.machine == WEB:
            connection.refused()
        else:
            asked = capture.random.randrange(1 << 32)
            connection.open().send("client", portmap_dump(asked)).send("server", portmap_list(asked), think=120).close()


def web_server(day: int, start: str) -> Capture:
    """WEB for five minutes: customers, the payment provider, the application server, the database."""
    random = Random(f"web {day}")
    capture = Capture(WEB, f"{DAYS[day]}T{start}", random)
    ports, customer_ports = Ports(random), Ports(random)
    housekeeping(capture, ports)
    for _ in range(16):
        customer = random.choice(CUSTOMERS)
        at, way = random.randrange(1, 290) * SECOND + random.randrange(SECOND), random.randrange(18, 95) * MS
        https(capture, at, (customer, customer_ports.take()), WEB, way, "shop.example.com", random.randrange(2_000, 9_000))
    for number in range(7):
        at = (12 + 40 * number) * SECOND + random.randrange(SECOND)
        lost = 1 if day == 2 and number in {1, 4} else 0
        look_up(capture, at, WEB, ports.take(), "pay.example.net", PAYMENTS.ip)
        https(capture, at + 2 * MS, (WEB, ports.take()), PAYMENTS, PAYMENT_ROUND_TRIPS[day], "pay.example.net", 900, lost_syns=lost)
    for _ in range(6):
        at = random.randrange(1, 290) * SECOND + random.randrange(SECOND)
        connection = Connection(capture, at, (WEB, ports.take()), (APP, 8080), 420).open()
        body = b'{"basket": [%s]}' % b", ".join(b"%d" % random.randrange(10_000) for _ in range(60))
        connection.send("client", http_request("app-02:8080", f"/basket/{random.randrange(10_000)}"))
        connection.send("server", http_response(body), think=3 * MS).close()
    for _ in range(4):
        at = random.randrange(1, 290) * SECOND + random.randrange(SECOND)
        connection = Connection(capture, at, (WEB, ports.take()), (DATABASE, 1433), 650).open()
        connection.send("client", tds_prelogin()).send("server", tds_prelogin(answer=True))
        connection.send("client", tds_batch(f"exec hold_stock {random.randrange(10_000)}, 1"))
        connection.send("server", tds_reply(1), think=2 * MS).close()
    if day == 1:
        # The database was being restarted: two refusals.
        for number in range(2):
            Connection(capture, (150 + number) * SECOND + random.randrange(SECOND), (WEB, ports.take()), (DATABASE, 1433), 650).refused()
    if day:
        port_mapper_calls(capture, 3)
    return capture


def application_server(day: int, start: str) -> Capture:
    """APP for five minutes: the administrator's remote desktop, the web server's requests, and what should not be there."""
    random = Random(f"app {day}")
    capture = Capture(APP, f"{DAYS[day]}T{start}", random)
    ports, web_ports = Ports(random), Ports(random)
    housekeeping(capture, ports)
    remote_desktop(capture, 5 * SECOND + random.randrange(SECOND), 30)
    for number in range(10):
        at = (9 + 28 * number) * SECOND + random.randrange(SECOND)
        connection = Connection(capture, at, (WEB, web_ports.take()), (APP, 8080), 420).open()
        connection.send("client", http_request("app-02:8080", "/health" if number % 3 else f"/orders/{random.randrange(10_000)}"))
        connection.send(
            "server", http_response(b'{"status": "ok"}' if number % 3 else random.randbytes(1200).hex().encode()), think=2 * MS
        ).close()
    # Somebody on the Internet tries the remote desktop's port; the firewall lets the SYNs in and no answer out.
    Connection(capture, 200 * SECOND + random.randrange(SECOND), (STRANGER, 40_001), (APP, 3389), 80 * MS).unanswered()
    if day:
        port_mapper_calls(capture, 9)
    if day >= 2:
        file_sharing(capture, ports, pieces=26 if day == 2 else 9)
    return capture


def remote_desktop(capture: Capture, at: int, rounds: int) -> None:
    """The administrator's session: connection request, TLS, and then pictures against keys and mouse."""
    random = capture.random
    session = Connection(capture, at, (ADMIN, random.randrange(50_000, 60_000)), (APP, 3389), 28 * MS).open()
    session.send("client", rdp_request("admin")).send("server", rdp_confirm(), think=2 * MS)
    session.send("client", client_hello(random, "app-02")).send("server", server_hello(random, 900), think=2 * MS)
    for _ in range(rounds):
        session.send("client", application_data(random, random.randrange(40, 90)), think=random.randrange(50, 900) * MS)
        session.send("server", application_data(random, random.randrange(200, 1300)), think=random.randrange(5, 40) * MS)
    session.close()


def file_sharing(capture: Capture, ports: Ports, pieces: int) -> None:
    """BitTorrent: the tracker, the distributed hash table, and peers, of which some do not answer."""
    random = capture.random
    start = 20 * SECOND
    compact = [bytes(int(part) for part in peer.ip.split(".")) + struct.pack(">H", 6881) for peer in PEERS]
    look_up(capture, start, APP, ports.take(), "tracker.example.org", TRACKER.ip)
    tracker, number = (TRACKER, 6969), random.randrange(1 << 32)
    here = (APP, 6881)
    for at, source, destination, payload in (
        (1 * MS, here, tracker, tracker_connect(number)),
        (42 * MS, tracker, here, tracker_connected(number, 0x0123456789ABCDEF)),
        (43 * MS, here, tracker, tracker_announce(0x0123456789ABCDEF, number + 1 & 0xFFFFFFFF, INFO_HASH, PEER_ID)),
        (84 * MS, tracker, here, tracker_peers(number + 1 & 0xFFFFFFFF, compact[:12])),
    ):
        capture.datagram(start + at, source, destination, payload)
    for order, peer in enumerate(PEERS):
        at = start + SECOND + order * 1700 * MS + random.randrange(90 * MS)
        transaction = struct.pack(">H", order)
        capture.datagram(at, here, (peer, 6881), dht_query(transaction, PEER_ID, INFO_HASH))
        if order % 4 != 3:
            found = dht_answer(transaction, random.randbytes(20), compact[order : order + 3])
            capture.datagram(at + random.randrange(20, 140) * MS, (peer, 6881), here, found)
    for order, peer in enumerate(PEERS[:8]):
        at, way = start + (3 + 5 * order) * SECOND + random.randrange(SECOND), random.randrange(25, 160) * MS
        connection = Connection(capture, at, (APP, ports.take()), (peer, 6881), way)
        if order in {2, 5}:
            connection.unanswered(2)
            continue
        connection.open().send("client", peer_handshake(INFO_HASH, PEER_ID))
        connection.send("server", peer_handshake(INFO_HASH, b"-YY4030-" + random.randbytes(12)) + peer_message(5, b"\xff" * 88))
        connection.send("client", peer_message(2)).send("server", peer_message(1))
        for piece in range(pieces // 6 + (order == 0)):
            connection.send("client", peer_message(6, struct.pack(">III", piece, 0, 2600)))
            connection.send(
                "server", peer_message(7, struct.pack(">II", piece, 0) + random.randbytes(2600)), think=random.randrange(5, 60) * MS
            )
        if order == 7:
            connection.reset("server")
        else:
            connection.close()


def administrators_notebook() -> bytes:
    """The notebook's side of a remote desktop session, on two interfaces, as Wireshark saves it: pcapng."""
    notebook = Host("192.168.1.20", "02:00:5e:00:00:20")
    router = "02:00:5e:00:00:01"
    random = Random("notebook")
    wireless = Capture(notebook, "2026-03-04T09:01:00", random)
    session = Connection(wireless, SECOND, (notebook, 55_321), (Host("203.0.113.5", router), 3389), 31 * MS).open()
    session.send("client", rdp_request("admin")).send("server", rdp_confirm(), think=2 * MS)
    session.send("client", client_hello(random, "app-02")).send("server", server_hello(random, 900), think=2 * MS).close()
    wired = Capture(notebook, "2026-03-04T09:01:00", random)
    resolver = Host("192.168.1.1", router)
    number = random.randrange(1 << 16)
    wired.datagram(900 * MS, (notebook, 50_111), (resolver, 53), dns_query(number, "app-02.example.com"))
    wired.datagram(912 * MS, (resolver, 53), (notebook, 50_111), dns_answer(number, "app-02.example.com", "203.0.113.5"))
    interfaces = [("wlan0", wireless.in_order()), ("eth0", wired.in_order())]
    return pcapng(interfaces, application="caphouse samples", comment="The administrator's side of the remote desktop")


def branch_office() -> Capture:
    """A branch office's proxy; its capture is kept compressed."""
    proxy = Host("192.168.7.8", "02:00:5e:00:07:08")
    random = Random("branch office")
    capture = Capture(proxy, "2026-03-03T14:30:00", random)
    ports = Ports(random)
    for number in range(6):
        clerk = Host(f"192.168.7.{100 + number}", f"02:00:5e:00:07:{number:02x}")
        connection = Connection(capture, number * 9 * SECOND + random.randrange(SECOND), (clerk, ports.take()), (proxy, 3128), 600).open()
        connection.send("client", b"CONNECT shop.example.com:443 HTTP/1.1\r\nHost: shop.example.com:443\r\n\r\n")
        connection.send("server", b"HTTP/1.1 200 Connection established\r\n\r\n", think=40 * MS)
        connection.send("client", client_hello(random, "shop.example.com")).send("server", server_hello(random, 1100), think=60 * MS)
        connection.close()
    return capture


def _numbered(packets: list[bytes]) -> list[tuple[int, bytes]]:
    """Packets a millisecond and a few microseconds apart, from 2026-03-05 12:00 UTC on."""
    return [(1_772_712_000 * SECOND + number * 1003, packet) for number, packet in enumerate(packets)]


def linux_cooked() -> list[tuple[int, bytes]]:
    """A look-up as `tcpdump -i any` writes it (LINKTYPE_LINUX_SLL2), over IPv6."""
    number, name = 0x5A17, "shop.example.com"
    there = IPv6(src="2001:db8::4", dst="2001:db8::53") / UDP(sport=50_001, dport=53) / Raw(dns_query(number, name))
    back = IPv6(src="2001:db8::53", dst="2001:db8::4") / UDP(sport=53, dport=50_001) / Raw(dns_answer(number, name, "203.0.113.4"))
    return _numbered([bytes(CookedLinuxV2(proto=0x86DD, pkttype=kind) / packet) for kind, packet in ((4, there), (0, back))])


def tunnels() -> list[tuple[int, bytes]]:
    """One SYN in a VLAN, in GRE and in VXLAN, and a datagram in two fragments."""
    link = Ether(src=WEB.mac, dst=APP.mac)
    inner = IP(src="172.16.5.1", dst="172.16.5.2", id=7) / TCP(sport=50_002, dport=80, flags="S", seq=1000, options=[("MSS", 1400)])
    outer = IP(src=WEB.ip, dst=APP.ip, id=8)
    first = IP(src=WEB.ip, dst=APP.ip, id=9, proto=17, flags="MF") / Raw(
        bytes(UDP(sport=50_003, dport=514, len=40, chksum=0)) + b"<14>first half.."
    )
    rest = IP(src=WEB.ip, dst=APP.ip, id=9, proto=17, frag=3) / Raw(b"second half.....")
    vxlan = (
        UDP(sport=50_004, dport=4789, chksum=0) / VXLAN(flags=8, vni=77) / Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b") / inner
    )
    packets = [link / Dot1Q(vlan=20) / inner, link / outer / GRE() / inner, link / outer / vxlan, link / first, link / rest]
    return _numbered([bytes(packet) for packet in packets])


NETWORK_WATCHER = {
    "web-01": (
        web_server,
        [("08_59_51_311", "09:00:04"), ("08_59_48_902", "09:00:02"), ("08_59_53_127", "09:00:06"), ("08_59_50_640", "09:00:03")],
    ),
    "app-02": (
        application_server,
        [("09_04_47_518", "09:05:01"), ("09_04_52_033", "09:05:05"), ("09_04_49_774", "09:05:03"), ("09_04_51_206", "09:05:04")],
    ),
}
"""For each day, what the capture is called and when it starts: the service names it by when it was asked for, seconds before."""


def files() -> dict[str, bytes]:
    """All samples: path below the samples' folder, and content."""
    made: dict[str, bytes] = {}
    for vm, (make, captures) in NETWORK_WATCHER.items():
        for day, (name, start) in enumerate(captures):
            folder = f"subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/providers/microsoft.compute/virtualmachines/{vm}"
            path = f"network-watcher-logs/{folder}/{DAYS[day].replace('-', '/')}/packetcapture_{name}.cap"
            made[path] = pcap(make(day, start).in_order())
    made["office/notebook.pcapng"] = administrators_notebook()
    made["office/branch-proxy.pcap.gz"] = gzip.compress(pcap(branch_office().in_order()), mtime=0)
    made["formats/linux-cooked-nanoseconds-big-endian.pcap"] = pcap(linux_cooked(), link_type=276, order=">", nanoseconds=True)
    made["formats/tunnels.pcap"] = pcap(tunnels())
    return made


def main() -> None:
    """Write the samples below the folder given, or beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
