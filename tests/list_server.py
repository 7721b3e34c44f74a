"""A storage account of Azure whose containers have one blob each, x/a; a container's number says how long the list of its blobs is.

`python list_server.py PORT`. A process of its own, because deltalake lets no other thread of its process run while it lists.
"""

from __future__ import annotations

import re
import socketserver
import sys
from contextlib import suppress

BEGIN = b"""<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>x/a</Name><Properties>
<Last-Modified>Wed, 25 Nov 2026 00:00:00 GMT</Last-Modified><Etag>1</Etag><Content-Length>5</Content-Length><Content-Type>a/b</Content-Type>
<BlobType>BlockBlob</BlobType>
</Properties></Blob></Blobs>"""
END = b"<NextMarker/></EnumerationResults>"


class OneChunk(socketserver.StreamRequestHandler):
    """Answers each request with headers and list in one piece, the list as one chunk, and does not wait long for the next request."""

    timeout = 0.1

    def handle(self) -> None:
        """See socketserver."""
        with suppress(TimeoutError):
            while request := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                number = re.search(rb"/box(\d+)", request)
                space = int(number[1]) - len(BEGIN) - len(END) if number else 0
                answer = BEGIN + b" " * space + END
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
                self.wfile.write(b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(answer), answer))


if __name__ == "__main__":
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), OneChunk) as server:
        server.serve_forever()
