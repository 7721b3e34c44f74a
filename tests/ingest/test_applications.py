"""Application labels: each protocol is recognised, what was not captured is not guessed, and batches make no difference."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from application_examples import (
    ACK,
    EXAMPLES,
    RAW_IP,
    SYN,
    TCP,
    UDP,
    Example,
    bencode_ping,
    client_hello,
    decode,
    dns_query,
    example_packet,
    packet,
    rows,
    rtp,
)

from caphouse.ingest.applications import SOURCES, TESTED_PACKETS, Applications, Matcher
from caphouse.ingest.columns import Columns

MATCHER = Matcher.load()
CASES = [(name, example) for name, examples in EXAMPLES.items() for example in examples]
UNKNOWN = 49151
"""A port that belongs to no protocol of the table."""

OVER = {TCP: "tcp", UDP: "udp"}
Label = str | None


def flows_of(packets: list[bytes]) -> list[int]:
    """Flow numbers in order of first packets: the addresses and ports of these packets, in either direction."""
    seen: dict[frozenset[tuple[bytes, bytes]], int] = {}
    return [seen.setdefault(frozenset({(p[12:16], p[20:22]), (p[16:20], p[22:24])}), len(seen)) for p in packets]


def label(
    packets: list[bytes], *, cuts: tuple[int, ...] = (), captured: list[int] | None = None, decoded: Columns | None = None
) -> tuple[list[Label], list[tuple[Label, Label]]]:
    """The label of each packet when it came, and each flow's verdict with its source.

    Args:
        packets: The packets.
        cuts: Where batches end.
        captured: Bytes of each packet that are in the capture.
        decoded: The packets, decoded already.
    """
    decoded = decode(packets, captured=captured) if decoded is None else decoded
    flow = np.array(flows_of(packets), dtype=np.int32)
    applications = Applications(MATCHER)
    running: list[int] = []
    bounds = [0, *cuts, len(packets)]
    for start, end in pairwise(bounds):
        running += applications.update(rows(decoded, start, end), flow[start:end]).tolist()
    labels = applications.finish()
    names = [*labels.names, None]
    sources = [*SOURCES, None]
    verdicts = [(names[a], sources[s]) for a, s in zip(labels.application.tolist(), labels.source.tolist(), strict=True)]
    return [names[number] for number in running], verdicts


@pytest.mark.parametrize(("name", "example"), CASES, ids=lambda case: case if isinstance(case, str) else str(case.port))
def test_example_on_its_port(name: str, example: Example) -> None:
    """One packet of a protocol on its port is recognised by its bytes."""
    running, verdicts = label([example_packet(example)])
    assert running == [name]
    own_port = example.port in next(protocol for protocol in MATCHER.protocols if protocol.name == name).ports[OVER[example.transport]]
    assert verdicts == [(name, "sig+port" if own_port else "sig")]


@pytest.mark.parametrize(
    ("name", "example"), [case for case in CASES if case[1].off_port], ids=lambda case: case if isinstance(case, str) else ""
)
def test_example_on_any_port(name: str, example: Example) -> None:
    """What its bytes show is found on any port."""
    assert label([example_packet(example, port=UNKNOWN)])[1] == [(name, "sig")]


@pytest.mark.parametrize(
    ("name", "example"), [case for case in CASES if not case[1].off_port], ids=lambda case: case if isinstance(case, str) else ""
)
def test_example_needs_its_port(name: str, example: Example) -> None:
    """What its bytes alone do not show is not guessed elsewhere."""
    assert label([example_packet(example, port=UNKNOWN)])[1] == [(None, None)], name


@pytest.mark.parametrize(("name", "example"), CASES, ids=lambda case: case if isinstance(case, str) else str(case.port))
def test_nothing_beyond_the_captured_bytes_is_seen(name: str, example: Example) -> None:
    """Cut anywhere, a packet gets its label, its port's label, or none, but never another protocol's."""
    start = len(example_packet(example)) - len(example.payload)
    lengths = list(range(start, min(start + len(example.payload), start + 260) + 1))
    # Each length is a flow of its own.
    packets = [example_packet(example, client_port=30000 + number) for number in range(len(lengths))]
    verdicts = [verdict for verdict, _ in label(packets, captured=lengths)[1]]
    by_port = verdicts[0]
    # A prefix may show less: an NFS call is an RPC call, RTSP begins with a method of HTTP.
    prefixes = {"nfs": {"rpc"}, "rtsp": {"http"}}.get(name, set())
    assert {name} <= set(verdicts) <= {name, by_port, *prefixes}
    assert verdicts[-1] == name


def test_a_lookalike_after_the_cut_is_not_read() -> None:
    """The bytes of the next packet in the buffer do not complete a signature."""
    first = packet(UDP, 40000, UNKNOWN, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping")
    cut = len(first) - 42 + 4
    applications = Applications(MATCHER)
    columns = decode([first], captured=[cut])
    columns.buffer = np.concatenate([columns.buffer[:cut], np.frombuffer(first[cut:] + bytes(256), dtype=np.uint8)])
    applications.update(columns, np.zeros(1, dtype=np.int32))
    assert applications.finish().application.tolist() == [-1]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_agrees_on_the_examples(tmp_path: Path) -> None:
    """The examples are what they are said to be: tshark, given the same packets on the same ports, finds them, too."""
    path = tmp_path / "examples.pcap"
    records = []
    for number, (_, example) in enumerate(CASES):
        content = example_packet(example, client_port=40000 + number)
        records.append(struct.pack("<IIII", 1_700_000_000 + number, 0, len(content), len(content)) + content)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, RAW_IP) + b"".join(records))
    command = ["tshark", "-n", "-o", "tcp.desegment_tcp_streams:FALSE", "-r", str(path), "-T", "fields", "-e", "frame.protocols"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = {
        f"{name} on {example.port}": path
        for (name, example), path in zip(CASES, output, strict=True)
        if example.by_tshark is not None and example.by_tshark not in path.split(":")
    }
    assert not wrong


def test_names_that_tshark_gives_are_in_the_table() -> None:
    """The `tshark` lists of the table hold what the agreement with tshark is counted by."""
    of = {protocol.name: protocol.tshark for protocol in MATCHER.protocols}
    for name, example in CASES:
        if example.by_tshark in {"portmap", "nfs", "smb2", "q931", "cotp", None}:
            continue
        assert example.by_tshark in {*of[name], name}


def test_packets_without_payload_have_no_label() -> None:
    """The handshake of a connection carries no label, its payload does, from the first byte."""
    hello = client_hello()
    packets = [
        packet(TCP, 40000, 443, b"", flags=SYN),
        packet(TCP, 443, 40000, b"", src=2, dst=1, flags=SYN | ACK),
        packet(TCP, 40000, 443, b"", flags=ACK),
        packet(TCP, 40000, 443, hello),
        packet(TCP, 443, 40000, b"", src=2, dst=1, flags=ACK),
        packet(TCP, 443, 40000, b"\x01" * 100, src=2, dst=1),
    ]
    assert label(packets)[0] == [None, None, None, "tls", None, "tls"]


def test_label_holds_from_the_proof_on() -> None:
    """Before the proof a packet carries the port's label or none, though the conversation's verdict is known in the end."""
    packets = [packet(TCP, 40000, 3306, b"\xfe"), packet(TCP, 40000, 3306, client_hello()), packet(TCP, 40000, 3306, b"\xfe")]
    assert label(packets) == (["mysql", "tls", "tls"], [("tls", "sig")])
    packets = [packet(TCP, 40000, UNKNOWN, b"\xfe"), packet(TCP, 40000, UNKNOWN, client_hello()), packet(TCP, 40000, UNKNOWN, b"\xfe")]
    assert label(packets) == ([None, "tls", "tls"], [("tls", "sig")])


def test_first_proof_stays() -> None:
    """A connection that changes its protocol, as after SMTP's STARTTLS, keeps the first."""
    packets = [packet(TCP, 25, 40000, b"220 ready\r\n", src=2, dst=1), packet(TCP, 40000, 25, client_hello())]
    assert label(packets) == (["smtp", "smtp"], [("smtp", "sig+port")])


