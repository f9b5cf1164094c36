"""Made-up upstreams of `http.server`: on loopback, without a log, and gone when the test is over."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

Server = TypeVar("Server", bound=ThreadingHTTPServer)


class Quiet(BaseHTTPRequestHandler):
    """Says nothing of what it is asked."""

    def tell(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON."""
        body = json.dumps(value).encode()
        framing = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self.send_response(status)
        for name, content in (framing | dict(headers or {})).items():
            self.send_header(name, content)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def answering(server: Server) -> Iterator[Server]:
    """Let a server answer, in a thread, while the context lasts."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
