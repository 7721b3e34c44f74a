"""Memory that stays small while threads hand batches to each other."""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache
from pathlib import Path

import pyarrow as pa

_M_ARENA_MAX = -8
"""Parameter of glibc's mallopt(3): how many arenas threads may spread their allocations over."""
_MADV_DONTNEED = 4
"""Advice of Linux's madvise(2): take these pages back."""
_DELTA_CODE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-xp .*/(?:deltalake|arro3)/.*\.so$", re.MULTILINE)
"""Executable parts of the libraries that read and write Delta's log, in a list of this process's memory (proc_pid_maps(5))."""


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


def forget_delta() -> None:
    """Give the pages back that hold the code of Delta's libraries, 40 MB, until somebody uses it: nobody does while captures are read.

    Code is read from its file again, 2 ms when it is next used. Where this cannot be done, it is not.
    """
    if sys.platform != "linux":
        return
    try:
        madvise = ctypes.CDLL(None).madvise
        for start, end in _DELTA_CODE.findall(Path("/proc/self/maps").read_text()):
            madvise(ctypes.c_void_p(int(start, 16)), ctypes.c_size_t(int(end, 16) - int(start, 16)), _MADV_DONTNEED)
    except (OSError, AttributeError):
        return
