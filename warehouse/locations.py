"""Where things are: a folder or file on this machine, or in object storage.

Files are read, listed and written through pyarrow's file systems, Delta tables through the options that deltalake takes; both
get their credentials from the environment and from the places where the clouds' own tools keep them. A location never holds a
credential that it would print, compare or store: user names, passwords and shared access signatures are cut off its text.
Where local files are only read and written, those file systems are not loaded: that would take longer than most captures.

| text | meaning |
|---|---|
| `captures/a.pcap`, `~/x`, `file:///x` | this machine |
| `az://CONTAINER/PATH`, `abfs://`, `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH` | Azure Blob Storage or Data Lake |
| `https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH` | the same, as the portal shows it |
| `s3://BUCKET/PATH` | Amazon S3 and what speaks its protocol |
| `gs://BUCKET/PATH` | Google Cloud Storage |
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from .errors import UsageError, WarehouseError, reason

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs
    from deltalake.fs import DeltaStorageHandler

AZURE_SCHEMES = frozenset({"az", "azure", "adl", "abfs", "abfss"})
AZURE_HOST = re.compile(r"^(?P<account>[a-z0-9-]+)\.(?:blob|dfs)\.(?P<suffix>[a-z0-9.-]+)$")
"""Host names of Azure storage: core.windows.net, core.chinacloudapi.cn, core.usgovcloudapi.net, storage.azure.net, ..."""

SIGNED = re.compile(r"[?&](x-amz-|x-goog-)?(signature|credential|security-token|sig|awsaccesskeyid|googleaccessid)=", re.IGNORECASE)
"""A signature at the end of an address in a bucket, which as a part of the key would be shown and stored."""

BROKEN_OFF = ("Connection was closed by the server", "Timeout waiting for socket to read")
"""What Azure's library says when it waits for the rest of an answer that it has read already."""

DATA_FILE = re.compile(r"(?:^|/)[0-9a-f]{16}(?:-(?P<digest>[0-9a-f]{32}))?\.parquet\b")
"""Where a path ends in the name of a data file, and the digest of its content, see `staging.OpenFile`."""

AZURITE_ACCOUNT = "devstoreaccount1"


class Entry(NamedTuple):
    """One file found by listing.

    Attributes:
        location: Where it is.
        size: Size in bytes.
        modified_ns: Modification time, nanoseconds since the epoch; None when the storage does not say.
    """

    location: Location
    size: int
    modified_ns: int | None


