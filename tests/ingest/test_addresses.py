"""The address book of a capture."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from made_columns import Packet, converse, make_columns

from caphouse.ingest.addresses import AddressBook

ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(("10.0.0.1", "::ffff:10.0.0.1", "::", "255.255.255.255", "::a00:1"))


def hex_of(text: str) -> str:
    address = ipaddress.ip_address(text)
    return f"{int(address) if address.version == 6 else int(address) | 0xFFFF << 32:032x}"


@given(st.lists(st.lists(st.tuples(ADDRESSES, ADDRESSES), min_size=1, max_size=5), max_size=5))
def test_rows_and_numbers(batches: list[list[tuple[str, str]]]) -> None:
    book = AddressBook()
    seen: dict[str, int] = {}
    for batch in batches:
        columns = make_columns([Packet(src_ip=src, dst_ip=dst) for src, dst in batch])
        numbers = book.add(columns.addresses)
        assert numbers[-1] == -1
        for text, number in zip(columns.addresses.text.to_pylist(), numbers[:-1].tolist(), strict=True):
            assert seen.setdefault(text, len(seen)) == number
    assert pa.table(book.rows()).to_pylist() == [
        {"ip": text, "family": ipaddress.ip_address(text).version, "hex": hex_of(text)} for text in seen
    ]


def test_mapped_and_plain_are_two() -> None:
    """::ffff:10.0.0.1 in an IPv6 header is not 10.0.0.1 in an IPv4 one."""
    rows = converse([Packet(src_ip="10.0.0.1", dst_ip="::ffff:10.0.0.1")]).addresses
    assert [(row["ip"], row["family"]) for row in rows] == [("10.0.0.1", 4), ("::ffff:10.0.0.1", 6)]
    assert rows[0]["hex"] == rows[1]["hex"] == "00000000000000000000ffff0a000001"


def test_empty() -> None:
    assert len(AddressBook().rows()["ip"]) == 0
