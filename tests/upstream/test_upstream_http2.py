"""Calls over HTTP/2, to upstreams that behave, misbehave and go away; nginx where it is installed."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.upstream.calls import get, until
from tests.upstream.http2_upstream import Served, Upstream

from capably.upstream import negotiation, pool
from capably.upstream.client import Client, ClientLimits
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import Request
from capably.upstream.tls import ResumingContext

if TYPE_CHECKING:
    from tests.upstream.conftest import Wire

CA = trustme.CA()


@pytest.fixture
def secure() -> ssl.SSLContext:
    return context()


@pytest.fixture
def trusting() -> ResumingContext:
    return trust()


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1").configure_cert(made)
    return made


def trust() -> ResumingContext:
    return ResumingContext.of(cadata=CA.cert_pem.bytes().decode())


def echo(served: Served, number: int) -> None:
    served.say(number, served.path(number) + bytes(served.bodies[number]))


def never(_served: Served, _number: int) -> None:
    pass


async def test_200_calls_at_once_share_one_connection(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    upstream = Upstream(echo, {SettingCodes.MAX_CONCURRENT_STREAMS: 250})
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        for _ in range(3):
            calls = (client.send(get(f"{upstream.url}/{number}"), trusting) for number in range(200))
            replies = await asyncio.gather(*calls)
            assert [reply.body for reply in replies] == [b"/%d" % number for number in range(200)]
    assert len(upstream.served) == 1
    assert len(upstream.served[0].requests) == 600


async def test_what_a_connection_does_not_take_goes_over_another(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    most = 0

    def late(served: Served, number: int) -> None:
        nonlocal most
        most = max(most, served.h2.open_inbound_streams)
        asyncio.get_running_loop().call_later(0.05, served.say, number)

    upstream = Upstream(late, {SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        replies = await asyncio.gather(*(client.send(get(f"{upstream.url}/"), trusting) for _ in range(7)))
        assert [reply.body for reply in replies] == [b"ok"] * 7
    assert 2 <= len(upstream.served) <= 4
    assert most == 2
    assert not upstream.resets


async def test_an_upstream_that_picks_http_1_is_spoken_to_as_ever(
    wire: "Wire", secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    secure.set_alpn_protocols(["http/1.1"])
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with wire.listening(wire.saying(ok, ok), secure), Client(ClientLimits()) as client:
        calls = (client.send(get(wire.url), trusting) for _ in range(5))
        assert [reply.body for reply in await asyncio.gather(*calls)] == [b"ok"] * 5
    assert wire.heads[0].startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_without_the_extra_nothing_is_offered(
    wire: "Wire", secure: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (negotiation, pool):
        monkeypatch.setattr(module, "OFFERED", ())
    monkeypatch.setattr("capably.upstream.tls.OFFERED", ())
    secure.set_alpn_protocols(["h2", "http/1.1"])
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with wire.listening(wire.saying(ok), secure), Client(ClientLimits()) as client:
        assert (await client.send(get(wire.url), trust())).body == b"ok"
    assert wire.heads[0].startswith(b"GET / HTTP/1.1\r\n")


async def test_a_cancelled_call_ends_its_stream_and_leaves_the_connection(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        if served.path(number) != b"/never":
            served.say(number)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=0.5)) as client:
        call = asyncio.ensure_future(client.send(get(f"{upstream.url}/never"), trusting))
        await until(lambda: upstream.served and upstream.served[0].requests)
        call.cancel()
        await until(lambda: upstream.resets)
        with pytest.raises(UpstreamError) as caught:
            await client.send(get(f"{upstream.url}/never"), trusting)
        assert caught.value.trouble is Trouble.TIMEOUT
        assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"ok"
    assert upstream.resets == [(1, ErrorCodes.CANCEL), (3, ErrorCodes.CANCEL)]
    assert len(upstream.served) == 1


async def test_goaway_lets_what_was_begun_end_and_sends_the_rest_again(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        if len(upstream.served) == 1 and number == 5:
            served.h2.close_connection(last_stream_id=1)
            bare = served.h2.data_to_send()
            served.transport.write(bare)
            # h2 lets nobody send after GOAWAY: the frames of an answer, as another connection would write them
            served.transport.write(ANSWER_ON_STREAM_1)
        elif len(upstream.served) > 1:
            echo(served, number)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        calls = [
            asyncio.ensure_future(client.send(get(f"{upstream.url}/{each}", method, b"x"), trusting))
            for each, method in enumerate(("GET", "POST", "GET"))
        ]
        replies = await asyncio.gather(*calls)
    assert [reply.body for reply in replies] == [b"hi", b"/1x", b"/2x"]
    assert len(upstream.served) == 2


ANSWER_ON_STREAM_1 = b"\0\0\1\1\4\0\0\0\1\x88" + b"\0\0\2\0\1\0\0\0\1hi"
"""HEADERS with the indexed field `:status: 200`, and DATA that ends the stream."""


async def test_what_was_refused_is_sent_again_whatever_its_method(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        if number < 5:
            served.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
        else:
            echo(served, number)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        assert (await client.send(get(f"{upstream.url}/", "POST", b"x"), trusting)).body == b"/x"


async def test_calls_that_are_always_refused_come_to_an_end(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    upstream = Upstream(lambda served, number: served.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM))
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        with pytest.raises(UpstreamError) as caught:
            await client.send(get(f"{upstream.url}/"), trusting)
    assert caught.value.trouble is Trouble.BROKEN


@pytest.mark.parametrize(
    ("answer", "trouble", "reason"),
    [
        (lambda served, number: served.h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR), Trouble.BROKEN, "INTERNAL"),
        (lambda served, _number: served.transport.abort(), Trouble.BROKEN, "[Cc]onnection"),
        (lambda served, _number: served.transport.write(b"\0\0\1\0\0\0\0\0\0x"), Trouble.BROKEN, "not an HTTP/2"),
        (lambda served, number: served.say(number, b"x" * 2000), Trouble.TOO_LARGE, "more than 1000 bytes"),
        (
            lambda served, number: served.say(number, b"", 200, *((f"x-{each}", "v" * 8000) for each in range(40))),
            Trouble.BROKEN,
            "[Hh]eader",
        ),
        (lambda served, number: served.say(number, b"", 99), Trouble.BROKEN, "b'99' is no status"),
        (lambda served, number: served.say(number, b"x", 2000), Trouble.BROKEN, "b'2000' is no status"),
        (never, Trouble.TIMEOUT, "no answer within 0.5 s"),
    ],
    ids=["reset", "hung up", "not HTTP/2", "too large", "huge headers", "two digits", "four digits", "silent"],
)
async def test_answers_that_are_none_are_told(
    secure: ssl.SSLContext, trusting: ResumingContext, answer: object, trouble: Trouble, reason: str
) -> None:
    assert callable(answer)
    upstream = Upstream(answer)
    limits = ClientLimits(answer_s=0.5 if answer is never else 10, answer_bytes=1000)
    async with upstream.listening(secure), Client(limits) as client:
        with pytest.raises(UpstreamError, match=reason) as caught:
            await client.send(get(f"{upstream.url}/"), trusting)
    assert caught.value.trouble is trouble


async def test_a_stream_makes_its_upstream_wait_and_no_other(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    size = 100 * 1024 * 1024
    pouring: list[asyncio.Future[None]] = []

    def answer(served: Served, number: int) -> None:
        if served.path(number) == b"/big":
            pouring.append(asyncio.ensure_future(served.pour(number, size)))
        else:
            served.say(number)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        reply = await client.open(get(f"{upstream.url}/big"), trusting)
        assert reply.stream is not None
        await asyncio.sleep(0.1)
        assert (await client.send(get(f"{upstream.url}/small"), trusting)).body == b"ok"
        body = reply.stream
        taken = most = 0
        async for chunk in body:
            taken += len(chunk)
            most = max(most, body._size)  # type: ignore[attr-defined]
        assert taken == size
        assert most <= 600 * 1024
    assert len(upstream.served) == 1


async def test_a_stream_that_is_closed_early_ends_its_own_exchange(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    pouring: list[asyncio.Future[None]] = []
    upstream = Upstream(lambda served, number: pouring.append(asyncio.ensure_future(served.pour(number, 10_000_000))))
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        reply = await client.open(get(f"{upstream.url}/"), trusting)
        assert reply.stream is not None
        await reply.stream.aclose()
        await until(lambda: upstream.resets)
    assert upstream.resets == [(1, ErrorCodes.CANCEL)]


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "streaming"])
async def test_uploads_keep_to_the_windows_of_the_upstream(
    secure: ssl.SSLContext, trusting: ResumingContext, *, is_whole: bool
) -> None:
    content = bytes(range(256)) * 4096

    async def parts() -> AsyncIterator[bytes]:
        for begin in range(0, len(content), 100_000):
            yield content[begin : begin + 100_000]

    upstream = Upstream(
        lambda served, number: served.say(number, b"%d" % len(served.bodies[number])),
        {SettingCodes.INITIAL_WINDOW_SIZE: 1000},
    )
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        request = get(f"{upstream.url}/", "PUT", content if is_whole else None)
        reply = await client.open(request, trusting, None if is_whole else parts())
        assert reply.stream is not None
        assert b"".join([chunk async for chunk in reply.stream]) == b"1048576"
    assert bytes(upstream.served[0].bodies[1]) == content


async def test_an_upload_no_window_is_given_for_is_out_of_time(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    upstream = Upstream(echo, {SettingCodes.INITIAL_WINDOW_SIZE: 10}, gives_credit=False)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=0.3)) as client:
        with pytest.raises(UpstreamError) as caught:
            await client.send(get(f"{upstream.url}/", "PUT", b"x" * 100), trusting)
        await until(lambda: upstream.resets)
    assert caught.value.trouble is Trouble.TIMEOUT


async def test_a_body_that_fails_while_it_is_sent_ends_the_call_with_its_own_error(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError

    upstream = Upstream(echo)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        with pytest.raises(LookupError):
            await client.open(get(f"{upstream.url}/", "POST"), trusting, failing())
        await until(lambda: upstream.resets)


async def test_interim_answers_trailers_and_answers_without_a_body(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        path = served.path(number)
        served.h2.send_headers(number, [(":status", "103"), ("link", "</a>")])
        if path == b"/trailers":
            served.h2.send_headers(number, [(":status", "200")])
            served.h2.send_data(number, b"ok")
            served.h2.send_headers(number, [("x-late", "1")], end_stream=True)
        elif path == b"/204":
            served.say(number, b"", 204)
        else:
            served.say(number, b"", 200, ("content-length", "5"))

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        reply = await client.send(get(f"{upstream.url}/trailers"), trusting)
        assert (reply.status, reply.headers, reply.body) == (200, (), b"ok")
        assert (await client.send(get(f"{upstream.url}/204"), trusting)).status == 204
        reply = await client.send(get(f"{upstream.url}/", "HEAD"), trusting)
        assert (reply.header("content-length"), reply.body) == ("5", b"")


async def test_sessions_are_resumed_and_idle_connections_swept(
    secure: ssl.SSLContext, trusting: ResumingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_IDLE_S", 0.05)
    upstream = Upstream(echo)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        for count in (1, 2):
            assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"/"
            await until(lambda: upstream.served[-1].is_lost)
            assert len(upstream.served) == count
    assert upstream.resumed == [False, True]


async def test_a_certificate_nobody_vouches_for_is_refused(secure: ssl.SSLContext) -> None:
    upstream = Upstream(echo)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        calls = (client.send(get(f"{upstream.url}/")) for _ in range(3))
        problems = await asyncio.gather(*calls, return_exceptions=True)
    for problem in problems:
        assert isinstance(problem, UpstreamError)
        assert problem.trouble is Trouble.UNREACHABLE
        assert "certificate verify failed" in problem.reason


async def test_of_clients_that_share_a_connection_one_that_closes_gives_up_its_own_calls_alone(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    upstream = Upstream(lambda served, number: None if served.path(number) == b"/never" else served.say(number))
    async with upstream.listening(secure), pool.Pool(5.0) as shared, Client(ClientLimits(), shared) as stays:
        async with Client(ClientLimits(), shared) as leaves:
            calls = [
                asyncio.ensure_future(client.send(get(f"{upstream.url}/never"), trusting)) for client in (stays, leaves)
            ]
            await until(lambda: upstream.served and len(upstream.served[0].requests) == 2)
        with pytest.raises(UpstreamError, match="the client was closed"):
            await calls[1]
        assert (await stays.send(get(f"{upstream.url}/"), trusting)).body == b"ok"
        assert not calls[0].done()
        calls[0].cancel()
    assert len(upstream.served) == 1
    assert upstream.resets[0] == (3, ErrorCodes.CANCEL)


async def test_a_tunnel_carries_it_too(wire: "Wire", secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    upstream = Upstream(echo)

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there, back = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                sink.write(chunk)
            sink.close()

        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    async with upstream.listening(secure), wire.listening(tunnel):
        proxies = {"https": f"http://127.0.0.1:{wire.port}"}
        async with pool.Pool(10.0, proxies) as ways, Client(ClientLimits(), ways) as client:
            calls = (client.send(get(f"{upstream.url}/{each}"), trusting) for each in range(9))
            assert [reply.body for reply in await asyncio.gather(*calls)] == [b"/%d" % each for each in range(9)]
        await until(lambda: upstream.served[0].is_lost)
    assert len(upstream.served) == wire.connections == 1


@pytest.fixture
async def nginx(tmp_path: Path) -> AsyncIterator[str]:
    """nginx, which ends each connection after 50 requests."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    CA.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "big").write_bytes(bytes(5_000_000))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    (tmp_path / "conf").write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr crit; events {{}} http {{ {places}"
        f"access_log off; keepalive_requests 50; server {{ listen 127.0.0.1:{port} ssl http2; root {tmp_path}/files;"
        f"ssl_certificate {tmp_path}/pem; ssl_certificate_key {tmp_path}/pem;"
        "location /is { return 200 $server_protocol$request_uri; } } }"
    )
    process = await asyncio.create_subprocess_exec(program, "-c", str(tmp_path / "conf"), "-p", str(tmp_path))
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                break
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_nginx_answers_and_its_goaways_lose_nothing(nginx: str, trusting: ResumingContext) -> None:
    async with Client(ClientLimits()) as client:
        for _ in range(10):
            calls = (client.send(get(f"{nginx}/is{each}", "POST", b"x"), trusting) for each in range(30))
            replies = await asyncio.gather(*calls)
            assert [reply.body for reply in replies] == [b"HTTP/2.0/is%d" % each for each in range(30)]
        assert (await client.send(get(f"{nginx}/big"), trusting)).body == bytes(5_000_000)


