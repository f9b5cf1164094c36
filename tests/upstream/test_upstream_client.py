"""The client against upstreams that behave, misbehave and go away."""

import asyncio
import contextlib
import gzip
import ssl
import zlib
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.upstream.calls import get

from capably.upstream.client import Client, ClientLimits
from capably.upstream.pool import Pool
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.tls import ResumingContext

if TYPE_CHECKING:
    from tests.upstream.conftest import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def trouble_of(wire: "Wire", *answers: bytes, **limits: float) -> UpstreamError:
    async with wire.listening(wire.saying(*answers)), Client(ClientLimits(**limits)) as client:  # type: ignore[arg-type]
        with pytest.raises(UpstreamError) as caught:
            await client.send(get(wire.url))
    return caught.value


async def test_a_connection_is_used_again(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK, OK, OK)), Client(ClientLimits()) as client:
        for _ in range(3):
            assert (await client.send(get(f"{wire.url}/a?b=c"))).body == b"ok"
    assert wire.connections == 1
    assert wire.heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAccept-Encoding: gzip, deflate\r\n" in wire.heads[0]


async def test_clients_of_one_pool_use_the_same_connections(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK, OK, OK)), Pool(5.0) as pool, Client(ClientLimits(), pool) as one:
        await one.send(get(wire.url))
        async with Client(ClientLimits(), pool) as other:
            await other.send(get(wire.url))
        await one.send(get(wire.url))
    assert wire.connections == 1


async def test_a_client_that_closes_gives_up_its_calls_and_no_others(wire: "Wire") -> None:
    may_answer = asyncio.Event()

    async def answer_the_first(reader: Reader, writer: Writer) -> None:
        while True:
            path = (await wire.request(reader)).split(b" ")[1]
            if path != b"/at-once":
                await may_answer.wait()
            writer.write(OK)

    async with wire.listening(answer_the_first), Pool(5.0) as pool, Client(ClientLimits(), pool) as stays:
        async with Client(ClientLimits(), pool) as leaves:
            # On connections that were used before, where a call could be made again.
            await asyncio.gather(*(client.send(get(f"{wire.url}/at-once")) for client in (stays, leaves)))
            calls = [asyncio.ensure_future(client.send(get(f"{wire.url}/later"))) for client in (stays, leaves)]
            while len(wire.heads) < 4:  # noqa: ASYNC110 -- the upstream is no event
                await asyncio.sleep(0.005)
        with pytest.raises(UpstreamError, match="the client was closed"):
            await calls[1]
        may_answer.set()
        assert (await calls[0]).body == b"ok"
    assert wire.connections == 2


async def test_calls_at_once_have_connections_of_their_own_and_keep_their_answers(wire: "Wire") -> None:
    async def echo(reader: Reader, writer: Writer) -> None:
        while True:
            path = (await wire.request(reader)).split(b" ")[1]
            await asyncio.sleep(0.001 * (len(wire.heads) % 7))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with wire.listening(echo), Client(ClientLimits()) as client:
        for _ in range(3):
            replies = await asyncio.gather(*(client.send(get(f"{wire.url}/{number}")) for number in range(50)))
            assert [reply.body for reply in replies] == [b"/%d" % number for number in range(50)]
    assert wire.connections == 50


async def test_a_kept_connection_that_was_closed_is_replaced_for_methods_that_may_be_repeated(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK)), Client(ClientLimits()) as client:
        for _ in range(3):
            assert (await client.send(get(wire.url))).status == 200
    assert len(wire.heads) == 3


