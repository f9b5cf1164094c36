"""OAuth 2: tokens from oauthlib's server, kept as long as they live, and asked for once however many wait."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client
from capably.upstream.reply import UpstreamError
from capably.upstream.request import Request
from capably.upstream.token_keeper import TokenKeeper

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, MakeTokenServer, Serve

CLIENT = "a client"
VALUES = {"SECRET": "s3cret/+%&", "PASSWORD": "lovelace", "REFRESH": "refresh-0"}


BLOCK = {"type": "oauth2", "clientId": CLIENT, "clientSecret": "{{SECRET}}"}


def scheme_of(compile_block: "CompileBlock", url: str, **more: Any) -> OAuth2:
    scheme = compile_block(BLOCK | {"tokenEndpoint": f"{url}/token"} | more, VALUES).scheme
    assert isinstance(scheme, OAuth2)
    return scheme


def get(url: str, path: str = "/ships") -> Request:
    return Request("GET", f"{url}{path}", (), None)


async def test_a_token_is_got_once_and_sent_with_every_request(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    server = both()
    url = await serve(server)
    scheme = scheme_of(compile_block, url, grantType="client-credentials", scope="read write", audience="api")
    for _ in range(3):
        assert (await authenticator.send(scheme, get(url))).status == 200
    assert server.asked == [{"grant_type": "client_credentials", "scope": "read write", "audience": "api"}]
    assert len({token for _path, token in server.seen}) == 1


@pytest.mark.parametrize("ways", [("header",), ("body",)])
async def test_the_way_the_server_wants_the_client_to_authenticate_is_found_once(
    serve: "Serve",
    both: "MakeTokenServer",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    ways: tuple[str, ...],
) -> None:
    server = both(ways=ways)
    url = await serve(server)
    scheme = scheme_of(compile_block, url)
    assert (await authenticator.send(scheme, get(url))).status == 200
    assert [("client_secret" in asked) for asked in server.asked] == ([False] if ways == ("header",) else [False, True])
    server.validator.access.clear()
    assert (await authenticator.send(scheme, get(url))).status == 200
    assert ("client_secret" in server.asked[-1]) is (ways == ("body",))


@pytest.mark.parametrize(("stated", "way"), [("body", "body"), ("client_secret_post", "body"), ("header", "header")])
async def test_a_stated_way_is_the_only_one(
    *,
    serve: "Serve",
    both: "MakeTokenServer",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    stated: str,
    way: str,
) -> None:
    server = both(ways=("body" if way == "header" else "header",))
    url = await serve(server)
    scheme = scheme_of(compile_block, url, clientAuthentication=stated)
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get(url))
    assert caught.value.told == "its token endpoint refused: invalid_client"
    assert len(server.asked) == 1
    assert server.seen == []


async def test_a_user_has_a_token_that_is_renewed_without_the_password(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    server = both()
    url = await serve(server)
    scheme = scheme_of(compile_block, url, grantType="password", username="ada", password="{{PASSWORD}}")
    await authenticator.send(scheme, get(url))
    server.validator.access.clear()
    assert (await authenticator.send(scheme, get(url))).status == 200
    assert [asked["grant_type"] for asked in server.asked] == ["password", "refresh_token"]
    server.validator.access.clear()
    server.validator.refresh.clear()
    assert (await authenticator.send(scheme, get(url))).status == 200
    assert [asked["grant_type"] for asked in server.asked[2:]] == ["refresh_token", "password"]


@pytest.mark.parametrize("rotates", [True, False])
async def test_a_refresh_token_is_kept_or_replaced_as_the_server_says(
    serve: "Serve",
    both: "MakeTokenServer",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    *,
    rotates: bool,
) -> None:
    server = both(rotates=rotates)
    if not rotates:
        server.validator.refresh = type("Always", (set,), {"remove": lambda *_args: None})({"refresh-0"})
    url = await serve(server)
    scheme = scheme_of(compile_block, url, grantType="refresh_token", refreshToken="{{REFRESH}}")
    for _ in range(3):
        server.validator.access.clear()
        assert (await authenticator.send(scheme, get(url))).status == 200
    sent = [asked["refresh_token"] for asked in server.asked]
    assert sent[0] == "refresh-0"
    assert len(set(sent)) == (3 if rotates else 1)


async def test_a_token_the_upstream_no_longer_takes_is_replaced_and_the_call_made_once_more(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    server = both()
    url = await serve(server)
    scheme = scheme_of(compile_block, url)
    await authenticator.send(scheme, get(url))
    server.validator.access.clear()
    replies = await asyncio.gather(*(authenticator.send(scheme, get(url, f"/{n}")) for n in range(10)))
    assert {reply.status for reply in replies} == {200}
    assert len(server.asked) == 2


async def test_an_upstream_that_refuses_every_token_is_asked_twice(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    tokens, asked = both(), []

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response({"why": "no"}, status=401)

    scheme = scheme_of(compile_block, await serve(tokens))
    reply = await authenticator.send(scheme, get(await serve(refuse)))
    assert (reply.status, reply.body, len(set(asked))) == (401, b'{"why": "no"}', 2)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keeper(client: Client, clock: Clock) -> AsyncIterator[TokenKeeper]:
    keeper = TokenKeeper(client.send, clock)
    yield keeper
    await keeper.aclose()


@pytest.mark.parametrize(
    ("life_s", "margin", "kept_s"), [(3600, None, 3539), (3600, 600, 2999), (60, None, 29), (3600, 0, 3599)]
)
async def test_a_token_is_renewed_a_margin_before_it_ends(
    *,
    serve: "Serve",
    both: "MakeTokenServer",
    keeper: TokenKeeper,
    clock: Clock,
    compile_block: "CompileBlock",
    life_s: int,
    margin: int | None,
    kept_s: int,
) -> None:
    server = both(life_s=life_s)
    scheme = scheme_of(compile_block, await serve(server), **({} if margin is None else {"safetyMargin": margin}))
    first = await keeper.get(scheme)
    clock.now += kept_s
    assert await keeper.get(scheme) is first
    clock.now += 2
    assert (await keeper.get(scheme)).access != first.access
    assert len(server.asked) == 2


@pytest.mark.parametrize("expires_in", [None, "soon", -1, True, [], {}, "inf"])
async def test_a_token_without_an_end_is_kept_until_it_is_refused(
    *,
    serve: "Serve",
    both: "MakeTokenServer",
    keeper: TokenKeeper,
    clock: Clock,
    compile_block: "CompileBlock",
    expires_in: Any,
) -> None:
    server = both()
    text = json.dumps({"access_token": "t", "expires_in": expires_in})
    server.oddly = [web.Response(text=text)]
    scheme = scheme_of(compile_block, await serve(server))
    first = await keeper.get(scheme)
    clock.now += 10**9
    assert await keeper.get(scheme) is first
    assert (await keeper.get(scheme, refused=first)).access != "t"


async def test_all_who_wait_share_one_request_and_one_who_gives_up_does_not_end_it(
    serve: "Serve", both: "MakeTokenServer", keeper: TokenKeeper, compile_block: "CompileBlock"
) -> None:
    server = both()
    server.delay_s = 0.2
    scheme = scheme_of(compile_block, await serve(server))
    tasks = [asyncio.create_task(keeper.get(scheme)) for _ in range(10)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert len({id(token) for token in results[1:]}) == 1
    assert len(server.asked) == 1


async def test_a_failure_is_told_to_all_who_wait_and_the_next_caller_begins_anew(
    serve: "Serve", both: "MakeTokenServer", keeper: TokenKeeper, compile_block: "CompileBlock"
) -> None:
    server = both()
    server.delay_s = 0.1
    server.oddly = [web.Response(status=503, text="later")]
    scheme = scheme_of(compile_block, await serve(server))
    results = await asyncio.gather(*(keeper.get(scheme) for _ in range(3)), return_exceptions=True)
    assert [getattr(result, "told", None) for result in results] == [
        "its token endpoint refused: status 503: no OAuth error"
    ] * 3
    assert (await keeper.get(scheme)).access in server.validator.access
    assert len(server.asked) == 2


async def test_a_failure_nobody_waits_for_any_more_leaves_no_trace(
    serve: "Serve",
    both: "MakeTokenServer",
    keeper: TokenKeeper,
    compile_block: "CompileBlock",
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = both()
    server.delay_s = 0.1
    server.oddly = [web.Response(status=500)]
    scheme = scheme_of(compile_block, await serve(server))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keeper.get(scheme), 0.02)
    await asyncio.sleep(0.3)
    assert (await keeper.get(scheme)).access in server.validator.access
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
