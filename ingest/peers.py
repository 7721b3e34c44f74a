"""Who the lanes of a batch are between, in numbers that hold for the whole capture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .columns import Bool, Columns, Int32, Int64
from .lanes import Lanes

_PORT_BITS = 17


class Peers(NamedTuple):
    """The two ends of each pair of a batch's lanes; an end is an address and a port as one number, see `address` and `port`.

    Attributes:
        low: int64[p], the first end of each pair. high: int64[p], the second, which is not less than the first.
        turned: bool[k], whether the sender of each lane is the second end.
    """

    low: Int64
    high: Int64
    turned: Bool


def find_peers(columns: Columns, lanes: Lanes, numbers: Int32) -> Peers:
    """The peers of a batch's lanes.

    Args:
        columns: The batch.
        lanes: Its lanes.
        numbers: What `AddressBook.add` gave for the batch.
    """
    places = lanes.first[lanes.pair_lane]
    sender = _end(numbers[columns.src_ip[places]], columns.src_port[places])
    receiver = _end(numbers[columns.dst_ip[places]], columns.dst_port[places])
    # The batch numbers ends in its own order; a pair that lies the other way round in the capture's order is turned.
    flipped = (sender > receiver) ^ lanes.turned[lanes.pair_lane]
    return Peers(np.minimum(sender, receiver), np.maximum(sender, receiver), lanes.turned ^ flipped[lanes.pair])


def _end(address: Int32, port: Int32) -> Int64:
    return address.astype(np.int64) + 1 << _PORT_BITS | port + 1


def address(end: Int64) -> Int64:
    """Capture-wide number of an end's address, -1 without one."""
    return (end >> _PORT_BITS) - 1


def port(end: Int64) -> Int64:
    """Port of an end, -1 without one."""
    return (end & (1 << _PORT_BITS) - 1) - 1