async def test_a_post_is_never_sent_twice(wire: "Wire") -> None:
    async def hang_up_on_the_second(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        writer.write(OK)
        await wire.request(reader)

    async with wire.listening(hang_up_on_the_second), Client(ClientLimits()) as client:
        await client.send(get(wire.url, "POST", b"1"))
        with pytest.raises(UpstreamError) as caught:
            await client.send(get(wire.url, "POST", b"2"))
    assert caught.value.trouble is Trouble.BROKEN
    assert wire.bodies == [b"1", b"2"]


async def test_an_answer_without_a_length_ends_with_its_connection(wire: "Wire") -> None:
    async with wire.listening(wire.saying(b"HTTP/1.1 200 OK\r\n\r\nall of it")), Client(ClientLimits()) as client:
        assert (await client.send(get(wire.url))).body == b"all of it"


async def test_chunks_and_trailers_are_read(wire: "Wire") -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    async with wire.listening(wire.saying(chunked, OK)), Client(ClientLimits()) as client:
        reply = await client.send(get(wire.url))
        assert (reply.body, reply.header("x-sum")) == (b"abcde", None)
        await client.send(get(wire.url))
    assert wire.connections == 1


FRAMED: list[Callable[[bytes], bytes]] = [
    lambda body: b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
    lambda body: (
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    ),
    lambda body: b"\r\n" + body,
]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=100),
    places=st.lists(st.integers(0, 200), max_size=4),
    framed=st.sampled_from(FRAMED),
    is_coded=st.booleans(),
)
async def test_an_answer_is_read_the_same_however_its_bytes_are_cut(
    wire: "Wire", body: bytes, places: list[int], framed: Callable[[bytes], bytes], *, is_coded: bool
) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-A: b\r\n" + (b"Content-Encoding: gzip\r\n" if is_coded else b"")
    answer = head + framed(gzip.compress(body) if is_coded else body)
    ends = sorted({min(place, len(answer)) for place in places} | {len(answer)})

    async def drip(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        for start, end in zip([0, *ends], ends, strict=False):
            writer.write(answer[start:end])
            await asyncio.sleep(0.001)

    async with wire.listening(drip), Client(ClientLimits()) as client:
        dripped = await client.send(get(wire.url))
    async with wire.listening(wire.saying(answer)), Client(ClientLimits()) as client:
        assert await client.send(get(wire.url)) == dripped
    assert dripped.body == body


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(min_size=1, max_size=20), max_size=4), over=st.integers(0, 40))
async def test_an_answer_that_is_handed_on_while_it_arrives_is_the_one_that_is_collected(
    wire: "Wire", parts: list[bytes], over: int
) -> None:
    body = b"".join(parts)

    async def drip(reader: Reader, writer: Writer) -> None:
        for _ in range(2):
            await wire.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.001)

    async with wire.listening(drip), Client(ClientLimits()) as client:
        whole = await client.send(get(wire.url))
        late = await client.send(msgspec.structs.replace(get(wire.url), streams_over=over))
        told = late.body if late.stream is None else b"".join([chunk async for chunk in late.stream])
    assert (late.status, late.headers, told) == (whole.status, whole.headers, whole.body) == (200, whole.headers, body)
    assert (late.stream is not None) == (len(body) > over)


async def test_interim_answers_are_passed_over(wire: "Wire") -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    async with wire.listening(wire.saying(early + OK)), Client(ClientLimits()) as client:
        reply = await client.send(get(wire.url))
    assert (reply.status, reply.header("link"), reply.body) == (200, None, b"ok")


async def test_the_answer_to_head_has_no_body_whatever_its_length(wire: "Wire") -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with wire.listening(wire.saying(head, OK)), Client(ClientLimits()) as client:
        reply = await client.send(get(wire.url, "HEAD"))
        assert (reply.header("content-length"), reply.body) == ("1000", b"")
        assert (await client.send(get(wire.url))).body == b"ok"
    assert wire.connections == 1


async def test_methods_meant_to_have_content_say_that_they_have_none(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK, OK)), Client(ClientLimits()) as client:
        await client.send(get(wire.url, "POST"))
        await client.send(get(wire.url, "DELETE"))
    assert [b"Content-Length: 0" in head for head in wire.heads] == [True, False]


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda text: gzip.compress(text[:500]) + gzip.compress(text[500:])),
        ("deflate", zlib.compress),
        ("deflate", lambda text: zlib.compress(text)[2:-4]),
        ("deflate, gzip", lambda text: gzip.compress(zlib.compress(text))),
        ("identity", bytes),
    ],
)
async def test_codings_are_taken_off(wire: "Wire", coding: str, encode: Callable[[bytes], bytes]) -> None:
    text = b"ahoy " * 1000
    body = encode(text)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body))
    async with wire.listening(wire.saying(answer + body)), Client(ClientLimits()) as client:
        assert (await client.send(get(wire.url))).body == text


async def test_codings_may_stand_in_several_headers(wire: "Wire") -> None:
    body = gzip.compress(zlib.compress(b"ahoy"))
    codings = b"Content-Encoding: deflate\r\nContent-Encoding: gzip\r\n"
    answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (codings, len(body), body)
    async with wire.listening(wire.saying(answer)), Client(ClientLimits()) as client:
        assert (await client.send(get(wire.url))).body == b"ahoy"


