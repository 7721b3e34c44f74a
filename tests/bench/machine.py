"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("caphouse", "numpy", "pyarrow", "duckdb", "deltalake")


def describe(capture: Path) -> Iterator[str]:
    """Machine, versions and capture, line by line."""
    yield f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB; load {os.getloadavg()[0]:.1f} at the start"
    yield f"{platform.system()} {platform.release()}, Python {platform.python_version()}, " + ", ".join(
        f"{library} {version(library)}" for library in LIBRARIES
    )
    if shutil.which("tshark"):
        yield subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    yield f"{capture.name}: {capture.stat().st_size / 1e6:,.0f} MB"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