@dataclass(frozen=True, slots=True)
class Location:
    """A file or folder.

    Attributes:
        scheme: 'file', 'az', 's3' or 'gs'.
        path: Absolute local path, or container (bucket) and key joined by '/', without a slash at the end.
        account: Azure storage account; None elsewhere, or where only the environment names it.
        signature: Shared access signature that came with an https address; used, but never shown, compared or stored.
    """

    scheme: str
    path: str
    account: str | None = None
    signature: str | None = field(default=None, repr=False, compare=False)

    @staticmethod
    def parse(text: str | os.PathLike[str] | Location) -> Location:
        """Read a path or URI as a person writes it.

        Raises:
            UsageError: The scheme is not one of those above, or the container or bucket is missing.
        """
        if isinstance(text, Location):
            return text
        raw = os.fspath(text)
        scheme, separator, _ = raw.partition("://")
        # A single letter is a Windows drive, and a colon may stand in the name of a capture.
        if not separator or len(scheme) < 2 or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
            return Location("file", _absolute(raw))
        scheme = scheme.lower()
        if scheme == "file":
            return Location("file", _absolute(unquote(urlsplit(raw).path)))
        if scheme in AZURE_SCHEMES:
            return _parse_azure(raw)
        if scheme in {"http", "https"}:
            return _parse_https(raw)
        if scheme in {"s3", "s3a", "gs", "gcs"}:
            return _parse_bucket(raw, "s3" if scheme.startswith("s3") else "gs")
        raise UsageError(f"{_without_secrets(raw)}: '{scheme}://' is not known here; use a path, az://, abfss://, s3:// or gs://.")

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.scheme == "file"

    @property
    def uri(self) -> str:
        """The text to store and to show: a local path, or a URI without credentials. `parse` reads it back."""
        if self.is_local:
            return self.path
        if self.scheme == "az" and self.account:
            container, _, key = self.path.partition("/")
            return f"abfss://{container}@{self.account}.dfs.core.windows.net/{key}".rstrip("/")
        return f"{self.scheme}://{self.path}"

    def __str__(self) -> str:
        return self.uri

    @property
    def name(self) -> str:
        """Last part of the path."""
        return Path(self.path).name if self.is_local else PurePosixPath(self.path).name

    def join(self, *parts: str) -> Location:
        """A location below this one; '/' separates the parts of each."""
        if self.is_local:
            return replace(self, path=str(Path(self.path, *parts)))
        return replace(self, path="/".join([self.path, *(part.strip("/") for part in parts if part)]))

    @property
    def parent(self) -> Location:
        """The folder that it is in."""
        return replace(self, path=self.path.rpartition("/")[0] if not self.is_local else str(Path(self.path).parent))

    def filesystem(self) -> pafs.FileSystem:
        """The pyarrow file system for `path`; made once per process and set of credentials.

        Raises:
            UsageError: The environment does not say which Azure account is meant.
        """
        return _filesystem(self.scheme, self.account, self.signature)

    def storage_options(self) -> dict[str, str] | None:
        """What deltalake needs beside `table_uri`; None for local tables. Holds credentials: never store or print it."""
        if self.is_local:
            return None
        if self.scheme == "s3":
            return _s3_options(os.environ)
        if self.scheme == "az":
            return _azure_options(self, os.environ)
        return {}

    @property
    def table_uri(self) -> str:
        """The address of a Delta table here, as deltalake wants it.

        With 'az://' deltalake loses the log's versions after the first (delta-rs issue 3824); 'abfss://' is the same place.
        """
        if self.scheme == "az":
            container, _, key = self.path.partition("/")
            return f"abfss://{container}@{_named_account(self.account)}.dfs.core.windows.net/{key}".rstrip("/")
        return self.file_uri

    @property
    def file_uri(self) -> str:
        """The path, or scheme, container and key, as pyarrow's and fsspec's file systems understand them once they know the account."""
        return self.path if self.is_local else f"{self.scheme}://{self.path}"

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        if self.is_local:
            return Path(self.path).exists()
        import pyarrow.fs as pafs

        return bool(self.filesystem().get_file_info(self.path).type != pafs.FileType.NotFound)

    def size(self) -> int | None:
        """Bytes of a file of a warehouse; None when there is none.

        Raises:
            WarehouseError: The storage does not say.
        """
        try:
            if self.is_local:
                path = Path(self.path)
                return path.stat().st_size if path.is_file() else None
            size = self.filesystem().get_file_info(self.path).size
        except OSError as error:
            raise WarehouseError(f"{self}: cannot be looked at: {reason(error)}.") from error
        return None if size is None else int(size)

    def entries(self, *, recursive: bool = True) -> list[Entry]:
        """The files below this folder, sorted by path; none when there is no such folder.

        Raises:
            OSError: It cannot be listed.
        """
        try:
            found = self._listed(self.filesystem(), self.path, recursive=recursive)
        except OSError as error:
            if self.scheme != "az" or not any(words in str(error) for words in BROKEN_OFF):
                raise
            found = self._listed_by_deltalake(recursive=recursive)
        return sorted(found, key=lambda entry: entry.location.path)

    def contents(self) -> list[Entry]:
        """The same for a folder of a warehouse.

        Raises:
            WarehouseError: It cannot be listed.
        """
        try:
            return self.entries()
        except OSError as error:
            raise WarehouseError(f"{self}: cannot be listed: {reason(error)}.") from error

    def _listed(self, filesystem: pafs.FileSystem, path: str, root: str = "", *, recursive: bool) -> list[Entry]:
        """What a file system lists at `path`; before its paths, `root` makes them those of locations."""
        import pyarrow.fs as pafs

        infos = filesystem.get_file_info(pafs.FileSelector(path, recursive=recursive, allow_not_found=True))
        files = (info for info in infos if info.type == pafs.FileType.File)
        return [Entry(replace(self, path=root + info.path), int(info.size), info.mtime_ns) for info in files]

    def _listed_by_deltalake(self, *, recursive: bool) -> list[Entry]:
        """The same by another HTTP client.

        That of pyarrow's file system for Azure reads 4096 bytes at first. Where they end within the `0 CR LF` after the last chunk of
        an answer it waits for what it has read already: lists of certain lengths it cannot read, however often it tries.
        """
        import pyarrow.fs as pafs

        container, _, key = self.path.partition("/")
        store = pafs.PyFileSystem(_object_store(replace(self, path=container), self.signature))
        return self._listed(store, key, f"{container}/", recursive=recursive)

    def make_folder(self) -> None:
        """Make the folder and those above it; nothing happens in object storage, which has none."""
        if self.is_local:
            Path(self.path).mkdir(parents=True, exist_ok=True)

    def open_output(self) -> pa.NativeFile:
        """A stream that writes the file; in object storage it appears, whole, when the stream is closed."""
        if self.is_local:
            import pyarrow as pa

            return pa.OSFile(self.path, "wb")
        # Without being told not to, pyarrow packs what is written to a name that ends in .zst, .gz, ...
        return self.filesystem().open_output_stream(self.path, compression=None)

    def open_input(self) -> pa.NativeFile:
        """The file, for reading at random places."""
        if self.is_local:
            import pyarrow as pa

            return pa.OSFile(self.path, "rb")
        return self.filesystem().open_input_file(self.path)

    def delete(self) -> None:
        """Remove the file; it is no error when it is gone already."""
        if self.is_local:
            Path(self.path).unlink(missing_ok=True)
            return
        container, _, key = self.path.partition("/")
        with contextlib.suppress(FileNotFoundError):
            _object_store(replace(self, path=container), self.signature).delete_file(key)