@pytest.mark.parametrize(
    ("coding", "body", "trouble"),
    [
        (b"gzip", gzip.compress(b"0" * 2_000_000), Trouble.TOO_LARGE),
        (b"gzip", gzip.compress(b"0" * 1000)[:-9], Trouble.BROKEN),
        (b"gzip", b"no gzip", Trouble.BROKEN),
        (b"br", b"any", Trouble.BROKEN),
    ],
)
async def test_what_cannot_be_decoded_within_the_cap_is_told(
    wire: "Wire", coding: bytes, body: bytes, trouble: Trouble
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)
    assert (await trouble_of(wire, answer, answer_bytes=1_000_000)).trouble is trouble


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Trouble.BROKEN),
        (b"SSH-2.0-OpenSSH\r\n", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Trouble.BROKEN),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n", Trouble.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", Trouble.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, Trouble.TOO_LARGE),
        (b"", Trouble.BROKEN),
    ],
)
async def test_answers_that_are_none_are_told(wire: "Wire", answer: bytes, trouble: Trouble) -> None:
    assert (await trouble_of(wire, answer, answer_bytes=100)).trouble is trouble


async def test_what_follows_an_answer_unasked_is_not_taken_for_the_next(wire: "Wire") -> None:
    more = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with wire.listening(wire.saying(OK + more, OK)), Client(ClientLimits()) as client:
        assert [(await client.send(get(wire.url))).body for _ in range(2)] == [b"ok", b"ok"]
    assert wire.connections == 2


async def test_a_cancelled_call_closes_its_connection(wire: "Wire") -> None:
    async def never(reader: Reader, _writer: Writer) -> None:
        await wire.request(reader)
        assert await reader.read() == b""

    async with wire.listening(never), Client(ClientLimits()) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send(get(wire.url)), 0.05)
        for _ in range(100):
            if wire.ended:
                break
            await asyncio.sleep(0.01)
        assert wire.ended == 1


async def test_time_is_up_while_a_body_drips(wire: "Wire") -> None:
    async def drip(reader: Reader, writer: Writer) -> None:
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with wire.listening(drip), Client(ClientLimits(answer_s=0.1)) as client:
        with pytest.raises(UpstreamError, match=r"no answer within 0\.1 s"):
            await client.send(get(wire.url))