def test_only_the_first_packets_are_looked_at() -> None:
    """A proof in the eighth packet of a direction counts, in the ninth it does not; the directions are counted apart."""
    filler = packet(TCP, 40000, UNKNOWN, b"\xfe")
    proof = packet(TCP, 40000, UNKNOWN, client_hello())
    assert label([*[filler] * (TESTED_PACKETS - 1), proof])[1] == [("tls", "sig")]
    assert label([*[filler] * TESTED_PACKETS, proof])[1] == [(None, None)]
    back = packet(TCP, UNKNOWN, 40000, b"SSH-2.0-x\r\n", src=2, dst=1)
    assert label([*[filler] * 100, back])[1] == [("ssh", "sig")]
    empty = packet(TCP, 40000, UNKNOWN, b"", flags=ACK)
    assert label([*[empty] * 100, proof])[1] == [("tls", "sig")], "packets without payload are not counted"


def test_port_label_asks_the_server_port_first() -> None:
    """With a SYN its destination decides, without one the lower port, and then the other (Wireshark tries the lower port first)."""
    from_http_port = packet(TCP, 22, 3389, b"\xfe")
    assert label([from_http_port])[1] == [("ssh", "port")]
    assert label([packet(TCP, 22, 3389, b"", flags=SYN), from_http_port])[1] == [("rdp", "port")]
    assert label([packet(TCP, 3389, 22, b"", src=2, dst=1, flags=SYN), from_http_port])[1] == [("ssh", "port")]
    assert label([packet(TCP, 22, 3389, b"", flags=SYN | ACK), from_http_port])[1] == [("ssh", "port")], "a SYN/ACK is no SYN"
    assert label([packet(TCP, 40000, 22, b"", flags=SYN), packet(TCP, 22, 40000, b"\xfe", src=2, dst=1)])[1] == [("ssh", "port")]
    assert label([packet(TCP, 3000, 3389, b"\xfe")])[1] == [("rdp", "port")], "the other port, when the lower one says nothing"


