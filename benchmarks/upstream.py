"""A minimal upstream: answers every request on a port with the same 700-byte JSON object, as cheaply as Python can."""

import asyncio
import json
import sys
from typing import cast

import httptools
import uvloop

FIELDS = {f"field{number}": f"{number}" * 40 for number in range(10)}
BODY = json.dumps({"id": "run_1", "status": "completed", **FIELDS, "note": "x" * 90}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(ANSWER)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
