"""One request over a connection of its own, by `http.client`, and what it is answered."""

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a caller got; header names in lower case, repeated ones joined."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def media_type(self) -> str | None:
        return self.headers.get("content-type")


def ask(
    server: int | str,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str | bytes] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask a server, by its port of loopback or its host and port.

    Objects and lists are sent as JSON, iterators in chunks, bytes and text as they are.
    """
    host = server if isinstance(server, str) else f"127.0.0.1:{server}"
    sent = dict(headers or {})
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
        if "content-type" not in {name.lower() for name in sent}:
            sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(host, timeout=20)
    if tls is not None:
        connection = http.client.HTTPSConnection(host, timeout=20, context=tls)
    with closing(connection):
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
        return Answer(response.status, found, response.read())
