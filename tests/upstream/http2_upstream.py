"""An upstream that speaks HTTP/2 by h2, and misbehaves as a test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

Answer = Callable[["Served", int], None]


@dataclass
class Upstream:
    """What it does with a request that is whole, and what it has seen."""

    answer: "Answer"
    settings: dict[SettingCodes | int, int] = field(default_factory=dict)
    served: list["Served"] = field(default_factory=list)
    resets: list[tuple[int, int]] = field(default_factory=list)
    resumed: list[bool] = field(default_factory=list)
    early: "Answer | None" = None
    pongs: int = 0
    kind: "type[Served] | None" = None
    gives_credit: bool = True
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext) -> AsyncIterator["Upstream"]:
        tls.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: (self.kind or Served)(self), "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for each in self.served:
                each.transport.abort()
            await asyncio.sleep(0)


class Served(asyncio.Protocol):
    """One connection of an upstream."""

    transport: asyncio.Transport

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.requests: dict[int, list[tuple[bytes, bytes]]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.window = asyncio.Event()
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.upstream.served.append(self)
        self.upstream.resumed.append(transport.get_extra_info("ssl_object").session_reused)
        self.h2.local_settings.update(dict(self.upstream.settings))
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.take(event)
        self.flush()

    def take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.requests[event.stream_id] = [(bytes(name), bytes(value)) for name, value in event.headers]
            self.bodies[event.stream_id] = bytearray()
            if self.upstream.early is not None:
                self.upstream.early(self, event.stream_id)
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] += event.data
            if self.upstream.gives_credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.upstream.answer(self, event.stream_id)
        elif isinstance(event, StreamReset):
            self.upstream.resets.append((event.stream_id, int(event.error_code)))
        elif isinstance(event, WindowUpdated):
            self.window.set()
        elif isinstance(event, PingAckReceived):
            self.upstream.pongs += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True
        self.window.set()

    def path(self, number: int) -> bytes:
        return dict(self.requests[number])[b":path"]

    def say(self, number: int, body: bytes = b"ok", status: int = 200, *headers: tuple[str, str]) -> None:
        self.h2.send_headers(number, [(":status", str(status)), *headers], end_stream=not body)
        if body:
            self.h2.send_data(number, body, end_stream=True)
        self.flush()

    async def pour(self, number: int, size: int) -> None:
        """A body of any size, as fast as the windows allow."""
        self.h2.send_headers(number, [(":status", "200")])
        with suppress(ProtocolError):
            while size and not self.is_lost:
                room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, size)
                if room <= 0:
                    self.window.clear()
                    await self.window.wait()
                    continue
                self.h2.send_data(number, bytes(room), end_stream=room == size)
                size -= room
                self.flush()
                await asyncio.sleep(0)

    def leave(self, last: int) -> None:
        """GOAWAY, after which h2 would say nothing more."""
        self.flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=last).serialize())

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())