def _absolute(path: str) -> str:
    """The path from the root, without '..', and with symbolic links left as the user wrote them."""
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - Path.resolve follows links, Path.absolute keeps '..'


def _without_secrets(text: str) -> str:
    """`text` without what may be a credential: user and password, query and fragment."""
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _parse_bucket(text: str, scheme: str) -> Location:
    parts = urlsplit(text)
    # urlsplit lower-cases nothing in netloc; user information before '@' is never part of a bucket's name.
    bucket = parts.netloc.rpartition("@")[2]
    if not bucket:
        raise UsageError(f"{_without_secrets(text)}: the bucket's name is missing.")
    key = text.split("://", 1)[1].partition("/")[2]  # '?' and '#' are ordinary characters of a key
    if SIGNED.search(key):
        raise UsageError(
            f"{_without_secrets(text)}: signed addresses are not read; leave the signature out and give credentials in the environment."
        )
    return Location(scheme, f"{bucket}/{key}".rstrip("/"))


def _parse_azure(text: str) -> Location:
    """`abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH` or `az://CONTAINER/PATH`."""
    parts = urlsplit(text)
    container, at, host = parts.netloc.partition("@")
    account = None
    if at:
        match = AZURE_HOST.match(host.lower())
        account = match["account"] if match else host.partition(".")[0]
        container = container.partition(":")[0]
    if not container:
        raise UsageError(f"{_without_secrets(text)}: the container's name is missing.")
    return Location("az", f"{container}{parts.path}".rstrip("/"), account or _azure_account(os.environ), parts.query or None)


def _parse_https(text: str) -> Location:
    """`https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH?SIGNATURE`, also that of the Azurite emulator."""
    parts = urlsplit(text)
    host = (parts.hostname or "").lower()
    path = unquote(parts.path).strip("/")
    match = AZURE_HOST.match(host)
    if match:
        account = match["account"]
    else:
        account, _, path = path.partition("/")
        if account != AZURITE_ACCOUNT:
            raise UsageError(f"{_without_secrets(text)}: web addresses are read from Azure Blob Storage only; download the file first.")
    if not path:
        raise UsageError(f"{_without_secrets(text)}: the container's name is missing.")
    return Location("az", path, account, parts.query or None)


