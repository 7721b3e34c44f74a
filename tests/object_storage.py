"""Emulators of object storage, for tests of any part: containers and buckets that are made for one test.

Azurite is found on the PATH (`npm install -g azurite`), moto beside this Python (`pip install 'moto[server,s3]'`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from caphouse.warehouse.locations import AZURITE_ACCOUNT, Location


def emulator(program: str) -> str:
    """The program, beside this Python or on the PATH; skips the test where it is in neither place."""
    found = shutil.which(program, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def running(command: list[str], port: int) -> Iterator[str]:
    """Start an emulator, wait until it answers, give its address, and stop it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                except urllib.error.HTTPError:
                    break  # it answers, if only to say no
                except OSError:
                    assert process.poll() is None, f"{command[0]} ended by itself"
                    time.sleep(0.1)
                else:
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    port = free_port()
    command = [emulator("azurite-blob"), "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    yield from running([*command, "--blobPort", str(port)], port)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    port = free_port()
    yield from running([emulator("moto_server"), "-p", str(port)], port)


@pytest.fixture(params=["azure", "s3"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty container or bucket."""
    import pyarrow.fs as pafs

    name = f"box{time.time_ns()}"
    if request.param == "azure":
        endpoint = f"{request.getfixturevalue('azurite')}/{AZURITE_ACCOUNT}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"UseDevelopmentStorage=true;BlobEndpoint={endpoint}")
        Location.parse(f"az://{name}").filesystem().create_dir(name)
        return f"az://{name}/warehouse"
    endpoint = request.getfixturevalue("moto")
    for variable, value in {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    pafs.S3FileSystem(endpoint_override=endpoint.partition("//")[2], scheme="http", allow_bucket_creation=True).create_dir(name)
    return f"s3://{name}/warehouse"
