"""Schemes that work on each request authenticate forwarded ones too; those that need the whole body wait for it."""

import re
from typing import Any

import pytest

OAUTH2 = {
    "type": "oauth2",
    "clientId": "me",
    "clientSecret": "{{env.KEY}}",
    "grantType": "client_credentials",
}
DIGEST = {"type": "digest", "username": "me", "password": "{{env.KEY}}"}
SIGV4 = {
    "type": "aws-sig-v4",
    "accessKeyId": "AKIA",
    "secretKey": "{{env.KEY}}",
    "region": "eu-west-1",
    "service": "execute-api",
}


class Tokens:
    """An upstream that gives tokens away and takes each only so many times."""

    def __init__(self, good_for: int) -> None:
        self.good_for = good_for
        self.given = 0
        self.used = 0

    def __call__(self, handler: Any) -> None:
        if handler.path == "/token":
            self.given, self.used = self.given + 1, 0
            token = f'{{"access_token": "t{self.given}", "token_type": "Bearer", "expires_in": 3600}}'
            handler.answer(200, token.encode(), ("Content-Type", "application/json"))
        elif handler.headers["Authorization"] == f"Bearer t{self.given}" and self.used < self.good_for:
            self.used += 1
            handler.answer(200, b"ok")
        else:
            handler.answer(401, b"who?")


def oauth2(upstream: Any) -> dict[str, Any]:
    return {"authentication": {**OAUTH2, "tokenEndpoint": f"{upstream.address}/token"}}


def test_a_token_is_fetched_once_and_sent_with_bodies_of_any_kind(serve: Any, upstream: Any) -> None:
    upstream.act = tokens = Tokens(good_for=10)
    served = serve(entry=oauth2(upstream))
    assert served.call("PUT", "/api/ships", iter([b"a" * 100_000, b"b"])).body == b"ok"
    assert served.call("GET", "/api/ships").body == b"ok"
    assert tokens.given == 1
    assert [len(one.body) for one in upstream.seen if one.target != "/token"] == [100_001, 0]


def test_a_token_that_is_refused_is_replaced(serve: Any, upstream: Any) -> None:
    upstream.act = tokens = Tokens(good_for=1)
    served = serve(entry=oauth2(upstream))
    assert [served.call("GET", "/api/ships").status for _ in range(2)] == [200, 200]
    assert tokens.given == 2


def test_a_body_that_is_gone_is_not_sent_again_but_the_next_one_has_a_new_token(serve: Any, upstream: Any) -> None:
    upstream.act = Tokens(good_for=1)
    served = serve(entry=oauth2(upstream))
    answers = [served.call("POST", "/api/ships", b"x") for _ in range(3)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok"), (401, b"who?"), (200, b"ok")]


def test_a_challenge_is_answered_with_the_body_sent_again(serve: Any, upstream: Any) -> None:
    def challenge(handler: Any) -> None:
        answered = handler.headers["Authorization"] or ""
        if re.search(r'uri="/v1/ships\?a=1"', answered):
            handler.answer(200, b"ok")
        else:
            handler.answer(401, b"", ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'))

    upstream.act = challenge
    answer = serve(entry={"authentication": DIGEST}).call("POST", "/api/ships?a=1", iter([b"ah", b"oy"]))
    assert (answer.status, [one.body for one in upstream.seen]) == (200, [b"ahoy", b"ahoy"])


def test_a_signature_covers_the_body(serve: Any, upstream: Any) -> None:
    answer = serve(entry={"authentication": SIGV4}).call("POST", "/api/ships", b"ahoy")
    assert (answer.status, upstream.only.body) == (200, b"ahoy")
    assert upstream.only.named["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA/")


@pytest.mark.parametrize("block", [DIGEST, SIGV4])
def test_a_body_that_has_to_be_whole_is_capped(serve: Any, upstream: Any, block: Any) -> None:
    served = serve(entry={"authentication": block}, body_bytes=1000)
    assert served.call("POST", "/api/ships", b"x" * 1001).status == 413
    assert upstream.seen == []
    assert serve(body_bytes=1000).call("POST", "/api/ships", b"x" * 1001).status == 200