def test_syn_after_the_first_payload_changes_nothing() -> None:
    """The port's label is settled with the first payload, whatever comes later."""
    assert label([packet(TCP, 22, 3389, b"\xfe"), packet(TCP, 22, 3389, b"", flags=SYN)])[1] == [("ssh", "port")]


def test_port_alone_is_not_enough_for_every_protocol() -> None:
    """Random bytes on 443 are not TLS, on 80 not HTTP."""
    assert label([packet(TCP, 40000, 443, b"\xfe" * 50)])[1] == [(None, None)]
    assert label([packet(TCP, 40000, 80, b"\xfe" * 50)])[1] == [(None, None)]


def test_weaker_evidence() -> None:
    """Structure on the own port beats another protocol's port; off the port it counts last; weak signatures only on their port."""
    socks = b"\x04\x01\x00\x50\x0a\x00\x00\x01user\x00"
    assert label([packet(TCP, 40000, 1080, socks)])[1] == [("socks", "sig+port")]
    assert label([packet(TCP, 40000, UNKNOWN, socks)])[1] == [(None, None)]
    greeting = b"\x05\x01\x00"
    assert label([packet(TCP, 40000, UNKNOWN, greeting)])[1] == [("socks", "sig")]
    assert label([packet(TCP, 40000, 22, greeting)])[1] == [("ssh", "port")]
    assert label([packet(TCP, 22, 1080, greeting)])[1] == [("socks", "sig+port")]


