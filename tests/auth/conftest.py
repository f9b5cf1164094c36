"""Authentication blocks as data, and servers on loopback that check what they are sent."""

import asyncio
import json
import re
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote_plus

import pytest
from aiohttp import web
from oauthlib import oauth2
from oauthlib.common import Request as OAuthRequest

from capably.diagnostics import Diagnostic, Span
from capably.document import Mapping as MappingNode
from capably.document import parse_document
from capably.model.auth import Authentication
from capably.model.decode import decode_record
from capably.upstream.auth import Credentials, Scheme, compile_credentials
from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client, ClientLimits

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve: TypeAlias = Callable[..., Awaitable[str]]
CompileBlock: TypeAlias = "Callable[..., Compiled]"
MakeTokenServer: TypeAlias = "Callable[..., TokenServer]"


@dataclass
class Compiled:
    """What became of a block: its credentials and what was said of it."""

    credentials: Credentials
    found: list[Diagnostic] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(item.code, item.message) for item in self.found]

    @property
    def scheme(self) -> Scheme:
        assert self.told == []
        assert self.credentials.scheme is not None
        return self.credentials.scheme


def compile_block(block: Mapping[str, Any], values: Mapping[str, str] | None = None, file: str = "a.yaml") -> Compiled:
    """Compile a block; `{{X}}` is filled with the value of X, or with its stand-in when no values are given."""
    document, problems = parse_document(file, json.dumps(block).encode())
    assert document is not None
    assert isinstance(document.root, MappingNode)
    assert problems == []
    found: list[Diagnostic] = []
    stated = decode_record(Authentication, document.root, "authentication", found)
    assert stated is not None

    def reveal(text: str, _span: Span) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda hole: f"<{hole[1]}>" if values is None else values[hole[1]], text)

    return Compiled(compile_credentials(stated, reveal, found), found)


@pytest.fixture(name="compile_block")
def _compile_block() -> CompileBlock:
    return compile_block


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers for the length of a test; gives their URL."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler, tls: ssl.SSLContext | None = None) -> str:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        return f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(ClientLimits(answer_s=5)) as client:
        yield client


@pytest.fixture
async def authenticator(client: Client) -> AsyncIterator[Authenticator]:
    authenticator = Authenticator(client)
    yield authenticator
    await authenticator.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the document of a test stands."""
    return tmp_path


class Validator(oauth2.RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """Knows one client and one user; every refresh token is good once."""

    def __init__(self, ways: tuple[str, ...]) -> None:
        super().__init__()
        self.ways = ways
        self.access: set[str] = set()
        self.refresh = {"refresh-0"}

    def authenticate_client(self, request: OAuthRequest, *_args: object, **_named: object) -> bool:
        given = {"body": (request.client_id, request.client_secret), "header": basic(request.headers)}
        way = next((way for way in self.ways if given[way] == ("a client", "s3cret/+%&")), None)
        request.client = type("Client", (), {"client_id": "a client"})
        return way is not None

    def authenticate_client_id(self, *_args: object, **_named: object) -> bool:
        return False

    def client_authentication_required(self, *_args: object, **_named: object) -> bool:
        return True

    def validate_grant_type(self, *_args: object, **_named: object) -> bool:
        return True

    def validate_scopes(self, _client_id: str, scopes: list[str], *_args: object, **_named: object) -> bool:
        return set(scopes) <= {"read", "write", "default"}

    def get_default_scopes(self, *_args: object, **_named: object) -> list[str]:
        return ["default"]

    def get_original_scopes(self, *_args: object, **_named: object) -> list[str]:
        return ["read", "write", "default"]

    def validate_user(
        self, username: str, password: str, _client: object, request: OAuthRequest, *_args: object
    ) -> bool:
        request.user = username
        return (username, password) == ("ada", "lovelace")

    def validate_refresh_token(self, token: str, *_args: object, **_named: object) -> bool:
        if token not in self.refresh:
            return False
        self.refresh.remove(token)
        return True

    def save_bearer_token(self, token: dict[str, str], *_args: object, **_named: object) -> None:
        self.access.add(token["access_token"])
        self.refresh.add(token.get("refresh_token", ""))


def basic(headers: dict[str, str]) -> tuple[str, str]:
    pair = b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
    name, _, password = pair.partition(":")
    return unquote_plus(name), unquote_plus(password)


class TokenServer:
    """A token endpoint by oauthlib at `/token`, and an API behind it everywhere else."""

    def __init__(self, *, life_s: int = 3600, ways: tuple[str, ...] = ("header", "body"), rotates: bool = True) -> None:
        self.validator = Validator(ways)
        self.server = oauth2.LegacyApplicationServer(self.validator, token_expires_in=life_s)
        credentials = oauth2.ClientCredentialsGrant(self.validator)
        self.server._grant_types["client_credentials"] = credentials
        self.server.refresh_grant.issue_new_refresh_tokens = rotates
        self.asked: list[dict[str, str]] = []
        self.seen: list[tuple[str, str]] = []
        self.delay_s = 0.0
        self.oddly: list[web.Response] = []

    async def __call__(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        if request.path != "/token":
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            self.seen.append((request.path, token))
            return web.json_response({}, status=200 if token in self.validator.access else 401)
        self.asked.append({name: value for name, (value,) in parse_qs(body, keep_blank_values=True).items()})
        await asyncio.sleep(self.delay_s)
        if self.oddly:
            return self.oddly.pop(0)
        headers, text, status = self.server.create_token_response(
            f"https://{request.host}/token", request.method, body, dict(request.headers)
        )
        return web.Response(text=text, status=status, headers=headers)


@pytest.fixture
def both() -> MakeTokenServer:
    """Makes a server that is both: a token endpoint and the API behind it."""
    return TokenServer
