"""Every sample of `made_packets`, against what it says by hand, against tshark, and against its own parts."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest
import wireshark
from decoding import Raw, raw, rows
from made_packets import ETHERNET, SAMPLES, Sample, ethernet, ipv4, ipv6, jumbo, tcp, udp
from parity import printed
from parity.paths import names, to_transport

FIELDS = ("protocols", "src", "dst", "src_port", "dst_port", "ipv4_layers", "ipv6_layers")
UNCOUNTED = {"IPv6, later fragment", "jumbogram that is none", "mobile IPv6 over IPv6"}
"""Samples with an IPv6 header that Wireshark shows and leaves out of its statistics."""
COLUMNS = {"src": "src_ip", "dst": "dst_ip"}


@pytest.fixture(scope="module")
def decoded() -> dict[str, dict[str, object]]:
    """All samples in one batch, by name."""
    return dict(zip([sample.name for sample in SAMPLES], rows([raw(sample) for sample in SAMPLES]), strict=True))


def test_names_of_samples_are_unique() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_what_it_says(sample: Sample, decoded: dict[str, dict[str, object]]) -> None:
    row = decoded[sample.name]
    assert {name: row[COLUMNS.get(name, name)] for name in FIELDS} == {name: getattr(sample, name) for name in FIELDS}


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
def test_tshark_says_the_same(tmp_path: Path, decoded: dict[str, dict[str, object]]) -> None:
    samples = [sample for sample in SAMPLES if sample.in_wireshark]
    for sample, said in zip(samples, wireshark.ask(tmp_path, [raw(sample) for sample in samples]), strict=True):
        row = decoded[sample.name]
        # Applications and payload come behind the protocols that are named here.
        assert (said.protocols + ":").startswith(f"{row['protocols']}:"), sample.name
        assert said.eth_src == row["eth_src"], sample.name
        assert said.vlan_id == row["vlan_id"], sample.name
        if not row["in_icmp_error"]:
            found = {name: row[COLUMNS.get(name, name)] for name in FIELDS[1:]}
            expected = {name: getattr(said, name) for name in FIELDS[1:]}
            if sample.name in UNCOUNTED:
                expected["ipv6_layers"] -= 1
            assert found == expected, sample.name


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
@pytest.mark.parametrize("link_type", sorted({sample.link_type for sample in SAMPLES if sample.in_wireshark}))
def test_tshark_has_the_same_tree(tmp_path: Path, link_type: int) -> None:
    check_tree(tmp_path, [raw(sample) for sample in SAMPLES if sample.in_wireshark and sample.link_type == link_type])


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
@pytest.mark.parametrize(
    ("number", "payload"),
    [(6, tcp()), (17, udp(1111, 2222, b"12345678")), (132, bytes(28)), (50, bytes(32))],
    ids=["TCP", "UDP", "SCTP", "ESP"],
)
def test_tshark_has_the_same_tree_of_headers_that_were_cut(tmp_path: Path, number: int, payload: bytes) -> None:
    whole = ethernet(0x8100, b"\0\1\x08\0" + ipv4(number, payload))
    check_tree(tmp_path, [Raw(ETHERNET, whole[:length], len(whole)) for length in range(1, len(whole))])


EMPTY = [
    Raw(ETHERNET, ethernet(0x86DD, ipv6(number, b"") + bytes(20)))
    for number in (47, 51, 97, 103)  # GRE, AH, EtherIP, PIM
]
"""Headers of which nothing is there, by the length of what is around them, though nothing was cut by the capture."""


def test_a_short_header_is_out_of_the_tree_whatever_else_is_in_the_batch() -> None:
    cut = Raw(ETHERNET, ethernet(0x0800, ipv4(6, tcp()))[:30], 54)
    for packet in EMPTY:
        alone, beside = rows([packet]), rows([packet, cut])[:1]
        assert [row["counted"] for row in alone] == [row["counted"] for row in beside] == ["eth:ipv6"]
        assert alone[0]["protocols"] != "eth:ipv6"


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
def test_tshark_has_the_same_tree_of_headers_without_bytes(tmp_path: Path) -> None:
    check_tree(tmp_path, EMPTY)


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("port", [4789, 6081])
def test_segments_larger_than_the_length_fields(tmp_path: Path, version: int, port: int) -> None:
    """BIG TCP in a tunnel: jumbograms are followed, what has no length at all is not."""
    tunnel = bytes.fromhex({4789: "0800000000000500", 6081: "0000655800000500"}[port])
    carried = struct.pack(">HHHH", 40_000, port, 0, 0) + tunnel + ethernet(0x0800, ipv4(6, tcp())) + bytes(70_000)
    if version == 4:
        packet = ethernet(0x0800, ipv4(17, b"").replace(b"\0\x14", b"\0\0", 1) + carried)
    else:
        packet = ethernet(0x86DD, ipv6(0, b"") + jumbo(17, carried, 8 + len(carried)))
    (said,) = wireshark.ask(tmp_path, [Raw(ETHERNET, packet)])
    (row,) = rows([Raw(ETHERNET, packet)])
    name = {4789: "vxlan", 6081: "geneve"}[port]
    assert row["protocols"] == ("eth:ip:udp" if version == 4 else f"eth:ipv6:udp:{name}:eth:ip:tcp")
    assert (said.protocols + ":").startswith(f"{row['protocols']}:")
    assert (row["ipv4_layers"], row["ipv6_layers"]) == (said.ipv4_layers, said.ipv6_layers)
    check_tree(tmp_path, [Raw(ETHERNET, packet)])


def check_tree(folder: Path, packets: list[Raw]) -> None:
    """Compare the places of packets of one link type in the protocol hierarchy with those that tshark gives them."""
    said = printed.hierarchy(wireshark.hierarchy(folder, packets))
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows(packets):
        path = names(str(row["counted"]))
        found.update(path[:depth] for depth in range(1, len(path) + 1))
    expected = {path: node.frames for path, node in said.items()}
    # Applications are not compared.
    assert {path: count for path, count in found.items() if to_transport(path) == path} == {
        path: count for path, count in expected.items() if to_transport(path) == path
    }


def test_tunnels_keep_the_outermost_addresses(decoded: dict[str, dict[str, object]]) -> None:
    row = decoded["VXLAN in VXLAN"]
    assert (row["tunnel_src_ip"], row["tunnel_dst_ip"]) == ("10.0.0.1", "10.0.0.2")
    assert decoded["Ethernet"]["tunnel_src_ip"] == ""


def test_what_a_tunnel_carries_is_no_payload(decoded: dict[str, dict[str, object]]) -> None:
    assert decoded["VXLAN with ARP"]["payload"] == b""
    assert decoded["GTP signalling"]["payload"] == b""
    # What is no tunnel after all is payload.
    assert decoded["not GTP"]["payload"] == b"\x9e\xff\0\4" + bytes(8)


def test_an_icmp_error_counts_without_what_it_quotes(decoded: dict[str, dict[str, object]]) -> None:
    row = decoded["ICMP error"]
    assert (row["protocols"], row["counted"]) == ("eth:ip:icmp:ip:udp", "eth:ip:icmp")
    assert (row["in_icmp_error"], row["error_src_port"], row["error_dst_port"]) == (True, 40_000, 53)
    assert (row["error_src_ip"], row["error_dst_ip"]) == ("10.0.0.2", "10.0.0.1")


def test_the_samples_cover_every_protocol_that_is_looked_into(decoded: dict[str, dict[str, object]]) -> None:
    from caphouse.ingest.protocols import registry

    shown = {name for row in decoded.values() for name in str(row["protocols"]).split(":")}
    looked_into = {protocol.name for protocol in registry().protocols if protocol.dissect is not None and protocol.shown}
    assert looked_into - shown == set()