def _connection_string(environment: Mapping[str, str]) -> dict[str, str]:
    """AZURE_STORAGE_CONNECTION_STRING as a mapping; the short form of the emulator is spelled out."""
    text = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
    fields = dict(item.split("=", 1) for item in text.split(";") if "=" in item)
    if fields.get("UseDevelopmentStorage", "").lower() == "true":
        fields.setdefault("AccountName", AZURITE_ACCOUNT)
        fields.setdefault("BlobEndpoint", f"http://127.0.0.1:10000/{AZURITE_ACCOUNT}")
        # The emulator's key is public and the same everywhere (Microsoft's documentation of Azurite).
        fields.setdefault("AccountKey", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
    return fields


def _azure_account(environment: Mapping[str, str]) -> str | None:
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"):
        if environment.get(name):
            return environment[name]
    return _connection_string(environment).get("AccountName")


def _azure_key(account: str, environment: Mapping[str, str]) -> str | None:
    """The account's key, when the environment holds one for this very account."""
    if _azure_account(environment) not in {None, account}:
        return None
    for name in ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"):
        if environment.get(name):
            return environment[name]
    return _connection_string(environment).get("AccountKey")


def _azure_signature(signature: str | None, account: str, environment: Mapping[str, str]) -> str | None:
    if signature is None and _azure_account(environment) in {None, account}:
        signature = environment.get("AZURE_STORAGE_SAS_TOKEN") or _connection_string(environment).get("SharedAccessSignature")
    return signature.lstrip("?") if signature else None


def _azure_endpoint(account: str, environment: Mapping[str, str]) -> str | None:
    """The blob endpoint where it is not Azure's own, as with an emulator."""
    fields = _connection_string(environment)
    endpoint = fields.get("BlobEndpoint")
    return endpoint.rstrip("/") if endpoint and fields.get("AccountName", account) == account else None


def _named_account(account: str | None) -> str:
    account = account or _azure_account(os.environ)
    if not account:
        raise UsageError(
            "Which Azure storage account is meant? Write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH, or set AZURE_STORAGE_ACCOUNT."
        )
    return account


def _azure_options(location: Location, environment: Mapping[str, str]) -> dict[str, str]:
    account = _named_account(location.account)
    options = {"account_name": account}
    key = _azure_key(account, environment)
    signature = _azure_signature(location.signature, account, environment)
    endpoint = _azure_endpoint(account, environment)
    if location.signature is None and key:
        options["account_key"] = key
    elif signature:
        options["sas_token"] = signature
    elif not any(environment.get(name) for name in ("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT")):
        options["use_azure_cli"] = "true"
    if endpoint and account == AZURITE_ACCOUNT:
        # The emulator does not know how to list from an offset; told of it, deltalake filters for itself. It then takes the
        # emulator's address from this variable only.
        options["use_emulator"] = "true"
        os.environ["AZURITE_BLOB_STORAGE_URL"] = endpoint.removesuffix(f"/{AZURITE_ACCOUNT}")
    elif endpoint:
        options["azure_endpoint"] = endpoint
    if endpoint and endpoint.startswith("http://"):
        options["allow_http"] = "true"
    return options


def _s3_options(environment: Mapping[str, str]) -> dict[str, str]:
    """The deltalake package finds keys, profile and region by itself; conditional puts make commits safe without a lock table."""
    options = {"conditional_put": "etag"}
    if _s3_endpoint(environment).startswith("http://"):
        options["allow_http"] = "true"
    return options


def _s3_endpoint(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""


@lru_cache(maxsize=32)
def _object_store(container: Location, _signature: str | None) -> DeltaStorageHandler:
    """What deltalake reads and writes with; it deletes by one request.

    pyarrow puts an empty object in the place of the folder; on Azure it also takes a lease, and gives it back when the blob is gone,
    which may be tried again for many seconds.
    """
    from deltalake.fs import DeltaStorageHandler

    return DeltaStorageHandler(container.table_uri, container.storage_options())


@lru_cache(maxsize=32)
def _filesystem(scheme: str, account: str | None, signature: str | None) -> pafs.FileSystem:
    import pyarrow.fs as pafs

    if scheme == "file":
        return pafs.LocalFileSystem()
    if scheme == "s3":
        endpoint = urlsplit(_s3_endpoint(os.environ))
        if endpoint.netloc:
            return pafs.S3FileSystem(endpoint_override=endpoint.netloc, scheme=endpoint.scheme, allow_delayed_open=True)
        # A small file then takes one request rather than three.
        return pafs.S3FileSystem(allow_delayed_open=True)
    if scheme == "gs":
        return pafs.GcsFileSystem()
    name = _named_account(account)
    key = _azure_key(name, os.environ)
    shared = _azure_signature(signature, name, os.environ)
    endpoint = urlsplit(_azure_endpoint(name, os.environ) or "")
    options: dict[str, str] = {}
    if endpoint.netloc:
        options = {
            "blob_storage_authority": endpoint.netloc,
            "dfs_storage_authority": endpoint.netloc,
            "blob_storage_scheme": endpoint.scheme,
            "dfs_storage_scheme": endpoint.scheme,
        }
    if signature is None and key:
        options["account_key"] = key
    elif shared:
        options["sas_token"] = shared
    return pafs.AzureFileSystem(account_name=name, **options)
