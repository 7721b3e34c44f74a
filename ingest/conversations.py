"""What spans the batches of a capture: addresses, streams, flows and handshakes, in this order for every batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..warehouse.arrays import Rows
from .addresses import AddressBook
from .columns import Bool, Columns, Int32
from .flows import Flows
from .handshakes import Handshakes
from .lanes import Lanes
from .peers import find_peers
from .streams import Streams

if TYPE_CHECKING:
    from .applications import Labels


class Conversations:
    """The conversations of one capture.

    Args:
        known_ports: bool[65536], ports on which applications are known to serve: they tell client from server where no SYN does.
    """

    def __init__(self, known_ports: Bool | None = None) -> None:
        self._book = AddressBook()
        self._streams = Streams()
        self._flows = Flows(known_ports)
        self._handshakes = Handshakes()

    def update(self, columns: Columns, lanes: Lanes) -> tuple[Int32, Int32]:
        """Take the next batch, in file order.

        Args:
            columns: The batch, of n packets.
            lanes: What `find_lanes` gave for it.

        Returns:
            int32[n], the stream of each packet, -1 without; int32[n], its flow.
        """
        numbers = self._book.add(columns.addresses)
        stream, lanes, peers = self._streams.number(columns, lanes, find_peers(columns, lanes, numbers))
        flow = self._flows.update(columns, lanes, peers, stream, numbers)
        self._handshakes.update(columns, lanes, peers, stream, flow)
        # `take` widens the numbers of the lanes far faster than an index of them would be.
        return stream.take(lanes.number), flow.take(lanes.number)

    def finish(self, path_texts: list[str], labels: Labels, last_ts_ns: int | None) -> Iterator[tuple[str, Rows]]:
        """The tables that come of it: their names, and rows without `ingest_id`; a table may come in several parts.

        Args:
            path_texts: Text of each protocol path, by its number.
            labels: The application of every flow.
            last_ts_ns: Time of the capture's last packet.
        """
        for flows, minutes in self._flows.finish(self._book, path_texts, labels):
            yield "flows", flows
            yield "flow_minutes", minutes
        for handshakes in self._handshakes.finish(self._book, last_ts_ns):
            yield "handshakes", handshakes
        yield "addresses", self._book.rows()
