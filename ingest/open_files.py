"""Whether anybody still writes to a file, as far as the system can tell."""

from __future__ import annotations

import os
import signal
import sys

F_SETSIG = 10
"""Of `fcntl(2)`, Linux; the module `fcntl` has no name for it."""


def is_closed(path: str) -> bool:
    """Whether it is certain that no process has a local file open for writing.

    Linux grants a read lease (fcntl(2), F_SETLEASE) only on such files, to their owner and to root; network file systems grant it
    only when the server vouches for all its clients. Where there are no leases, or the file is somebody else's, nothing is certain.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        # Not to wait where the path has become a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # A writer that comes in this very moment waits until the lease is given back, and we would get a signal: one that does nothing.
        fcntl.fcntl(descriptor, F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
