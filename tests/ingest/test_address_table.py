"""Addresses as text and as numbers, against Python's ipaddress."""

from __future__ import annotations

import ipaddress

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from caphouse.ingest.address_table import INNERMOST, TUNNEL, AddressPairs, address_table, ipv4_texts, ipv6_texts, mac_texts


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_ipv4_text_is_dotted_decimal(addresses: list[int]) -> None:
    """Every 32-bit number is written as ipaddress writes it."""
    assert ipv4_texts(np.array(addresses, dtype=np.uint32)).to_pylist() == [str(ipaddress.IPv4Address(address)) for address in addresses]


@given(st.lists(st.integers(0, 2**128 - 1), max_size=20))
def test_ipv6_text_is_canonical(addresses: list[int]) -> None:
    """Every 128-bit number reads back as itself, and beyond ::/80 (IPv4 in IPv6) is written as RFC 5952 has it."""
    high = np.array([address >> 64 for address in addresses], dtype=np.uint64)
    low = np.array([address & (2**64 - 1) for address in addresses], dtype=np.uint64)
    texts = ipv6_texts(high, low).to_pylist()
    assert [int(ipaddress.IPv6Address(text)) for text in texts] == addresses
    assert all(text == str(ipaddress.IPv6Address(address)) for text, address in zip(texts, addresses, strict=True) if address >> 48)


def test_mac_text() -> None:
    """The first byte on the wire is the lowest of the number."""
    address = int.from_bytes(bytes.fromhex("0a1b2c3d4e5f"), "little")
    assert mac_texts(np.array([address], dtype=np.uint64)).to_pylist() == ["0a:1b:2c:3d:4e:5f"]


def test_numbers_lead_back_to_the_addresses() -> None:
    """Each packet's numbers point to its own addresses; absent ones are -1; an IPv4 address and its mapped form are two."""
    innermost, tunnel = AddressPairs(6), AddressPairs(6)
    innermost.set_ipv4(np.array([0, 2]), np.array([0x0A000001_0A000002, 0x0A000002_0A000001], dtype=np.uint64))
    innermost.set_ipv4_source(np.array([4]), np.array([0x0A000003], dtype=np.uint64))
    both = [[0x20010DB8_00000000], [1], [0], [0xFFFF_0A000001]]
    innermost.set_ipv6(np.array([3]), np.array(both, dtype=np.uint64))
    innermost.set_ipv6(np.array([5]), np.array(both[:2], dtype=np.uint64))
    tunnel.set_ipv4(np.array([3]), np.array([0xC0000201_C0000202], dtype=np.uint64))
    table, numbers = address_table(6, {INNERMOST: innermost, TUNNEL: tunnel})
    texts = [*table.text.to_pylist(), None]
    found = {name: [texts[number] for number in column] for name, column in numbers.items()}
    assert found["src_ip"] == ["10.0.0.1", None, "10.0.0.2", "2001:db8::1", "10.0.0.3", "2001:db8::1"]
    assert found["dst_ip"] == ["10.0.0.2", None, "10.0.0.1", "::ffff:10.0.0.1", None, None]
    assert found["tunnel_src_ip"] == [None, None, None, "192.0.2.1", None, None]
    assert found["tunnel_dst_ip"] == [None, None, None, "192.0.2.2", None, None]
    assert found["error_src_ip"] == found["error_dst_ip"] == [None] * 6
    assert len(set(table.text.to_pylist())) == len(table) == 7
    assert table.family.tolist() == [4, 4, 4, 4, 4, 6, 6]
