"""Emulators of object storage, for tests of any part: containers and buckets that are made for one test.

Azurite (from npm) is found on the PATH, moto (`pip install --group emulators`) also beside this Python; `.ci/run` installs both.
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
from contextlib import contextmanager
from pathlib import Path

import pytest

from caphouse.warehouse.locations import AZURITE_ACCOUNT, Location


def emulator(program: str) -> str:
    """The program, beside this Python or on the PATH; skips the test where it is in neither place."""
    found = shutil.which(program, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextmanager
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
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def azurite_server() -> Iterator[str]:
    """Azurite's blob service, as long as the context lasts; its address."""
    port = free_port()
    command = [emulator("azurite-blob"), "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with running([*command, "--blobPort", str(port)], port) as endpoint:
        yield endpoint


@contextmanager
def moto_server() -> Iterator[str]:
    """moto's S3, as long as the context lasts; its address."""
    port = free_port()
    with running([emulator("moto_server"), "-p", str(port)], port) as endpoint:
        yield endpoint


def azure_environment(endpoint: str) -> dict[str, str]:
    """The variables that send caphouse to an emulator of Azure Blob Storage."""
    return {"AZURE_STORAGE_CONNECTION_STRING": f"UseDevelopmentStorage=true;BlobEndpoint={endpoint}/{AZURITE_ACCOUNT}"}


def s3_environment(endpoint: str) -> dict[str, str]:
    """The variables that send caphouse to an emulator of S3."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1"}


def make_container(name: str) -> str:
    """An empty container where the environment says; gives a place for a warehouse in it."""
    Location.parse(f"az://{name}").filesystem().create_dir(name)
    return f"az://{name}/warehouse"


def make_bucket(name: str) -> str:
    """An empty bucket where the environment says; gives a place for a warehouse in it."""
    import pyarrow.fs as pafs

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    pafs.S3FileSystem(endpoint_override=endpoint.partition("//")[2], scheme="http", allow_bucket_creation=True).create_dir(name)
    return f"s3://{name}/warehouse"


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    with azurite_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["azure", "s3"])
def remote_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty container or bucket."""
    name = f"box{time.time_ns()}"
    is_azure = request.param == "azure"
    endpoint = request.getfixturevalue("azurite" if is_azure else "moto")
    for variable, value in (azure_environment if is_azure else s3_environment)(endpoint).items():
        monkeypatch.setenv(variable, value)
    return make_container(name) if is_azure else make_bucket(name)


@pytest.fixture
def place(remote_place: str) -> str:
    """The same by a shorter name; tests of the command line have a local one by it."""
    return remote_place
