"""However bytes are cut on their way, the same requests are read, and other implementations read the answers."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inbound.conftest import answers_in

from capably.inbound.exchange import Exchange
from capably.inbound.head import RefusedError, check_headers, target_of
from capably.inbound.reader import Reader
from capably.plan.outcome import Fault
from capably.servers.http import read_body

_TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~", min_size=1, max_size=12)
_VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "keep-alive", "te"}
_HEADERS = st.lists(st.tuples(_TOKEN.filter(lambda name: name not in _FRAMING), _VALUE), max_size=5)
_PATH = st.text("abc/._~-%20!$&'()*+,;=:@", max_size=30).map(lambda path: "/" + path)
_QUERY = st.none() | st.text("abc=&+%/?", max_size=20)
_METHOD = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
_BODY = st.lists(st.binary(min_size=1, max_size=60), max_size=3)


class Request:
    """A request as it goes over the wire, written by h11."""

    def __init__(self, line: tuple[str, str, str | None], headers: list[tuple[str, str]], body: list[bytes]) -> None:
        self.method, self.path, self.query = line
        self.body = b"".join(body)
        client = h11.Connection(h11.CLIENT)
        framed = [("transfer-encoding", "chunked")] if len(body) > 1 else [("content-length", str(len(self.body)))]
        self.headers = [("host", "a"), *headers, *(framed if body else [])]
        target = self.path if self.query is None else f"{self.path}?{self.query}"
        head = client.send(h11.Request(method=self.method, target=target, headers=self.headers))
        parts = [head, *(client.send(h11.Data(data=part)) for part in body), client.send(h11.EndOfMessage())]
        self.wire = b"".join(part for part in parts if part)

    @property
    def told(self) -> tuple[Any, ...]:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers]
        return self.method, self.path.encode(), (self.query or "").encode(), headers, self.body


_REQUEST = st.builds(Request, st.tuples(_METHOD, _PATH, _QUERY), _HEADERS, _BODY)


class Collected:
    """Takes requests as a connection does, and what goes out."""

    is_lost = is_clogged = is_ending = False

    def __init__(self) -> None:
        self.taken: list[Exchange] = []
        self.refused: list[int] = []
        self.written = b""

    def take(self, exchange: Exchange) -> None:
        self.taken.append(exchange)

    def refuse(self, status: int) -> None:
        self.refused.append(status)

    def write(self, data: bytes) -> None:
        self.written += data

    def regulate(self) -> None:
        pass

    def begun(self) -> None:
        pass

    async def drained(self) -> None:
        raise AssertionError("it is never clogged")


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _read(data: bytes, places: list[int]) -> tuple[list[tuple[Any, ...]], list[int]]:
    collected = Collected()
    reader = Reader(collected, {"type": "http"}, 64 * 1024)
    for part in _cut(data, places):
        if not reader.is_deaf:
            reader.feed(part)
    return [asyncio.run(_told(each)) for each in collected.taken if each.is_received], collected.refused


async def _told(exchange: Exchange) -> tuple[Any, ...]:
    scope, body = exchange.scope, b""
    while (message := await exchange.receive())["more_body"]:
        body += message["body"]
    body += message["body"]
    return scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body


@given(st.lists(_REQUEST, min_size=1, max_size=4), st.lists(st.integers(0, 10_000), max_size=12))
@settings(max_examples=150, deadline=None)
def test_requests_are_read_the_same_however_their_bytes_are_cut(requests: list[Request], places: list[int]) -> None:
    told, refused = _read(b"".join(each.wire for each in requests), places)
    assert told == [each.told for each in requests]
    assert refused == []


@given(st.binary(max_size=200) | st.text("GET /HTP1.\r\n:aContent-Lgh5chukd;", max_size=80).map(str.encode), st.data())
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_the_same_however_they_are_cut(data: bytes, more: st.DataObject) -> None:
    places = more.draw(st.lists(st.integers(0, 10_000), max_size=12))
    whole, cut = _read(data, []), _read(data, places)
    assert (whole[0], bool(whole[1])) == (cut[0], bool(cut[1]))


@given(
    method=_METHOD,
    status=st.sampled_from([200, 201, 204, 304, 404, 599]),
    headers=_HEADERS,
    body=st.lists(st.binary(max_size=60), min_size=1, max_size=4),
    is_length_told=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_another_implementation_reads_the_answers(
    method: str, status: int, headers: list[tuple[str, str]], body: list[bytes], *, is_length_told: bool
) -> None:
    whole = b"".join(body)
    fields = [(name.encode(), value.encode()) for name, value in headers if name != "date"]
    if is_length_told:
        fields.append((b"content-length", b"%d" % len(whole)))
    messages: list[MutableMapping[str, Any]] = [{"type": "http.response.start", "status": status, "headers": fields}]
    messages += [
        {"type": "http.response.body", "body": part, "more_body": at < len(body) - 1} for at, part in enumerate(body)
    ]
    collected = Collected()
    scope = {"method": method, "http_version": "1.1"}
    exchange = Exchange(collected, scope, keeps_open=True, expects_continue=False)
    exchange.is_received = True

    async def send() -> None:
        for message in messages:
            await exchange.send(message)

    asyncio.run(send())
    (answer,) = answers_in(collected.written, method)
    assert answer.status == status
    assert answer.body == (b"" if method == "HEAD" or status in {204, 304} else whole)
    assert [field for field in answer.headers if field in fields] == fields
    assert exchange.is_over
    assert exchange.keeps_open


@given(st.text("abc/._~-!$&'()*+,;=:@"))
def test_a_path_without_encoding_is_read_as_the_same_path_encoded(path: str) -> None:
    encoded = "/".join("".join(f"%{ord(character):02x}" for character in segment) for segment in path.split("/"))
    assert target_of("GET", b"/" + path.encode()).path == target_of("GET", b"/" + encoded.encode()).path == f"/{path}"


@given(st.lists(st.sampled_from([b"host", b"host", b"x-a", b"x-b"]), max_size=4), st.sampled_from(["1.0", "1.1"]))
def test_a_request_has_one_host_whatever_else_comes_twice(names: list[bytes], version: str) -> None:
    headers = [(name, b"a%d" % number) for number, name in enumerate(names)]
    try:
        check_headers(version, headers, dict(headers))
    except RefusedError as refused:
        taken = refused.status
    else:
        taken = 200
    hosts = names.count(b"host")
    assert taken == (200 if hosts == 1 or (hosts == 0 and version == "1.0") else 400)


@given(size=st.integers(0, 3) | st.integers(65_530, 65_545) | st.integers(0, 200_000), places=st.lists(st.integers()))
@settings(deadline=None)
def test_an_answer_of_a_known_length_is_written_the_same_however_it_is_cut(size: int, places: list[int]) -> None:
    fields = [(b"content-length", b"%d" % size), (b"date", b"today")]

    async def written(*parts: bytes) -> bytes:
        collected = Collected()
        exchange = Exchange(
            collected, {"method": "GET", "http_version": "1.1"}, keeps_open=True, expects_continue=False
        )
        exchange.is_received = True
        await exchange.send({"type": "http.response.start", "status": 200, "headers": fields})
        for part in parts:
            await exchange.send({"type": "http.response.body", "body": part, "more_body": True})
        await exchange.send({"type": "http.response.body", "body": b""})
        return collected.written

    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    whole = asyncio.run(written(body))
    assert whole.endswith(b"\r\n\r\n" + body)
    assert asyncio.run(written(*_cut(body, places))) == whole


@given(body=st.binary(max_size=8), places=st.lists(st.integers(0, 8), max_size=3), cap=st.integers(0, 8))
def test_a_body_that_comes_in_one_piece_is_read_as_one_in_many(body: bytes, places: list[int], cap: int) -> None:
    def read(*parts: bytes) -> bytes | int:
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        coming = iter([*messages[:-1], {**messages[-1], "more_body": False}])

        async def receive() -> MutableMapping[str, Any]:
            return next(coming)

        try:
            return asyncio.run(read_body({"headers": []}, receive, cap))
        except Fault as fault:
            return fault.status

    assert read(body) == read(*_cut(body, places)) == (body if len(body) <= cap else 413)
