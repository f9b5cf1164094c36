"""A minimal upstream: answers every request on a port with the same 700-byte JSON object, as cheaply as Python can.

A GET whose path ends in ``/large`` is answered with 100 MB; the bodies of requests are read and forgotten.
"""

import asyncio
import json
import sys
from typing import cast

import httptools
import uvloop

FIELDS = {f"field{number}": f"{number}" * 40 for number in range(10)}
BODY = json.dumps({"id": "run_1", "status": "completed", **FIELDS, "note": "x" * 90}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
LARGE = 100_000_000
CHUNK = bytes(1_000_000)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % LARGE


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.parser = httptools.HttpRequestParser(self)
        self.is_large = False
        self.left = 0

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.is_large = url.endswith(b"/large")

    def on_message_complete(self) -> None:
        if not self.is_large or self.parser.get_method() != b"GET":
            self.transport.write(ANSWER)
            return
        self.left = LARGE
        self.transport.write(HEAD)
        self.resume_writing()

    def pause_writing(self) -> None:
        """Wait: ``resume_writing`` is called when the buffer is empty enough."""
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        while self.left and not self.is_full:
            self.left -= len(CHUNK)
            self.transport.write(CHUNK)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
