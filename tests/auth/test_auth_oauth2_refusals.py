"""OAuth 2 when no token is to be had: refusals, nonsense, metadata; every end is a clear error."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request
from capably.upstream.token_keeper import TokenKeeper

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, MakeTokenServer, Serve

SECRET = "s3cret/+%&"
VALUES = {"SECRET": SECRET}
BLOCK = {"type": "oauth2", "clientId": "a client", "clientSecret": "{{SECRET}}"}


def scheme_of(compile_block: "CompileBlock", url: str) -> OAuth2:
    scheme = compile_block(BLOCK | {"tokenEndpoint": f"{url}/token"}, VALUES).scheme
    assert isinstance(scheme, OAuth2)
    return scheme


def get(url: str) -> Request:
    return Request("GET", f"{url}/ships", (), None)


async def test_a_refusal_is_told_in_the_servers_words_bounded_and_without_our_secrets(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    server = both()
    words = f"the secret {SECRET} is\nwrong \x1b[31m" + "x" * 500
    server.oddly = [web.json_response({"error": "invalid_scope", "error_description": words}, status=400)]
    scheme = scheme_of(compile_block, url := await serve(server))
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get(url))
    told = caught.value.told
    assert told.startswith("its token endpoint refused: invalid_scope: the secret *** is wrong [31mxxx")
    assert len(told) < 280
    assert SECRET not in caught.value.reason
    assert caught.value.trouble is Trouble.AUTH


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("nonsense", "status 200: an answer without a token"),
        ('["a"]', "status 200: an answer without a token"),
        ('{"access_token": 1}', "status 200: an answer without a token"),
        ('{"access_token": "t", "token_type": "mac"}', "unsupported_token_type: tokens of type mac cannot be sent"),
        ('{"access_token": "a\\nb"}', "invalid_token: the token cannot stand in a header"),
        ('{"error": "access_denied"}', "access_denied"),
    ],
)
async def test_an_answer_without_a_usable_token_is_a_clear_error(
    *,
    serve: "Serve",
    both: "MakeTokenServer",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    answer: str,
    told: str,
) -> None:
    server = both()
    server.oddly = [web.Response(text=answer)]
    scheme = scheme_of(compile_block, url := await serve(server))
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get(url))
    assert caught.value.told == f"its token endpoint refused: {told}"


async def test_a_token_endpoint_that_is_not_there_is_told(
    authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    scheme = scheme_of(compile_block, "http://127.0.0.1:1")
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get("http://127.0.0.1:1"))
    assert caught.value.told == "its token endpoint cannot be reached"


async def test_a_token_request_is_not_followed_elsewhere(
    serve: "Serve", both: "MakeTokenServer", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"access_token": "t"})

    there = await serve(elsewhere)
    server = both()
    server.oddly = [web.Response(status=307, headers={"Location": f"{there}/token"})]
    scheme = scheme_of(compile_block, url := await serve(server))
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get(url))
    assert caught.value.trouble is Trouble.AUTH
    assert asked == []


@pytest.mark.parametrize(
    ("path", "well_known"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("/realms/fleet", "/.well-known/oauth-authorization-server/realms/fleet"),
        ("/realms/fleet", "/realms/fleet/.well-known/openid-configuration"),
        ("/realms/fleet/", "/realms/fleet/.well-known/oauth-authorization-server"),
    ],
)
async def test_the_token_endpoint_is_found_in_the_servers_metadata(
    *,
    serve: "Serve",
    both: "MakeTokenServer",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    path: str,
    well_known: str,
) -> None:
    server, looked = both(), []

    async def with_metadata(request: web.Request) -> web.Response:
        if ".well-known" not in request.path:
            return await server(request)
        looked.append(request.path)
        if request.path != well_known:
            return web.Response(status=404)
        host = f"http://{request.host}"
        return web.json_response({"issuer": f"{host}{path}", "token_endpoint": f"{host}/token"})

    url = await serve(with_metadata)
    block = BLOCK | {"authorizationServerUri": f"{url}{path}", "resource": "https://api.test"}
    scheme = compile_block(block, VALUES).scheme
    for _ in range(2):
        assert (await authenticator.send(scheme, get(url))).status == 200
    assert looked[-1] == well_known
    assert len(looked) == len(set(looked))
    assert server.asked == [{"grant_type": "client_credentials", "resource": "https://api.test"}]


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"issuer": "https://evil.test"}, "invalid_metadata: the authorization server's metadata names another issuer"),
        ({"token_endpoint": "ftp://x/"}, "invalid_metadata: the token endpoint is not an https URL"),
        (
            {"token_endpoint": None},
            "no_metadata: the authorization server tells no token endpoint: state `tokenEndpoint`",
        ),
    ],
)
async def test_metadata_that_cannot_be_trusted_is_not_used(
    serve: "Serve",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    metadata: dict[str, str | None],
    told: str,
) -> None:
    async def answer(request: web.Request) -> web.Response:
        host = f"http://{request.host}"
        return web.json_response({"issuer": host, "token_endpoint": f"{host}/token"} | metadata)

    url = await serve(answer)
    scheme = compile_block(BLOCK | {"authorizationServerUri": url}, VALUES).scheme
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, get(url))
    assert caught.value.told == f"its token endpoint refused: {told}"


async def test_what_is_still_asked_for_ends_with_the_keeper(client: Client, compile_block: "CompileBlock") -> None:
    started = asyncio.Event()

    async def never(_request: Request) -> Reply:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    keeper = TokenKeeper(never, lambda: 0.0)
    waiting = asyncio.create_task(keeper.get(scheme_of(compile_block, "https://a.test")))
    await started.wait()
    await keeper.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