async def test_a_stream_makes_its_upstream_wait_for_its_reader(wire: "Wire") -> None:
    sent = 0

    async def pour(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while sent < 64_000_000:
            writer.write(b"x" * 64_000)
            await writer.drain()
            sent += 64_000

    async with wire.listening(pour), Client(ClientLimits()) as client:
        reply = await client.send(get(wire.url))
        assert reply.stream is not None
        await asyncio.sleep(0.3)
        assert 0 < sent < 32_000_000
        read = 0
        async for chunk in reply.stream:
            read += len(chunk)
        assert read == 64_000_000


@pytest.mark.parametrize("error", [LookupError, TimeoutError])
async def test_a_body_that_fails_while_it_is_sent_ends_the_call_with_its_own_error(
    wire: "Wire", error: type[Exception]
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise error("the caller is gone")

    async def wait(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async with wire.listening(wait), Client(ClientLimits()) as client:
        with pytest.raises(error):
            await client.open(get(wire.url, "PUT"), body=half())


async def test_redirects_stay_at_their_origin(wire: "Wire") -> None:
    def moved(to: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()

    answers = (moved("/b?c"), OK, moved("http://127.0.0.2/x"))
    async with wire.listening(wire.saying(*answers)), Client(ClientLimits()) as client:
        assert (await client.send(get(f"{wire.url}/a"))).body == b"ok"
        with pytest.raises(UpstreamError, match=r"redirected to another origin: http://127\.0\.0\.2"):
            await client.send(get(f"{wire.url}/a"))
    assert wire.heads[1].startswith(b"GET /b?c ")


async def test_a_line_break_cannot_reach_a_header(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK)), Client(ClientLimits()) as client:
        with pytest.raises(UpstreamError, match="the header X would hold a line break"):
            await client.send(get(wire.url, X="a\r\nEvil: b"))
    assert not wire.heads


@pytest.mark.parametrize("url", ["ftp://x/", "http:///x", "//x", "http://x:99999/", "http://[::1/"])
async def test_what_is_no_url_is_told(url: str) -> None:
    async with Client(ClientLimits()) as client:
        with pytest.raises(UpstreamError, match="not a URL that can be called"):
            await client.send(get(url))


async def test_a_user_and_a_password_in_the_url_are_sent_as_a_header(wire: "Wire") -> None:
    async with wire.listening(wire.saying(OK)), Client(ClientLimits()) as client:
        await client.send(get(f"http://ada:love%40lace@127.0.0.1:{wire.port}/"))
    assert b"\r\nAuthorization: Basic YWRhOmxvdmVAbGFjZQ==\r\n" in wire.heads[0]
    assert b"ada" not in wire.heads[0]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ResumingContext:
    return ResumingContext.of(cadata=authority.cert_pem.bytes().decode())


@pytest.mark.parametrize(
    "answer", [OK, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")], ids=["kept", "closed"]
)
async def test_tls_sessions_are_resumed(
    wire: "Wire", secure: ssl.SSLContext, trusting: ResumingContext, answer: bytes
) -> None:
    async with wire.listening(wire.saying(answer), secure), Client(ClientLimits()) as client:
        for _ in range(3):
            assert (await client.send(get(wire.url), trusting)).body == b"ok"
            await asyncio.sleep(0.02)
    assert wire.resumed == [False, True, True]


async def test_a_certificate_nobody_vouches_for_is_refused(wire: "Wire", secure: ssl.SSLContext) -> None:
    async with wire.listening(wire.saying(OK), secure), Client(ClientLimits()) as client:
        with pytest.raises(UpstreamError, match="certificate verify failed") as caught:
            await client.send(get(wire.url))
    assert caught.value.trouble is Trouble.UNREACHABLE


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_a_proxy_relays_plain_requests(wire: "Wire", proxied: pytest.MonkeyPatch) -> None:
    async with wire.listening(wire.saying(OK)):
        proxied.setenv("http_proxy", f"http://user:pass@127.0.0.1:{wire.port}")
        async with Client(ClientLimits()) as client:
            assert (await client.send(get("http://upstream.test/a?b"))).body == b"ok"
    assert wire.heads[0].startswith(b"GET http://upstream.test/a?b HTTP/1.1\r\nHost: upstream.test\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in wire.heads[0]


async def test_a_proxy_tunnels_secure_requests(
    wire: "Wire", other: "Wire", secure: ssl.SSLContext, trusting: ResumingContext, proxied: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def tunnel(reader: Reader, writer: Writer) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        there, back = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(copy(reader, back), copy(there, writer))
        finally:
            back.close()
            with contextlib.suppress(ConnectionError):
                await back.wait_closed()

    async def copy(source: Reader, sink: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(65536):
                sink.write(chunk)
            sink.close()

    async with wire.listening(wire.saying(OK, OK), secure), other.listening(tunnel):
        proxied.setenv("https_proxy", f"127.0.0.1:{other.port}")
        async with Client(ClientLimits()) as client:
            for _ in range(2):
                assert (await client.send(get(f"{wire.url}/a"), trusting)).body == b"ok"
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % wire.port)
    assert wire.heads[0].startswith(b"GET /a HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("spared", "url", "is_proxied"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", False),
        ("127.0.0.1:8080", "http://127.0.0.1:8081", True),
        ("example.test", "http://api.example.test:81", False),
        ("::1", "http://[::1]:8080", False),
    ],
)
async def test_some_upstreams_are_spared_the_proxy(
    proxied: pytest.MonkeyPatch, spared: str, url: str, *, is_proxied: bool
) -> None:
    proxied.setenv("no_proxy", spared)
    async with Pool(1.0, {"http": "http://proxy.test:3128"}) as pool:
        assert (pool.way(url, None).proxy is not None) is is_proxied


async def test_a_proxy_that_refuses_is_told(wire: "Wire", proxied: pytest.MonkeyPatch) -> None:
    async with wire.listening(wire.saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")):
        proxied.setenv("https_proxy", f"http://127.0.0.1:{wire.port}")
        async with Client(ClientLimits()) as client:
            with pytest.raises(UpstreamError, match="refused a tunnel: 403 Forbidden"):
                await client.send(get("https://upstream.test/"))


async def test_a_closed_client_leaves_no_connection(wire: "Wire") -> None:
    async def never(reader: Reader, _writer: Writer) -> None:
        await wire.request(reader)
        await reader.read()

    async with wire.listening(never):
        async with Client(ClientLimits()) as client:
            call = asyncio.ensure_future(client.send(get(wire.url)))
            while not wire.heads:  # noqa: ASYNC110 -- the server is no event
                await asyncio.sleep(0.01)
        with pytest.raises(UpstreamError):
            await call