def test_rtp_is_proved_by_its_sequence() -> None:
    """RTP needs four packets of one source whose numbers go on; until then, and for anything else, there is no label."""
    stream = [packet(UDP, 20000, 30000, rtp(65533 + n)) for n in range(6)]
    assert label(stream) == ([None, None, None, "rtp", "rtp", "rtp"], [("rtp", "rtp")])
    assert label(stream[:3])[1] == [(None, None)]
    jumps = [packet(UDP, 20000, 30000, rtp(n * 1000)) for n in range(8)]
    assert label(jumps)[1] == [(None, None)]
    sources = [packet(UDP, 20000, 30000, rtp(n, source=n)) for n in range(8)]
    assert label(sources)[1] == [(None, None)]
    both_ways = [frame for n in range(3) for frame in (packet(UDP, 20000, 30000, rtp(n)), packet(UDP, 30000, 20000, rtp(n), src=2, dst=1))]
    assert label(both_ways)[1] == [(None, None)], "directions are tested apart"
    stray = [packet(UDP, 20000, 30000, rtp(7, source=99)), *stream]
    assert label(stray)[1] == [("rtp", "rtp")]
    muxed = [packet(UDP, 20000, 30000, rtp(n // 2, source=1 + n % 2)) for n in range(8)]
    assert label(muxed)[1] == [("rtp", "rtp")], "two sources in turn"
    lost = [packet(UDP, 20000, 30000, rtp(n)) for n in (1, 2, 3, 400, 401)]
    assert label(lost)[1] == [("rtp", "rtp")], "three of four steps go on"


def test_equal_ports_are_told_apart_by_address() -> None:
    """Between two equal ports the eight packets of each direction are counted by address, whichever address a batch meets first."""
    there, back = (packet(UDP, 30000, 30000, b"\xfe" * 20, src=src, dst=3 - src) for src in (1, 2))
    proof = packet(UDP, 30000, 30000, bencode_ping(), src=1, dst=2)
    assert label([*[back] * TESTED_PACKETS, proof])[1] == [("bt-dht", "sig")]
    assert label([*[there] * TESTED_PACKETS, proof])[1] == [(None, None)]
    applications = Applications(MATCHER)
    for batch in ([there, *[back] * TESTED_PACKETS], [back, proof]):
        applications.update(decode(batch), np.zeros(len(batch), dtype=np.int32))
    assert applications.finish().application.tolist() == [MATCHER.names.index("bt-dht")]


def random_traffic(seed: int) -> list[bytes]:
    """Packets of a few dozen conversations, mixed: examples, fillers, RTP, SYNs, empty segments, in both directions."""
    source = random.Random(seed)
    packets = []
    for number in range(40):
        _, example = source.choice(CASES)
        port = source.choice([example.port, UNKNOWN, 53, 443, 22])
        client_port = source.choice([40000 + number, port])
        addresses = (1 + number, 200)
        conversation = []
        for step in range(source.randrange(1, 25)):
            payload = source.choice([b"", b"\xfe", source.randbytes(40), example.payload, rtp(step), client_hello(), dns_query()])
            flags = source.choice([SYN, ACK, ACK]) if not payload else ACK
            if source.random() < 0.5:
                conversation.append(packet(example.transport, client_port, port, payload, src=addresses[0], dst=addresses[1], flags=flags))
            else:
                conversation.append(packet(example.transport, port, client_port, payload, src=addresses[1], dst=addresses[0], flags=flags))
        packets.append(conversation)
    mixed = []
    while any(packets):
        conversation = source.choice([conversation for conversation in packets if conversation])
        mixed.append(conversation.pop(0))
    return mixed


@pytest.mark.parametrize("seed", range(3))
def test_batches_make_no_difference(seed: int) -> None:
    """However a capture is cut into batches, each packet and each flow gets the same label."""
    packets = random_traffic(seed)
    decoded = decode(packets)
    whole = label(packets, decoded=decoded)
    assert len({name for name, _ in whole[1]}) > 10, "the traffic should be varied"
    source = random.Random(seed)
    for pieces in (2, 7, 40):
        cuts = tuple(sorted(source.sample(range(1, len(packets)), pieces)))
        assert label(packets, cuts=cuts, decoded=decoded) == whole
    assert label(packets, cuts=tuple(range(1, len(packets))), decoded=decoded) == whole, "one packet a batch"


def plain_verdict(packets: list[bytes]) -> list[Label]:
    """The labels of one UDP or TCP conversation's packets, told packet by packet with single matches; RTP left out."""
    result: list[Label] = []
    quality_so_far, protocol, tested = 0, -1, {False: 0, True: 0}
    by_port: int | None = None
    server: int | None = None
    decoded = decode(packets)
    for number_in_flow, content in enumerate(packets):
        over = "tcp" if content[9] == TCP else "udp"
        ports = struct.unpack(">HH", content[20:24])
        payload = content[40:] if over == "tcp" else content[28:]
        if over == "tcp" and content[33] & 0x12 == SYN and server is None and by_port is None:
            server = ports[1]
        if not payload:
            result.append(None)
            continue
        if by_port is None:
            first = min(ports) if server is None else server
            keys = np.array([first, sum(ports) - first]) + (65536 if over == "udp" else 0)
            numbers = MATCHER.by_port(keys).tolist()
            by_port = next((number for number in numbers if number >= 0), -1)
        direction = (ports[0], content[12:16]) > (ports[1], content[16:20])
        if tested[direction] < TESTED_PACKETS and quality_so_far < 5:
            applications = Applications(MATCHER)
            applications.update(rows(decoded, number_in_flow, number_in_flow + 1), np.zeros(1, dtype=np.int32))
            state = applications._state
            quality = int(state.quality[0])
            if quality > quality_so_far:
                quality_so_far, protocol = quality, int(state.label[0])
        tested[direction] += 1
        number = protocol if quality_so_far >= 3 or by_port < 0 else by_port
        result.append(MATCHER.names[number] if number >= 0 else None)
    return result


@pytest.mark.parametrize("seed", range(2))
def test_labels_equal_those_of_a_packet_by_packet_model(seed: int) -> None:
    """The vectorised state machine does what a plain loop over each conversation's packets does."""
    packets = [content for content in random_traffic(100 + seed) if content[28:29] != b"\x80"]
    running, _ = label(packets, cuts=(len(packets) // 2,))
    flow = flows_of(packets)
    for number in set(flow):
        rows = [row for row, of in enumerate(flow) if of == number]
        assert [running[row] for row in rows] == plain_verdict([packets[row] for row in rows]), number


def test_random_bytes_are_rarely_anything() -> None:
    """No peer-to-peer label on random payloads on random ports, and hardly any other."""
    source = random.Random(1)
    packets = [
        packet(
            source.choice([TCP, UDP]),
            source.randrange(20000, 30000),
            source.randrange(30000, 60000),
            source.randbytes(source.randrange(1, 200)),
        )
        for _ in range(5000)
    ]
    names = [name for name, _ in label(packets)[1] if name is not None]
    assert len(names) < 25
    peer_to_peer = {protocol.name for protocol in MATCHER.protocols if protocol.category == "p2p"}
    assert not peer_to_peer.intersection(names)


def test_what_a_tunnel_carries_is_no_payload() -> None:
    """A VXLAN packet with ARP inside is no application's, though its port and bytes are there to be looked at."""
    arp = b"\xff" * 6 + bytes(6) + b"\x08\x06" + b"\0\1\x08\0\6\4\0\1" + bytes(20)
    vxlan = packet(UDP, 40000, 4789, b"\x08\0\0\0\0\0\1\0" + arp)
    capwap = packet(UDP, 40000, 5247, bytes.fromhex("0010020000000000") + bytes(40))
    assert label([vxlan, capwap]) == ([None, None], [(None, None), (None, None)])


def test_empty_batch_and_flows_without_packets() -> None:
    """A capture without packets has no flows; flows without payload have no verdict."""
    applications = Applications(MATCHER)
    assert len(applications.finish().application) == 0
    assert label([packet(TCP, 40000, 22, b"", flags=SYN)])[1] == [(None, None)]
