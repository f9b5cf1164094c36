"""Digest: the examples of the RFC, another client's answers, and a server that checks every answer."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import BytesPayload, web
from yarl import URL

from capably.upstream.auth.challenge import read_challenges, read_parameters
from capably.upstream.auth.digest import Digest, Session, answer, read_challenge
from capably.upstream.authenticator import Authenticator
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, Serve

MUFASA = Digest("Mufasa", "Circle of Life")


def get(url: str) -> Request:
    return Request("GET", url, (), None)


def authorization(request: Request) -> str:
    (value,) = [value for name, value in request.headers if name == "Authorization"]
    return value


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    opaque, cnonce = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    session = Session("http-auth@example.org", nonce, algorithm, "auth", cnonce, opaque, count=1)
    stated = read_parameters(authorization(answer(MUFASA, session, get("http://www.example.org/dir/index.html"))))
    assert stated["response"] == response
    assert (stated["nc"], stated["uri"], stated["opaque"]) == ("00000001", "/dir/index.html", opaque)


@pytest.mark.parametrize(
    ("algorithm", "qop"),
    [*product(["MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS"], ["auth", "auth-int"]), ("MD5", ""), ("SHA-256", "")],
)
async def test_every_algorithm_gives_what_aiohttps_own_client_gives(algorithm: str, qop: str) -> None:
    other = aiohttp.DigestAuthMiddleware("Müller", "pässword")
    challenge: Any = {"realm": "a, b", "nonce": "n0", "algorithm": algorithm} | ({"qop": qop} if qop else {})
    other._challenge = challenge
    url = "http://a.test/x%20y?z=1&y=%2F"
    theirs = read_parameters(await other._encode("POST", URL(url, encoded=True), BytesPayload(b"body")))
    session = Session("a, b", "n0", algorithm, qop, cnonce=theirs.get("cnonce", "c"), count=1)
    ours = authorization(answer(Digest("Müller", "pässword"), session, Request("POST", url, (), b"body")))
    assert read_parameters(ours)["response"] == theirs["response"]


def test_a_name_that_is_not_ascii_and_a_name_that_is_to_be_hidden() -> None:
    session = Session("r", "n", "SHA-256", "auth", "c", count=1)
    jason = Digest("Jäsøn Doe", "Secret, or not?")
    assert "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe" in authorization(answer(jason, session, get("http://a.test/")))
    hidden = Session("r", "n", "SHA-256", "auth", "c", hides_user=True, count=1)
    stated = read_parameters(authorization(answer(jason, hidden, get("http://a.test/"))))
    assert stated["username"] == hashlib.sha256("Jäsøn Doe:r".encode()).hexdigest()
    assert stated["userhash"] == "true"


def test_challenges_are_read_from_any_arrangement_of_headers() -> None:
    values = [
        'Negotiate YII==, Basic realm="a, \\"b\\"", Digest realm=x, nonce = "n,1" , qop="auth,auth-int"',
        "Bearer",
    ]
    assert read_challenges(values) == [
        ("negotiate", {}),
        ("basic", {"realm": 'a, "b"'}),
        ("digest", {"realm": "x", "nonce": "n,1", "qop": "auth,auth-int"}),
        ("bearer", {}),
    ]


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="a"',
        "Digest realm=a",
        "Digest nonce=n, algorithm=ROT13",
        "Digest nonce=n, qop=later",
        "",
        ",,=",
        "é",
    ],
)
def test_what_cannot_be_answered_is_no_challenge(value: str) -> None:
    assert read_challenge((("www-authenticate", value),), "c") is None


def test_the_first_challenge_that_can_be_answered_is_taken() -> None:
    headers = [("www-authenticate", f'Digest nonce="{n}", algorithm={n}') for n in ("SHA-512-256", "SHA-256", "MD5")]
    challenged = read_challenge(headers, "c")
    assert challenged is not None
    assert challenged.session.algorithm == "SHA-256"


@dataclass
class Protected:
    """A server that checks answers with what it knows: the hash of the password, its nonces, the counts it has seen."""

    algorithm: str = "SHA-256"
    realm: str = 'a "b", c'
    qop: str = "auth, auth-int"
    uses: int = 1000
    rejects: bool = False
    names_next: bool = False
    seen: set[tuple[str, str]] = field(default_factory=set)
    nonces: dict[str, int] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.Response:
        await request.read()
        status, stale = self.judge(request)
        self.statuses.append(status)
        if status == 200:
            headers = {"Authentication-Info": f'nextnonce="{self.nonce()}"'} if self.names_next else {}
            return web.json_response({"ok": True}, headers=headers)
        realm = self.realm.replace('"', '\\"')
        challenge = f'Digest realm="{realm}", qop="{self.qop}", nonce="{self.nonce()}", algorithm={self.algorithm}'
        return web.Response(status=status, headers={"WWW-Authenticate": challenge + (", stale=TRUE" if stale else "")})

    def nonce(self) -> str:
        nonce = secrets.token_urlsafe()
        self.nonces[nonce] = self.uses
        return nonce

    def judge(self, request: web.Request) -> tuple[int, bool]:
        stated = read_parameters(request.headers.get("Authorization", "").removeprefix("Digest "))
        if not stated or self.rejects:
            return 401, False
        nonce, count = stated["nonce"], stated["nc"]
        if stated["response"] != self.expected(request, stated) or stated["uri"] != request.raw_path:
            return 401, False
        if self.nonces.get(nonce, 0) <= 0 or (nonce, count) in self.seen:
            return 401, True
        self.nonces[nonce] -= 1
        self.seen.add((nonce, count))
        return 200, False

    def expected(self, request: web.Request, stated: dict[str, str]) -> str:
        name = "sha256" if "256" in self.algorithm else "md5"

        def h(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        first = h(f"ada:{self.realm}:lovelace")
        if self.algorithm.endswith("-sess"):
            first = h(f"{first}:{stated['nonce']}:{stated['cnonce']}")
        second = h(f"{request.method}:{request.raw_path}")
        return h(f"{first}:{stated['nonce']}:{stated['nc']}:{stated['cnonce']}:{stated['qop']}:{second}")


ADA = Digest("ada", "lovelace")


async def test_the_server_of_these_tests_gets_along_with_another_client(serve: "Serve") -> None:
    url = await serve(Protected(qop="auth"))
    digest = aiohttp.DigestAuthMiddleware("ada", "lovelace")
    async with aiohttp.ClientSession(middlewares=(digest,)) as session, session.get(url + "/x?y=1") as response:
        assert response.status == 200


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
async def test_a_challenge_is_answered_once_and_its_nonce_used_again(
    algorithm: str, serve: "Serve", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    server = Protected(algorithm)
    url = await serve(server)
    scheme = compile_block({"type": "digest", "username": "ada", "password": "{{P}}"}, {"P": "lovelace"}).scheme
    for number in range(4):
        request = Request("POST", f"{url}/a%2Fb?n={number}", (("Content-Type", "text/plain"),), b"body")
        assert (await authenticator.send(scheme, request)).status == 200
    assert server.statuses == [401, 200, 200, 200, 200]


async def test_an_answer_for_a_nonce_that_is_over_is_given_anew(serve: "Serve", authenticator: Authenticator) -> None:
    server = Protected(uses=2)
    url = await serve(server)
    replies = [await authenticator.send(ADA, get(url)) for _ in range(5)]
    assert [reply.status for reply in replies] == [200] * 5
    assert server.statuses == [401, 200, 200, 401, 200, 200, 401, 200]


async def test_the_next_nonce_is_the_one_the_server_names(serve: "Serve", authenticator: Authenticator) -> None:
    server = Protected(uses=1, names_next=True)
    url = await serve(server)
    for _ in range(3):
        await authenticator.send(ADA, get(url))
    assert server.statuses == [401, 200, 200, 200]


async def test_a_wrong_password_is_told_after_one_answer_and_not_tried_on(
    serve: "Serve", authenticator: Authenticator
) -> None:
    server = Protected(rejects=True)
    url = await serve(server)
    assert (await authenticator.send(ADA, get(url))).status == 401
    assert server.statuses == [401, 401]


async def test_calls_at_the_same_time_never_count_the_same(serve: "Serve", authenticator: Authenticator) -> None:
    server = Protected()
    url = await serve(server)
    await authenticator.send(ADA, get(url))
    replies = await asyncio.gather(*(authenticator.send(ADA, get(url)) for _ in range(20)))
    assert {reply.status for reply in replies} == {200}
    assert server.statuses == [401, *[200] * 21]


async def test_an_answer_goes_to_its_origin_only(serve: "Serve", authenticator: Authenticator) -> None:
    here, there = Protected(), Protected()
    for server in (here, there):
        await authenticator.send(ADA, get(await serve(server)))
    assert here.statuses == there.statuses == [401, 200]


async def test_another_refusal_than_a_challenge_is_passed_on(serve: "Serve", authenticator: Authenticator) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"why": "no"}, status=401)

    reply = await authenticator.send(ADA, get(await serve(refuse)))
    assert (reply.status, reply.body) == (401, b'{"why": "no"}')
