"""Asking an authorization server: discovery, keys that change, introspection, and servers that do not answer."""

import asyncio
import json
from typing import Any

import pytest
from joserfc.jwk import KeySet, OctKey

from capably.plan.gate_oauth2 import Introspection, Jwks, OAuthGate
from capably.plan.outcome import Fault
from capably.servers.gatekeeper.authority import LIFE_S, PATIENCE_S, STALE_S
from capably.servers.gatekeeper.claims import TokenRefusedError
from capably.servers.gatekeeper.signatures import read_keys
from capably.servers.gatekeeper.validators import KEPT_S, TokenChecker
from capably.upstream.reply import Reply, Trouble, UpstreamError
from capably.upstream.request import Request

DISCOVERY = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize("well_known", [DISCOVERY, "/.well-known/openid-configuration"])
def test_the_keys_are_found_by_either_discovery(serve: Any, block: Any, authority: Any, well_known: str) -> None:
    authority.well_known = well_known
    with serve(block) as doors:
        assert doors.rest(authority.token()).status == 200


def test_a_stated_address_of_the_keys_needs_no_discovery(serve: Any, block: Any, authority: Any) -> None:
    with serve(block | {"jwksUri": f"{authority.issuer}/jwks"}) as doors:
        assert doors.rest(authority.token()).status == 200
    assert authority.asked == {"/jwks": 1}


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example.com"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/keys"},
        {"jwks_uri": "/keys"},
    ],
)
def test_metadata_that_cannot_be_trusted_is_not_used(
    serve: Any, block: Any, authority: Any, metadata: dict[str, Any], caplog: Any
) -> None:
    authority.metadata = metadata
    with serve(block) as doors:
        answer = doors.rest(authority.token())
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert answer.body["title"] == "The caller cannot be checked now"
    assert authority.asked["/jwks"] == 0
    assert "no keys of the authorization server" in caplog.text


def test_keys_that_are_replaced_are_found_at_once(serve: Any, block: Any, authority: Any, key_of: Any) -> None:
    with serve(block) as doors:
        old = authority.token()
        assert doors.rest(old).status == 200
        authority.keys.insert(0, key_of("RSA"))
        assert doors.rest(authority.token()).status == 200
        assert authority.asked["/jwks"] == 2


class World:
    """An authorization server without a network, and a clock that is set by hand."""

    def __init__(self, authority: Any) -> None:
        self.authority = authority
        self.now = 1_800_000_000.0
        self.asked: list[str] = []
        self.trouble: UpstreamError | None = None
        jwks = Jwks("https://login.test/jwks", ("RS256", "ES256"))
        gate = OAuthGate("https://login.test", "https://login.test", "r", "r", (), jwks, leeway_s=0)
        self.checker = TokenChecker(gate, self.fetch, lambda: self.now)

    async def fetch(self, request: Request) -> Reply:
        self.asked.append(request.url)
        await asyncio.sleep(0.01)
        if self.trouble is not None:
            raise self.trouble
        keys = KeySet(list(self.authority.keys)).as_dict(private=False)
        return Reply(200, (), json.dumps(keys).encode())

    def token(self, **changes: Any) -> str:
        end = int(self.now) + 100_000
        token: str = self.authority.token(**{"iss": "https://login.test", "aud": "r", "exp": end, **changes})
        return token


@pytest.fixture
def world(authority: Any) -> World:
    return World(authority)


async def test_keys_are_read_once_however_many_callers_wait(world: World) -> None:
    await asyncio.gather(*(world.checker.check(world.token(sub=str(number))) for number in range(20)))
    assert len(world.asked) == 1


async def test_a_flood_of_unknown_keys_asks_once_in_a_while(world: World) -> None:
    await world.checker.check(world.token())
    for round_number in (1, 2, 3):
        flood = [world.token(header={"kid": f"{round_number}-{number}"}) for number in range(50)]
        ends = await asyncio.gather(*(world.checker.check(token) for token in flood), return_exceptions=True)
        assert {str(end) for end in ends} == {"the signature of the token is not right"}
        assert len(world.asked) == 1 + round_number
        world.now += PATIENCE_S


async def test_keys_are_read_again_after_their_life(world: World, key_of: Any) -> None:
    await world.checker.check(world.token())
    world.now += LIFE_S + 1
    withdrawn = world.token(sub="bob")
    world.authority.keys[:] = [key_of("EC")]
    with pytest.raises(TokenRefusedError, match="signature"):
        await world.checker.check(withdrawn)


async def test_keys_outlast_an_authorization_server_that_does_not_answer_but_not_for_ever(world: World) -> None:
    await world.checker.check(world.token())
    world.trouble = UpstreamError(Trouble.TIMEOUT, "no answer")
    world.now += LIFE_S + 1
    for number in range(5):
        assert (await world.checker.check(world.token(sub=str(number)))).principal.subject == f"sub:{number}"
    assert len(world.asked) == 2, "asked again once, then left alone for a while"
    world.now += STALE_S
    with pytest.raises(Fault) as refused:
        await world.checker.check(world.token(sub="late"))
    assert refused.value.status == 503


