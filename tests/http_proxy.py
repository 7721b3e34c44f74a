"""A proxy between a client and an emulator of object storage: counts requests and bytes, and answers some with a fault."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["reset"] | int
"""A connection that is broken off, or a status to answer with."""

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer.

    Attributes:
        method: GET, PUT, ...
        target: Path and query.
        status: Of the answer; 0 for a connection that was broken off.
        sent: Bytes of the request's body.
        received: Bytes of the answer's body.
    """

    method: str
    target: str
    status: int
    sent: int
    received: int


@dataclass
class Proxy:
    """A proxy that runs.

    Attributes:
        endpoint: Where it listens.
        fault: Given method and target of each request; what is wrong with it, or None.
        exchanges: All requests so far.
    """

    endpoint: str
    fault: Callable[[str, str], Fault | None] = lambda _method, _target: None
    exchanges: list[Exchange] = field(default_factory=list)

    def faults(self) -> list[Exchange]:
        """The requests that met a fault of the storage: a broken connection, or a status of 500 and more."""
        return [exchange for exchange in self.exchanges if not 0 < exchange.status < 500]


class _Handler(BaseHTTPRequestHandler):
    """Answers one request after the other of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        """See http.server."""
        try:
            super().handle_one_request()
        except OSError:  # the client is gone
            self.close_connection = True

    def serve(self) -> None:
        """Hand a request on, or answer with a fault."""
        body = self.body()
        fault = self.server.proxy.fault(self.command, self.path)
        if fault == "reset":
            # With nothing to wait for, closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)
            self.close_connection = True
            status, answer = 0, b""
        elif fault is not None:
            status, answer = fault, b""
            self.answer(status, [], answer, 0)
        else:
            status, answer = self.hand_on(body)
        self.server.proxy.exchanges.append(Exchange(self.command, self.path, status, len(body), len(answer)))

    def body(self) -> bytes:
        """The body of the request, put together where it comes in chunks (RFC 9112, section 7.1)."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def hand_on(self, body: bytes) -> tuple[int, bytes]:
        """Ask the emulator, and answer with what it says."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection = http.client.HTTPConnection(self.server.emulator, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
            response = connection.getresponse()
            answer = response.read()
            size = int(response.headers.get("Content-Length") or 0) if self.command == "HEAD" else len(answer)
            self.answer(response.status, response.getheaders(), answer, size)
            return response.status, answer
        finally:
            connection.close()

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes, size: int) -> None:
        """Send an answer of `size` bytes, which has no body where HEAD was asked."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve  # noqa: N815 - http.server looks for these names

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    """Listens on a port of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, emulator: str, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.emulator = emulator
        self.proxy = proxy


@contextmanager
def proxy_to(emulator: str) -> Iterator[Proxy]:
    """Listen, and hand all requests on to `emulator`, as long as the context lasts."""
    proxy = Proxy("")
    with _Server(urlsplit(emulator).netloc, proxy) as server:
        proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
