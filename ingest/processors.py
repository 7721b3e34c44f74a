"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Those that it is not kept from: containers and `taskset` leave it fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
