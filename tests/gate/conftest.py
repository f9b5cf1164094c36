"""An authorization server on loopback, and documents whose servers ask for its tokens."""

import base64
import hashlib
import http.client
import json
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from tests.serving import serving
from tests.upstreams import Quiet, answering

from capably.plan.variables import Given
from capably.settings import Settings

RESOURCE = "https://fleet.example.com/mcp"
CLIENT = ("capably", "s3cret: of the server")
Key = RSAKey | ECKey | OKPKey


def new_key(kind: str, name: str) -> Key:
    parameters: Any = {"kid": name, "use": "sig"}
    match kind:
        case "RSA":
            return RSAKey.generate_key(2048, parameters)
        case "EC":
            return ECKey.generate_key("P-256", parameters)
        case _:
            return OKPKey.generate_key("Ed25519", parameters)


@dataclass
class AuthorizationServer:
    """Issues tokens, says whether they are active, and shows its keys; counts what it is asked."""

    keys: list[Key]
    issuer: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    active: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    well_known: str = "/.well-known/oauth-authorization-server"
    is_down: bool = False

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "ann",
            "aud": RESOURCE,
            "iat": now,
            "exp": now + 600,
            "scope": "ships:read",
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, *, key: Key | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        key = key or self.keys[0]
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
        stated = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        given = {name: value for name, value in stated.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA, the older name of Ed25519
            return jwt.encode(given, self.claims(**changes), key, algorithms=[stated["alg"]], default_type=None)

    def opaque(self, **changes: Any) -> str:
        token = secrets.token_urlsafe(24)
        self.active[token] = self.claims(**changes)
        return token

    def stated_metadata(self) -> dict[str, Any]:
        stated = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }
        return stated | self.metadata

    def answer(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, Any]:
        self.asked[path] += 1
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()} if method == "POST" else {}
        answers: dict[str, Callable[[], tuple[int, Any]]] = {
            self.well_known: lambda: (200, self.stated_metadata()),
            "/jwks": lambda: (200, KeySet(list(self.keys)).as_dict(private=False)),
            "/introspect": lambda: self.introspect(form, authorization),
            "/register": lambda: (201, json.loads(body) | {"client_id": "registered"}),
            "/token": lambda: self.exchange(form),
        }
        return answers[path]() if path in answers and not self.is_down else (404, {})

    def introspect(self, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        pair = base64.b64encode(b"capably:s3cret%3A+of+the+server").decode()
        in_body = (form.get("client_id"), form.get("client_secret")) == CLIENT
        if authorization != f"Basic {pair}" and not in_body:
            return 401, {"error": "invalid_client"}
        claims = self.active.get(form["token"])
        return 200, {"active": False} if claims is None else {"active": True, **claims}

    def authorize(self, url: str) -> str:
        """What a user who agrees is redirected to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: Mapping[str, str]) -> tuple[int, Any]:
        if form["grant_type"] == "client_credentials":
            token = self.token(aud=form["resource"], scope=form["scope"])
            return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600}
        asked = self.codes.pop(form["code"])
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(hashed).decode().rstrip("=") == asked["code_challenge"]
        scope = asked.get("scope", "")
        token = self.token(aud=asked["resource"], scope=scope)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scope}


@pytest.fixture(scope="session")
def key_of() -> Callable[[str], Key]:
    """A key of a kind by a name of its own; RSA keys take a while."""
    return lambda kind: new_key(kind, secrets.token_hex(4))


@pytest.fixture(scope="session")
def first_key() -> Key:
    return new_key("RSA", "first")


@pytest.fixture
def authority(first_key: Key) -> Iterator[AuthorizationServer]:
    """An authorization server that runs."""
    state = AuthorizationServer([first_key])

    class Handler(Quiet):
        def do_GET(self) -> None:
            self.reply(b"")

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, body: bytes) -> None:
            authorization = self.headers.get("Authorization", "")
            self.tell(*state.answer(self.command, self.path, body, authorization))

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        state.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        yield state


DOCUMENT = """\
ikanos: 1.0.0-beta4
binds: [{namespace: env, keys: {CLIENT_ID: CLIENT_ID, CLIENT_SECRET: CLIENT_SECRET, DOOR: DOOR}}]
capability:
  exposes:
  - type: rest
    namespace: front
    port: 0
    authentication: BLOCK
    resources:
    - path: /ships
      operations:
      - {method: GET, outputParameters: [{type: string, value: ships}]}
      - {method: POST, scopes: ['ships:write'], outputParameters: [{type: string, value: made}]}
    - path: /health
      operations:
      - {method: GET, authentication: {type: none}, outputParameters: [{type: string, value: fine}]}
    - path: /admin
      operations:
      - method: GET
        authentication: {type: bearer, token: '{{env.DOOR}}'}
        outputParameters: [{type: string, value: welcome}]
  - type: mcp
    namespace: tools
    port: 0
    authentication: BLOCK
    tools:
    - {name: list-ships, description: List., outputParameters: [{type: string, value: ships}]}
    - {name: make-ship, description: Make., scopes: ['ships:write'], outputParameters: [{type: string, value: made}]}
"""
ENVIRON = {"CLIENT_ID": CLIENT[0], "CLIENT_SECRET": CLIENT[1], "DOOR": "open sesame"}


@dataclass(frozen=True)
class Answer:
    """What came back: ``challenges`` are the WWW-Authenticate headers."""

    status: int
    headers: http.client.HTTPMessage
    body: Any

    @property
    def challenges(self) -> list[str]:
        return self.headers.get_all("www-authenticate") or []


@dataclass(frozen=True)
class Doors:
    """The ports of a served document, and requests to them."""

    ports: dict[str, int]

    def ask(self, kind: str, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[kind], timeout=10)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        is_json = data and "json" in (response.headers.get("content-type") or "")
        return Answer(response.status, response.headers, json.loads(data) if is_json else data.decode())

    def rest(self, token: str = "", path: str = "/ships", method: str = "GET") -> Answer:
        return self.ask("rest", path, method, **({"Authorization": f"Bearer {token}"} if token else {}))

    def mcp(self, token: str, method: str, **params: Any) -> Answer:
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        kind = "application/json"
        accept = "application/json, text/event-stream"
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return self.ask("mcp", "/mcp", "POST", message, Content_Type=kind, Accept=accept, **bearer)


Serve = Callable[..., AbstractContextManager[Doors]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serve a document in a thread: the one above with an authentication block, or another text."""

    @contextmanager
    def serve(block: Mapping[str, Any] | None = None, text: str = DOCUMENT, **options: Any) -> Iterator[Doors]:
        path = tmp_path / f"{secrets.token_hex(4)}.yaml"
        path.write_text(text.replace("BLOCK", json.dumps(block)), encoding="utf-8")
        with serving(Settings(given=Given(environ=ENVIRON), **options), path) as running:
            yield Doors({kind: server.port for kind, server in running.by_kind.items()})

    return serve


@pytest.fixture
def block(authority: AuthorizationServer) -> dict[str, Any]:
    """An oauth2 block that asks for tokens of the authorization server."""
    return {
        "type": "oauth2",
        "authorizationServerUri": authority.issuer,
        "resource": RESOURCE,
        "scopes": ["ships:read"],
    }
