"""Servers that ask for digest authentication (RFC 7616), as curl and our own upstream client see them."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from capably.plan.gate import DigestGate
from capably.plan.outcome import Fault
from capably.servers.gatekeeper.digest import LIFE_S, Asked, Nonces, check_digest
from capably.upstream.auth.digest import Digest, answer, read_challenge
from capably.upstream.request import Request

BLOCK = {"type": "digest", "username": "ann", "password": "{{env.DOOR}}"}
GATE = DigestGate("ann", "open sesame")
URL = "http://here.test/ships?a=1&b=%20"
CHALLENGE = r'Digest realm="capably", qop="auth", algorithm=(SHA-256|MD5), nonce="([\w-]+)", charset=UTF-8'

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")


def test_strangers_are_challenged_for_the_better_algorithm_first(serve: Any) -> None:
    with serve(BLOCK) as doors:
        for answered in (doors.rest(), doors.mcp("", "tools/list"), doors.rest("open sesame")):
            assert answered.status == 401
            found = [re.fullmatch(CHALLENGE, challenge) for challenge in answered.challenges]
            assert [match and match[1] for match in found] == ["SHA-256", "MD5"]


def curl(url: str, *arguments: str) -> str:
    command = [str(CURL), "--silent", "--digest", "--write-out", "\n%{http_code}", *arguments, url]
    return subprocess.run(command, capture_output=True, check=True, timeout=20, text=True).stdout


@needs_curl
def test_curl_gets_in_with_the_password_and_not_without(serve: Any) -> None:
    with serve(BLOCK) as doors:
        url = f"http://127.0.0.1:{doors.ports['rest']}/ships?q=a%20b"
        assert curl(url, "--user", "ann:open sesame") == '"ships"\n200'
        assert curl(url, "--user", "ann:open sesame", "--next", "--silent", url).startswith('"ships"')
        assert curl(url, "--user", "ann:wrong").endswith("\n401")
        assert curl(url, "--user", "bob:open sesame").endswith("\n401")


DOCUMENT = """\
ikanos: 1.0.0-beta4
binds: [{{namespace: env, keys: {{DOOR: DOOR}}}}]
capability:
  consumes:
  - type: http
    namespace: far
    baseUri: http://127.0.0.1:{port}
    authentication: {{type: digest, username: 'änn', password: '{{{{env.DOOR}}}}'}}
    resources: [{{name: ships, path: /ships, operations: [{{name: list, method: GET}}, {{name: make, method: POST}}]}}]
  exposes:
  - type: rest
    namespace: near
    port: 0
    resources:
    - path: /ships
      operations: [{{method: GET, call: far.list}}]
"""


def test_our_own_client_gets_in_and_goes_on_with_one_nonce(serve: Any) -> None:
    with (
        serve(BLOCK | {"username": "änn"}) as doors,
        serve(text=DOCUMENT.format(port=doors.ports["rest"])) as near,
    ):
        assert [near.rest().body for _ in range(5)] == ["ships"] * 5


@dataclass
class Talk:
    """A client and a server, with a clock that is set by hand."""

    now: float = 1_800_000_000.0
    most: int = 100

    def __post_init__(self) -> None:
        self.nonces = Nonces(lambda: self.now, self.most)

    def challenge(self, number: int = 0, authorization: str | None = None) -> str:
        with pytest.raises(Fault) as refused:
            check_digest(GATE, self.nonces, Asked("GET", "/ships?a=1&b=%20", authorization))
        assert refused.value.status == 401
        return refused.value.headers[number][1]

    def signed(self, challenge: str, count: int = 1, password: str = GATE.password) -> str:
        found = read_challenge([("www-authenticate", challenge)], "0123")
        assert found is not None
        session = found.session
        for _ in range(count):
            session = session.next()
        request = answer(Digest("ann", password), session, Request("GET", URL, (), None))
        return dict(request.headers)["Authorization"]

    def take(self, authorization: str, target: str = "/ships?a=1&b=%20") -> str:
        try:
            check_digest(GATE, self.nonces, Asked("GET", target, authorization))
        except Fault as fault:
            if fault.status == 400:
                return "other request"
            return "stale" if "stale=true" in fault.headers[0][1] else "refused"
        return "in"


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.mark.parametrize("number", [0, 1])
def test_a_right_answer_gets_in_once(talk: Talk, number: int) -> None:
    signed = talk.signed(talk.challenge(number))
    assert [talk.take(signed), talk.take(signed)] == ["in", "stale"]


def test_requests_may_overtake_each_other_but_none_comes_twice(talk: Talk) -> None:
    challenge = talk.challenge()
    requests = {count: talk.signed(challenge, count) for count in (1, 2, 3, 5, 200)}
    assert [talk.take(requests[count]) for count in (3, 1, 5, 2, 3, 1)] == ["in", "in", "in", "in", "stale", "stale"]
    assert talk.take(requests[200]) == "in"
    assert talk.take(talk.signed(challenge, 4)) == "stale", "too long ago to know whether it had come"
    assert talk.take(talk.signed(challenge, 199)) == "in"


def test_an_answer_to_an_old_challenge_is_told_to_be_stale(talk: Talk) -> None:
    challenge = talk.challenge()
    assert talk.take(talk.signed(challenge)) == "in"
    talk.now += LIFE_S + 1
    assert talk.take(talk.signed(challenge, 2)) == "stale"
    assert talk.take(talk.signed(challenge, 2, password="wrong")) == "refused", "only who knows the password is told"
    fresh = talk.challenge(authorization=talk.signed(challenge, 3))
    assert talk.take(talk.signed(fresh)) == "in"


def test_a_nonce_of_somebody_else_is_stale(talk: Talk) -> None:
    assert talk.take(talk.signed(Talk().challenge())) == "stale"
    assert talk.take(talk.signed('Digest realm="capably", qop="auth", nonce="bm9uY2U"')) == "stale"
    challenge = talk.challenge()
    respelled = re.sub(r'nonce="([\w-]+)"', r'nonce="\1=="', challenge)
    assert talk.take(talk.signed(respelled)) == "stale"


def test_an_answer_is_good_for_its_own_request_only(talk: Talk) -> None:
    signed = talk.signed(talk.challenge())
    assert talk.take(signed, "/ships?a=2") == "other request"
    with pytest.raises(Fault, match="not known"):
        check_digest(GATE, talk.nonces, Asked("POST", "/ships?a=1&b=%20", signed))
    assert talk.take(signed) == "in"


BROKEN = ["nonce", "uri", "response", "nc", "cnonce", "qop", "realm", "username"]


@pytest.mark.parametrize("part", BROKEN)
def test_an_answer_that_lacks_a_part_is_refused(talk: Talk, part: str) -> None:
    signed = re.sub(rf'(?<![\w]){part}=("[^"]*"|\w+),? ?', "", talk.signed(talk.challenge()))
    assert talk.take(signed) in {"refused", "stale"}


@pytest.mark.parametrize(
    "header", ["", "Digest", "Digest ,", "Basic YW5uOm9wZW4=", "Digest a=b, Digest c=d", "Digest nonce"]
)
def test_what_is_no_answer_is_refused(talk: Talk, header: str) -> None:
    assert talk.take(header) == "refused"


def test_memory_is_bounded_and_forgets_nothing_that_could_be_played_again() -> None:
    talk = Talk(most=10)
    played = []
    for _ in range(50):
        talk.now += 0.01
        played.append(talk.signed(talk.challenge()))
        assert talk.take(played[-1]) == "in"
        assert len(talk.nonces._used) <= 10
    assert {talk.take(signed) for signed in played} == {"stale"}
