"""HTTP/2 at its limits: settings that change, windows, resets, silence, and connections that go away."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
import trustme
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import HeadersFrame, PingFrame
from tests.upstream.calls import body_of, get, until
from tests.upstream.http2_upstream import Served, Upstream

from capably.upstream import http2
from capably.upstream.auth.certificate import Certificate, Pem
from capably.upstream.client import Client, ClientLimits
from capably.upstream.pool import Pool
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.tls import ResumingContext, client_context

if TYPE_CHECKING:
    from tests.upstream.conftest import Wire

CA = trustme.CA()


@pytest.fixture
def secure() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.fixture
def trusting() -> ResumingContext:
    return ResumingContext.of(cadata=CA.cert_pem.bytes().decode())


def echo(served: Served, number: int) -> None:
    served.say(number, served.path(number) + bytes(served.bodies[number]))


def size(served: Served, number: int) -> None:
    served.say(number, b"%d" % len(served.bodies[number]))


def never(_served: Served, _number: int) -> None:
    pass


async def test_pings_are_answered(secure: ssl.SSLContext, trusting: ResumingContext) -> None:
    def ask_first(served: Served, number: int) -> None:
        served.h2.ping(b"are you?")
        echo(served, number)

    upstream = Upstream(ask_first)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        for count in range(3):
            assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"/"
            await until(lambda: upstream.pongs > count)  # noqa: B023 -- awaited at once


async def test_an_upstream_that_pings_and_does_not_read_is_left(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    upstream = Upstream(never)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        call = asyncio.ensure_future(client.send(get(f"{upstream.url}/"), trusting))
        await until(lambda: upstream.served and upstream.served[0].requests)
        transport = upstream.served[0].transport
        transport.pause_reading()
        pings = PingFrame(0, bytes(8)).serialize() * 2000
        while not call.done():
            if not transport.is_closing():
                transport.write(pings)
            await asyncio.sleep(0)
        with pytest.raises(UpstreamError, match=r"without reading|[Cc]onnection"):
            await call


@pytest.mark.parametrize("side", ["upstream", "caller"])
async def test_after_many_resets_others_are_asked_on_another_connection(
    secure: ssl.SSLContext, trusting: ResumingContext, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setattr(http2, "_MOST_RESETS", 10)
    streams: list[tuple[Served, int]] = []

    def answer(served: Served, number: int) -> None:
        if served.path(number) == b"/reset" and side == "upstream":
            served.h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
        elif served.path(number) == b"/":
            served.say(number)
        else:
            streams.append((served, number))

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        under_way = asyncio.ensure_future(client.send(get(f"{upstream.url}/long"), trusting))
        await until(lambda: streams)
        for count in range(1, 11):
            call = asyncio.ensure_future(client.send(get(f"{upstream.url}/reset"), trusting))
            await until(lambda: call.done() or len(streams) > count)  # noqa: B023 -- awaited at once
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert len(upstream.served) == 1
        assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"ok"
        assert len(upstream.served) == 2
        served, number = streams[0]
        served.say(number, b"the first goes on")
        assert (await under_way).body == b"the first goes on"
        await until(lambda: served.is_lost)


async def test_a_client_certificate_is_shown_over_http_2_too(secure: ssl.SSLContext) -> None:
    CA.configure_trust(secure)
    secure.verify_mode = ssl.CERT_REQUIRED
    issued = CA.issue_cert("client@capably.test")
    certificate = b"".join(each.bytes() for each in issued.cert_chain_pems).decode()
    scheme = Certificate(
        Pem(text=certificate),
        Pem(text=issued.private_key_pem.bytes().decode()),
        "",
        Pem(text=CA.cert_pem.bytes().decode()),
    )

    def who(served: Served, number: int) -> None:
        ((_kind, name),) = served.transport.get_extra_info("peercert")["subjectAltName"]
        served.say(number, name.encode())

    upstream = Upstream(who)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        shown = client_context(scheme)
        replies = await asyncio.gather(*(client.send(get(f"{upstream.url}/"), shown) for _ in range(3)))
        assert [reply.body for reply in replies] == [b"client@capably.test"] * 3
        with pytest.raises(UpstreamError):
            await client.send(get(f"{upstream.url}/"), ResumingContext.of(cadata=CA.cert_pem.bytes().decode()))
    assert len(upstream.served) <= 2


async def test_fewer_streams_and_smaller_windows_hold_from_when_they_are_told(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    most: dict[Served, int] = {}

    def early(served: Served, number: int) -> None:
        if number == 1 and len(upstream.served) == 1:
            served.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 2, SettingCodes.INITIAL_WINDOW_SIZE: 100})
            served.flush()
        else:
            most[served] = max(most.get(served, 0), served.h2.open_inbound_streams)

    def late(served: Served, number: int) -> None:
        asyncio.get_running_loop().call_later(0.05, size, served, number)

    upstream = Upstream(late, early=early)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        calls = [asyncio.ensure_future(client.send(get(f"{upstream.url}/"), trusting))]
        await asyncio.sleep(0.03)
        calls += [
            asyncio.ensure_future(client.send(get(f"{upstream.url}/", "PUT", bytes(3000)), trusting)) for _ in range(4)
        ]
        replies = await asyncio.gather(*calls)
        assert [reply.body for reply in replies] == [b"0"] + [b"3000"] * 4
    assert most[upstream.served[0]] == 2
    assert not upstream.resets


async def test_a_window_that_is_taken_back_while_a_body_is_sent_is_waited_for(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def early(served: Served, number: int) -> None:
        served.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        served.flush()
        asyncio.get_running_loop().call_later(0.05, give, served, number)

    def give(served: Served, number: int) -> None:
        served.h2.increment_flow_control_window(200_000, number)
        served.flush()

    upstream = Upstream(size, {SettingCodes.INITIAL_WINDOW_SIZE: 50_000}, early=early)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        for _ in range(2):
            assert (await client.send(get(f"{upstream.url}/", "PUT", bytes(150_000)), trusting)).body == b"150000"
    assert len(upstream.served) == 1


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "streaming"])
@pytest.mark.parametrize("is_seen", [True, False], ids=["seen", "unseen"])
async def test_goaway_in_the_middle_of_an_upload_loses_what_cannot_be_sent_again_alone(
    secure: ssl.SSLContext, trusting: ResumingContext, *, is_seen: bool, is_whole: bool
) -> None:
    def early(served: Served, number: int) -> None:
        if len(upstream.served) == 1:
            served.leave(2**31 - 1)
            served.leave(number if is_seen else number - 1)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(20_000)
            await asyncio.sleep(0.001)

    upstream = Upstream(size, {SettingCodes.INITIAL_WINDOW_SIZE: 10_000}, early=early)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        request = get(f"{upstream.url}/", "POST", bytes(200_000) if is_whole else None)
        call = client.open(request, trusting, None if is_whole else parts())
        if is_seen or is_whole:
            assert await body_of(await call) == b"200000"
        else:
            with pytest.raises(UpstreamError):
                await call
        await until(lambda: upstream.served[0].is_lost)
        assert (await client.send(get(f"{upstream.url}/"), trusting)).body == b"0"
    assert len(upstream.served) == 2


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "streaming"])
async def test_an_answer_that_comes_before_the_body_is_sent_is_taken_and_the_rest_is_not_sent(
    secure: ssl.SSLContext, trusting: ResumingContext, *, is_whole: bool
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)

    upstream = Upstream(
        never,
        {SettingCodes.INITIAL_WINDOW_SIZE: 5000},
        gives_credit=False,
        early=lambda served, number: served.say(number, b"no", 413),
    )
    async with upstream.listening(secure), Client(ClientLimits(answer_s=2)) as client:
        for _ in range(2):
            request = get(f"{upstream.url}/", "POST", bytes(100_000) if is_whole else None)
            reply = await client.open(request, trusting, None if is_whole else parts())
            assert (reply.status, await body_of(reply)) == (413, b"no")
        await until(lambda: len(upstream.resets) == 2)
    assert len(upstream.served) == 1


async def test_a_connection_lost_under_calls_loses_those_alone_that_cannot_be_repeated(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        if len(upstream.served) == 1 and number == 5:
            served.transport.abort()
        elif len(upstream.served) > 1 or number == 1:
            served.say(number)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=5)) as client:
        await client.send(get(f"{upstream.url}/"), trusting)
        calls = (client.send(get(f"{upstream.url}/", method), trusting) for method in ("GET", "POST"))
        got, posted = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(got, Reply)
        assert isinstance(posted, UpstreamError)
        assert posted.trouble is Trouble.BROKEN
    methods = [dict(fields)[b":method"] for served in upstream.served for fields in served.requests.values()]
    assert methods == [b"GET", b"GET", b"POST", b"GET"]


async def test_an_answer_under_way_that_goaway_disowns_ends_at_once(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def disown(served: Served, number: int) -> None:
        served.h2.send_headers(number, [(":status", "200"), ("content-type", "text/event-stream")])
        served.h2.send_data(number, b"data: 1\n\n")
        served.flush()
        asyncio.get_running_loop().call_later(0.05, served.leave, 0)

    upstream = Upstream(disown)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        reply = await client.send(get(f"{upstream.url}/"), trusting)
        with pytest.raises(UpstreamError, match="gave the answer up"):
            async with asyncio.timeout(3):
                await body_of(reply)


async def test_a_body_that_fails_when_the_answer_has_begun_ends_the_answer(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.sleep(0.05)
        raise LookupError

    upstream = Upstream(never, early=lambda served, number: served.h2.send_headers(number, [(":status", "200")]))
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        reply = await client.open(get(f"{upstream.url}/", "POST"), trusting, failing())
        with pytest.raises(UpstreamError, match="could not be sent"):
            async with asyncio.timeout(3):
                await body_of(reply)
        await until(lambda: upstream.resets)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["collected", "streamed"])
async def test_an_answer_without_the_body_it_announces_is_not_whole(
    secure: ssl.SSLContext, trusting: ResumingContext, *, is_streamed: bool
) -> None:
    async def call(client: Client) -> Reply:
        reply = await client.open(get(f"{upstream.url}/200"), trusting)
        await body_of(reply)
        return reply

    upstream = Upstream(
        lambda served, number: served.say(number, b"", int(served.path(number)[1:]), ("content-length", "5"))
    )
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        for method, status in (("GET", 304), ("HEAD", 200)):
            assert (await client.send(get(f"{upstream.url}/{status}", method), trusting)).status == status
        with pytest.raises(UpstreamError, match="ended before its body came"):
            await (call(client) if is_streamed else client.send(get(f"{upstream.url}/200"), trusting))
    assert len(upstream.served) == 1


@pytest.mark.parametrize("body", [b"", b"too long"], ids=["short", "long"])
async def test_an_answer_that_is_not_as_long_as_it_says_breaks_no_other(
    secure: ssl.SSLContext, trusting: ResumingContext, body: bytes
) -> None:
    def answer(served: Served, number: int) -> None:
        status = served.path(number)[1:]
        served.h2.send_headers(number, [(":status", status.decode()), ("content-length", "5")])
        served.h2.send_data(number, b"" if status == b"304" else body, end_stream=True)

    upstream = Upstream(lambda served, number: None if served.path(number) == b"/later" else answer(served, number))
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        later = asyncio.ensure_future(client.send(get(f"{upstream.url}/later"), trusting))
        await until(lambda: upstream.served and upstream.served[0].requests)
        for call in (client.send, client.open):
            with pytest.raises(UpstreamError, match="Expected 5 bytes, received"):
                await body_of(await call(get(f"{upstream.url}/200"), trusting))
        reply = await client.send(get(f"{upstream.url}/304"), trusting)
        assert (reply.status, reply.header("content-length"), reply.body) == (304, "5", b"")
        upstream.served[0].say(1)
        assert (await later).body == b"ok"
    assert len(upstream.served) == 1


async def test_an_answer_to_a_call_that_was_given_up_breaks_no_other(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    def answer(served: Served, number: int) -> None:
        if number == 1:
            return
        served.h2.send_headers(number, [(":status", "200")])
        for left in (3, 2, 1, 0):
            served.h2.send_data(number, bytes(16_384), end_stream=not left)
        late = HeadersFrame(1, b"\x88", flags=["END_HEADERS"]).serialize()  # `:status: 200`
        served.transport.write(served.h2.data_to_send() + late)

    upstream = Upstream(answer)
    async with upstream.listening(secure), Client(ClientLimits()) as client:
        given_up = asyncio.ensure_future(client.send(get(f"{upstream.url}/"), trusting))
        await until(lambda: upstream.served and upstream.served[0].requests)
        given_up.cancel()
        for _ in range(3):
            assert (await client.send(get(f"{upstream.url}/", "POST"), trusting)).body == bytes(65_536)
    assert len(upstream.served) == 1


async def test_an_upstream_that_leaves_at_once_is_not_connected_to_again_and_again(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    class Leaving(Served):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.leave(0)
            self.transport.close()

    upstream = Upstream(never)
    upstream.kind = Leaving
    async with upstream.listening(secure), Client(ClientLimits(answer_s=0.5)) as client:
        with pytest.raises(UpstreamError):
            await client.send(get(f"{upstream.url}/"), trusting)
    assert len(upstream.served) <= 5


async def test_a_connection_that_has_fallen_silent_is_not_used_for_ever(
    wire: "Wire", secure: ssl.SSLContext, trusting: ResumingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "_SILENCE_S", 0.1)
    upstream, is_silent = Upstream(echo), asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", upstream.port)
        is_first = wire.connections == 1

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                if not (is_first and is_silent.is_set()):
                    sink.write(chunk)

        try:
            await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)
        finally:
            back.close()

    async with upstream.listening(secure), wire.listening(relay), Client(ClientLimits(answer_s=0.3)) as client:
        url = f"https://127.0.0.1:{wire.port}/"
        await client.send(get(url), trusting)
        await asyncio.sleep(0.05)  # until nothing more comes of the first
        is_silent.set()
        with pytest.raises(UpstreamError, match="no answer within"):
            await client.send(get(url), trusting)
        assert (await client.send(get(url), trusting)).body == b"/"
    assert wire.connections == 2


class Mute(Served):
    """Says nothing before it is told to, not even its settings."""

    is_mute = True

    def flush(self) -> None:
        if not self.is_mute:
            super().flush()


PHASES = ["settings", "place", "send", "upload", "wait", "stream"]


@pytest.mark.parametrize("is_closed", [False, True], ids=["cancelled", "closed"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_call_that_is_given_up_in_any_phase_leaves_nothing(
    secure: ssl.SSLContext, trusting: ResumingContext, phase: str, *, is_closed: bool
) -> None:
    """Settings are what a new connection waits for; a place is waited for when another call opens the connection."""

    def answer(served: Served, number: int) -> None:
        if served.path(number) == b"/again":
            served.say(number)
        elif phase == "stream":
            served.h2.send_headers(number, [(":status", "200"), ("content-type", "text/event-stream")])

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)

    async def call(client: Client) -> None:
        request = get(f"{upstream.url}/", "POST", bytes(100_000) if phase == "send" else None)
        sent = client.open(request, trusting, parts()) if phase == "upload" else client.send(request, trusting)
        reply = await sent
        async with aclosing(reply.stream):  # type: ignore[type-var]
            await body_of(reply)

    upstream = Upstream(answer, {SettingCodes.INITIAL_WINDOW_SIZE: 5000}, gives_credit=False)
    upstream.kind = Mute if phase in {"settings", "place"} else Served
    async with upstream.listening(secure), Pool(2.0) as pool, Client(ClientLimits(), pool) as client:
        first = asyncio.ensure_future(call(client))
        last = asyncio.ensure_future(call(client)) if phase == "place" else first
        await asyncio.sleep(0.1)
        assert not last.done()
        if is_closed:
            await pool.aclose()
        else:
            last.cancel()
        async with asyncio.timeout(0.5):
            (problem,) = await asyncio.gather(last, return_exceptions=True)
        assert type(problem) is (UpstreamError if is_closed else asyncio.CancelledError)
        if not is_closed:
            assert await asked_again(upstream, client, trusting) == b"ok"
            assert upstream.resets == ([] if phase in {"settings", "place"} else [(1, ErrorCodes.CANCEL)])
        assert len(upstream.served) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await pool.aclose()
        await until(lambda: upstream.served[0].is_lost)
        assert not pool._open
    assert not [task for task in asyncio.all_tasks() if "capably" in repr(task.get_coro())]


async def asked_again(upstream: Upstream, client: Client, trusting: ResumingContext) -> bytes:
    for served in upstream.served:
        if isinstance(served, Mute):
            served.is_mute = False
            served.flush()
    return (await client.send(get(f"{upstream.url}/again"), trusting)).body


class Fickle:
    """An upstream that answers most requests: some it refuses, some it leaves under, honestly or not."""

    def __init__(self) -> None:
        self.chance = random.Random(7)  # noqa: S311 -- nothing secret
        self.posted: list[bytes] = []
        self.left: dict[Served, int] = {}

    def answer(self, served: Served, number: int) -> None:
        if number > self.left.get(served, number):
            return  # which is what GOAWAY said of it
        what, is_used = self.chance.random(), len(served.requests) > 20
        if what < 0.02:
            served.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        if served.bodies[number]:
            self.posted.append(bytes(served.bodies[number]))
        if what < 0.06 and is_used and served not in self.left:
            self.left[served] = max(served.requests)
            served.leave(self.left[served])
        if what > 0.994 and is_used:
            served.transport.abort()
        asyncio.get_running_loop().call_later(self.chance.choice((0, 0, 0.002)), self.say, served, number)

    def say(self, served: Served, number: int) -> None:
        if not served.is_lost and not served.transport.is_closing():
            served.say(number, served.path(number))


async def test_under_churn_no_get_is_lost_and_no_post_is_sent_twice(
    secure: ssl.SSLContext, trusting: ResumingContext
) -> None:
    async def call(client: Client, caller: int) -> int:
        lost = 0
        for count in range(20):
            name = f"/{caller}/{count}"
            assert (await client.send(get(f"{upstream.url}{name}"), trusting)).body == name.encode()
            try:
                reply = await client.send(get(f"{upstream.url}{name}", "POST", name.encode()), trusting)
                assert reply.body == name.encode()
            except UpstreamError:
                lost += 1
        return lost

    fickle = Fickle()
    upstream = Upstream(fickle.answer)
    async with upstream.listening(secure), Client(ClientLimits(answer_s=10)) as client:
        lost = sum(await asyncio.gather(*(call(client, caller) for caller in range(15))))
    assert len(fickle.posted) == len(set(fickle.posted))
    assert 300 - len(fickle.posted) <= lost < 150
    assert len(upstream.served) > 3
