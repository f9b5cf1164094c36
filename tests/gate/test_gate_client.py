"""The official MCP client finds its way from a refusal to a token by what our server tells it."""

from typing import Any

import httpx2
import mcp
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl


class Memory:
    """What a client keeps between requests."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Agrees to whatever an authorization server asks, and keeps what that was."""

    def __init__(self, authority: Any) -> None:
        self.authority = authority
        self.asked: list[httpx2.QueryParams] = []
        self.answer = httpx2.QueryParams()

    async def look(self, url: str) -> None:
        self.asked.append(httpx2.URL(url).params)
        self.answer = httpx2.URL(self.authority.authorize(url)).params

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**dict(self.answer))


def provider(url: str, person: Person) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl("http://127.0.0.1:1/callback")], client_name="tests")
    return OAuthClientProvider(url, metadata, Memory(), person.look, person.come_back)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_client_gets_a_token_and_more_scopes_when_they_are_needed(
    serve: Any, block: Any, authority: Any, free_port: Any, mode: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    person = Person(authority)
    with serve(block | {"resource": url}, ports={"tools": port}):
        async with (
            httpx2.AsyncClient(auth=provider(url, person)) as http,
            mcp.Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            assert [tool.name for tool in (await client.list_tools()).tools] == ["list-ships"]
            assert [asked["scope"] for asked in person.asked] == ["ships:read"]
            made = await client.call_tool("make-ship", {})
            assert made.is_error is False
            assert [set(asked["scope"].split()) for asked in person.asked][1:] == [{"ships:read", "ships:write"}]
            assert {asked["resource"] for asked in person.asked} == {url}
            assert [tool.name for tool in (await client.list_tools()).tools] == ["list-ships", "make-ship"]
    assert authority.asked["/register"] == 1


async def test_a_server_without_scopes_of_its_own_offers_all_there_are(
    serve: Any, block: Any, authority: Any, free_port: Any
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    person = Person(authority)
    with serve(block | {"resource": url, "scopes": []}, ports={"tools": port}):
        async with (
            httpx2.AsyncClient(auth=provider(url, person)) as http,
            mcp.Client(streamable_http_client(url, http_client=http)) as client,
        ):
            assert len((await client.list_tools()).tools) == 2
    assert [asked["scope"] for asked in person.asked] == ["ships:write"]


async def test_a_program_gets_a_token_with_credentials_of_its_own(
    serve: Any, block: Any, authority: Any, free_port: Any
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    authority.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    login = ("capably", "s3cret: of the server")
    auth = ClientCredentialsOAuthProvider(url, Memory(), *login, scope="ships:read", issuer=authority.issuer)
    with serve(block | {"resource": url}, ports={"tools": port}):
        async with (
            httpx2.AsyncClient(auth=auth) as http,
            mcp.Client(streamable_http_client(url, http_client=http)) as client,
        ):
            assert len((await client.list_tools()).tools) == 1