async def test_a_client_that_is_closed_ends_its_calls(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    upstream = Upstream(never)
    async with upstream.listening(secure):
        async with Client(ClientLimits()) as client:
            calls = [asyncio.ensure_future(client.send(get(f"{upstream.url}/"), trusting)) for _ in range(3)]
            await asyncio.sleep(0)
        problems = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(problem) for problem in problems] == [UpstreamError] * 3


async def test_a_line_break_cannot_reach_a_field(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    upstream = Upstream(echo)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        with pytest.raises(UpstreamError, match="line break"):
            await client.send(get(f"{upstream.url}/", x="a\r\nb: c"), trusting)
        assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"/"


def test_h2_is_imported_only_for_a_connection_that_speaks_it() -> None:
    program = "import sys, capably.upstream.client; sys.exit('h2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


NAMES = st.from_regex(r"\Ax-[a-z0-9]{1,8}\Z")
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
            st.lists(st.tuples(NAMES, VALUES), max_size=5),
            st.none() | st.binary(max_size=3000),
        ),
        min_size=1,
        max_size=4,
    )
)
async def test_an_upstream_is_told_and_answers_the_same_over_either_version(
    wire: "Wire", calls: list[tuple[str, list[tuple[str, str]], bytes | None]]
) -> None:
    def fields(pairs: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        kept = [(name.decode().lower(), value.decode().strip()) for name, value in pairs]
        return sorted(pair for pair in kept if not pair[0].startswith((":", "host")))

    def answer(served: Served, number: int) -> None:
        told = fields(served.requests[number])
        method = dict(served.requests[number])[b":method"]
        body = b"" if method == b"HEAD" else repr((told, bytes(served.bodies[number]))).encode()
        served.say(number, body, 200, *((name, value) for name, value in told if name.startswith("x-")))

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await wire.request(reader)
            lines = [line.partition(b":")[::2] for line in head.split(b"\r\n")[1:-2]]
            told = fields(lines)
            body = b"" if head.startswith(b"HEAD") else repr((told, wire.bodies[-1])).encode()
            own = "".join(f"{name}: {value}\r\n" for name, value in told if name.startswith("x-"))
            length = "" if head.startswith(b"HEAD") else f"content-length: {len(body)}\r\n"
            writer.write(f"HTTP/1.1 200 OK\r\n{own}{length}\r\n".encode() + body)

    trusting, upstream = trust(), Upstream(answer)
    async with upstream.listening(context()), wire.listening(plain, context()), Client(ClientLimits()) as client:
        for method, headers, body in calls:
            request = Request(method, f"{upstream.url}/a?b", tuple(headers), body)
            new = await client.send(request, trusting)
            old = await client.send(Request(method, f"{wire.url}/a?b", tuple(headers), body), trusting)
            assert new.status == old.status
            assert new.body == old.body
            assert new.headers == tuple(pair for pair in old.headers if pair[0] != "content-length")
    assert len(upstream.served) == 1
