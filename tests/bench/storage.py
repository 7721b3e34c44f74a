"""What ingesting and asking cost in object storage: requests and bytes, counted between the command and an emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import http_proxy
import object_storage
import pytest
from http_proxy import Exchange, Proxy
from written_captures import pcap

from caphouse.warehouse.locations import Location
from caphouse.warehouse.store import Warehouse

from .inputs import Inputs
from .scores import Scores
from .text import table

PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"
PACKETS = 500
COUNTS = (1, 10, 100)
KINDS = ("read", "list", "write", "delete")


def kind(exchange: Exchange) -> str:
    """What a request is charged as."""
    if "comp=list" in exchange.target or "list-type=2" in exchange.target:
        return "list"
    if exchange.method == "DELETE" or "comp=batch" in exchange.target or exchange.target.endswith("?delete"):
        return "delete"
    return "read" if exchange.method in {"GET", "HEAD"} else "write"


@contextmanager
def _azure() -> Iterator[tuple[Proxy, Location]]:
    with object_storage.azurite_server() as emulator, http_proxy.proxy_to(emulator) as proxy:
        os.environ.update(object_storage.azure_environment(proxy.endpoint))
        yield proxy, Location.parse(object_storage.make_container("bench")).parent


@contextmanager
def _s3() -> Iterator[tuple[Proxy, Location]]:
    with object_storage.moto_server() as emulator, http_proxy.proxy_to(emulator) as proxy:
        os.environ.update(object_storage.s3_environment(proxy.endpoint))
        yield proxy, Location.parse(object_storage.make_bucket("bench")).parent


def storage(_inputs: Inputs, _rounds: int, _scores: Scores) -> Iterator[str]:
    """Count the requests and bytes of commands; a count needs no second round."""
    yield f"captures of {PACKETS} packets, {len(pcap(0, PACKETS)):,} bytes, each a blob of its own, in a warehouse in the same storage"
    for name, place in (("Azurite", _azure), ("moto", _s3)):
        yield ""
        try:
            yield from _of(name, place())
        except pytest.skip.Exception as missing:
            yield f"{name}: {missing}"


def _of(name: str, place: AbstractContextManager[tuple[Proxy, Location]]) -> Iterator[str]:
    rows = []
    with place as (proxy, box):
        for count in COUNTS:
            folder, warehouse = box.join(f"in{count}"), box.join(f"warehouse{count}")
            for number in range(count):
                with folder.join(f"{number:03}.cap").open_output() as output:
                    output.write(pcap(PACKETS * number, PACKETS * (number + 1)))
            Warehouse.create(warehouse)
            for what, arguments in (
                (f"ingest {count}", ["ingest", "-w", warehouse.uri, folder.uri]),
                (f"ingest {count} again", ["ingest", "-w", warehouse.uri, folder.uri]),
                (f"report ports, {count}", ["report", "ports", "-w", warehouse.uri]),
            ):
                before = len(proxy.exchanges)
                command = [sys.executable, "-c", PROGRAM, *arguments]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(f"{what}: {done.stderr}")
                rows.append([what, *_figures(proxy.exchanges[before:])])
    yield from table([name, *KINDS, "KB up", "KB down"], rows)


def _figures(exchanges: list[Exchange]) -> list[str]:
    requests = Counter(map(kind, exchanges))
    sent, received = sum(exchange.sent for exchange in exchanges), sum(exchange.received for exchange in exchanges)
    return [*(f"{requests[name]:,}" for name in KINDS), f"{sent / 1000:,.0f}", f"{received / 1000:,.0f}"]