async def test_a_token_is_not_taken_a_moment_longer_than_it_lasts(world: World) -> None:
    token = world.token(exp=int(world.now) + 5)
    await world.checker.check(token)
    world.now += 4
    await world.checker.check(token)
    world.now += 1
    with pytest.raises(TokenRefusedError, match="expired"):
        await world.checker.check(token)


def test_keys_that_cannot_check_signatures_are_left_out(key_of: Any) -> None:
    good = key_of("EC").as_dict(private=False)
    others = [
        OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True),
        key_of("EC").as_dict(private=True),
        key_of("RSA").as_dict(private=False) | {"use": "enc"},
        key_of("EC").as_dict(private=False) | {"key_ops": ["sign"]},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "?", "y": "?"},
        {"kty": "post-quantum"},
        {"kty": ["RSA"]},
        7,
    ]
    assert [key.id for key in read_keys(json.dumps({"keys": [*others, good]}).encode())] == [good["kid"]]


@pytest.fixture
def asking(block: Any) -> dict[str, Any]:
    """The block of a server that asks about tokens."""
    client = {"clientId": "{{env.CLIENT_ID}}", "clientSecret": "{{env.CLIENT_SECRET}}"}
    return {**block, **client, "tokenValidation": "introspection"}


@pytest.mark.parametrize("way", ["header", "body"])
def test_the_authorization_server_is_asked_about_tokens(serve: Any, asking: Any, authority: Any, way: str) -> None:
    token, gone = authority.opaque(), authority.opaque(scope="ships:read", exp=1)
    stranger, other = authority.opaque(iss="https://evil.example.com"), authority.opaque(aud="bank")
    with serve({**asking, "clientAuthentication": way}) as doors:
        for _ in range(3):
            assert doors.rest(token).status == 200
        assert authority.asked["/introspect"] == 1
        reasons = [doors.rest(each).body["detail"] for each in ("unknown", gone, stranger, other)]
    assert reasons == [
        "the token is not active",
        "the token has expired",
        "the token is from another issuer",
        "the token is for another audience",
    ]


def test_a_server_that_is_refused_by_the_authorization_server_lets_nobody_in(
    serve: Any, asking: Any, authority: Any, caplog: Any
) -> None:
    token = authority.opaque()
    with serve({**asking, "clientSecret": "wrong{{env.DOOR}}"}) as doors:
        assert doors.rest(token).status == 503
    assert "status 401, no answer to an introspection" in caplog.text
    assert token not in caplog.text


def test_a_stated_endpoint_needs_no_discovery(serve: Any, asking: Any, authority: Any) -> None:
    token = authority.opaque(exp=None, iss=None)
    with serve({**asking, "introspectionEndpoint": f"{authority.issuer}/introspect"}) as doors:
        assert doors.rest(token).status == 200
    assert authority.asked == {"/introspect": 1}


def asked_about(claims: dict[str, Any]) -> tuple[TokenChecker, list[str], list[float]]:
    """A checker that introspects tokens of which always the same is said; what was asked, and the clock."""
    asked: list[str] = []
    clock = [1_800_000_000.0]

    async def fetch(request: Request) -> Reply:
        asked.append(request.url)
        await asyncio.sleep(0.01)
        return Reply(200, (), json.dumps(claims).encode())

    way = Introspection("https://login.test/introspect", "id", "secret")
    gate = OAuthGate("https://login.test", "https://login.test", "r", "r", (), way)
    return TokenChecker(gate, fetch, lambda: clock[0]), asked, clock


async def test_callers_with_one_token_wait_for_one_answer_which_is_kept_for_a_while() -> None:
    claims = {"active": True, "aud": "r", "sub": "ann"}
    checker, asked, clock = asked_about(claims)
    await asyncio.gather(*(checker.check("token") for _ in range(20)))
    assert len(asked) == 1
    claims["active"] = False
    clock[0] += KEPT_S - 1
    await checker.check("token")
    clock[0] += 1
    with pytest.raises(TokenRefusedError, match="not active"):
        await checker.check("token")


async def test_good_tokens_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capably.servers.gatekeeper.validators._MOST_KEPT", 10)
    checker, asked, _clock = asked_about({"active": True, "aud": "r"})
    for number in range(30):
        await checker.check(f"opaque-{number}")
    assert len(checker._good) == 10
    await checker.check("opaque-29")
    assert len(asked) == 30
    assert "opaque" not in repr(checker._good), "the token itself is not kept"


async def test_a_server_without_metadata_is_not_asked_for_it_by_every_caller() -> None:
    asked: list[str] = []

    async def fetch(request: Request) -> Reply:
        asked.append(request.url)
        return Reply(404, (), b"")

    gate = OAuthGate("https://login.test", "https://login.test", "r", "r", (), Introspection("", "id", "secret"))
    checker = TokenChecker(gate, fetch, lambda: 1_800_000_000.0)
    for number in range(5):
        with pytest.raises(Fault, match="cannot be checked"):
            await checker.check(str(number))
    assert sorted(set(asked)) == sorted(asked)


def test_an_authorization_server_that_is_down_is_told_as_such(
    serve: Any, asking: Any, block: Any, authority: Any
) -> None:
    authority.is_down = True
    for each in (asking, block):
        with serve(each) as doors:
            assert doors.rest(authority.token()).status == 503
            assert doors.mcp(authority.token(), "tools/list").status == 503
            assert doors.rest().status == 401
