"""Servers that are OAuth 2.1 resource servers: which signed tokens they take."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

METADATA = "https://fleet.example.com/.well-known/oauth-protected-resource/mcp"
CHALLENGE = f'Bearer resource_metadata="{METADATA}", scope="ships:read"'


def refusal(reason: str) -> str:
    told = f'error="invalid_token", error_description="{reason}"'
    return f'Bearer {told}, resource_metadata="{METADATA}", scope="ships:read"'


def text_of(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_caller_without_a_token_is_led_to_the_authorization_server(serve: Any, block: Any, authority: Any) -> None:
    with serve(block) as doors:
        for answer in (doors.rest(), doors.rest(path="/no-such-path"), doors.mcp("", "tools/list")):
            assert (answer.status, answer.challenges) == (401, [CHALLENGE])
            assert authority.issuer in answer.body["detail"]
    assert not authority.asked, "nothing has to be known to refuse who has no token"


def test_a_good_token_opens_both_servers(serve: Any, block: Any, authority: Any) -> None:
    token = authority.token()
    with serve(block) as doors:
        for _ in range(3):
            assert (doors.rest(token).status, doors.rest(token).body) == (200, "ships")
            assert "result" in doors.mcp(token, "tools/list").body
    assert authority.asked == {"/.well-known/oauth-authorization-server": 1, "/jwks": 1}, "each asked for once"


@pytest.mark.parametrize("kind", ["EC", "OKP"])
def test_keys_of_other_kinds_sign_as_well(serve: Any, block: Any, authority: Any, key_of: Any, kind: str) -> None:
    authority.keys.append(key_of(kind))
    with serve(block) as doors:
        assert doors.rest(authority.token(key=authority.keys[1])).status == 200
        older_name = {"alg": "EdDSA"} if kind == "OKP" else None
        assert doors.rest(authority.token(key=authority.keys[1], header=older_name)).status == 200


def test_a_token_that_names_no_key_is_checked_with_those_there_are(
    serve: Any, block: Any, authority: Any, key_of: Any
) -> None:
    authority.keys.append(key_of("RSA"))
    with serve(block) as doors:
        assert doors.rest(authority.token(key=authority.keys[1], header={"kid": None})).status == 200


def test_an_audience_of_its_own_replaces_the_resource(serve: Any, block: Any, authority: Any) -> None:
    with serve(block | {"audience": "fleet"}) as doors:
        assert doors.rest(authority.token(aud=["other", "fleet"])).status == 200
        assert doors.rest(authority.token()).challenges == [refusal("the token is for another audience")]


def test_tokens_may_call_their_issuer_by_another_name(serve: Any, block: Any, authority: Any) -> None:
    with serve(block | {"issuer": "https://login.example.com"}) as doors:
        assert doors.rest(authority.token(iss="https://login.example.com/")).status == 200
        assert doors.rest(authority.token()).challenges == [refusal("the token is from another issuer")]


NOW = time.time()
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": int(NOW) - 60}, "the token has expired"),
    "without an end": ({"exp": None}, "the token does not say when it ends"),
    "with an end that is no moment": ({"exp": "never"}, "the claim exp of the token is no moment"),
    "with an end that is true": ({"exp": True}, "the claim exp of the token is no moment"),
    "not valid yet": ({"nbf": int(NOW) + 600}, "the token is not valid yet"),
    "for another audience": ({"aud": "https://bank.example.com"}, "the token is for another audience"),
    "for no audience": ({"aud": None}, "the token is for another audience"),
    "for many other audiences": ({"aud": ["a", 1, None]}, "the token is for another audience"),
    "from another issuer": ({"iss": "https://evil.example.com"}, "the token is from another issuer"),
    "from no issuer": ({"iss": None}, "the token is from another issuer"),
    "bound to a key": ({"cnf": {"jkt": "x"}}, "the token is bound to a key, which this server cannot check"),
    "of another kind": ({"header": {"typ": "logout+jwt"}}, "the token is no access token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_token_is_refused_that_is(serve: Any, block: Any, authority: Any, case: str) -> None:
    changes, reason = REFUSED[case]
    with serve(block) as doors:
        answer = doors.rest(authority.token(**changes))
        assert (answer.status, answer.challenges) == (401, [refusal(reason)])
        assert answer.body["detail"] == reason


def test_clocks_may_differ_by_as_much_as_the_document_says(serve: Any, block: Any, authority: Any) -> None:
    late, early = authority.token(exp=int(time.time()) - 20), authority.token(nbf=int(time.time()) + 20)
    with serve(block) as doors:
        assert [doors.rest(late).status, doors.rest(early).status] == [200, 200]
    with serve(block | {"leeway": 0}) as doors:
        assert [doors.rest(late).status, doors.rest(early).status] == [401, 401]


def forged(authority: Any, algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    head = {"alg": algorithm, "kid": authority.keys[0].kid, "typ": "at+jwt"}
    covered = f"{text_of(head)}.{text_of(authority.claims())}"
    signature = base64.urlsafe_b64encode(sign(covered.encode())).decode().rstrip("=")
    return f"{covered}.{signature}"


def test_no_token_chooses_how_it_is_checked(serve: Any, block: Any, authority: Any) -> None:
    """The two forgeries of RFC 8725, section 2.1: no signature, and an HMAC with the public key."""
    public = authority.keys[0].as_pem(private=False)
    reason = "the token is signed with an algorithm that is not allowed here"
    keys = (public, public.strip(), authority.keys[0].as_dict(private=False)["n"].encode())
    forgeries = [forged(authority, name, lambda _covered: b"") for name in ("none", "None", "nonE")]
    forgeries += [forged(authority, "HS256", partial(hmac.digest, key, digest="sha256")) for key in keys]
    with serve(block) as doors:
        for token in forgeries:
            assert doors.rest(token).challenges == [refusal(reason)]
            assert doors.mcp(token, "tools/list").status == 401


def test_a_tampered_token_is_refused(serve: Any, block: Any, authority: Any, key_of: Any) -> None:
    head, claims, signature = authority.token().split(".")
    more = text_of(authority.claims(scope="ships:read ships:write"))
    reason = "the signature of the token is not right"
    with serve(block) as doors:
        assert doors.rest(f"{head}.{more}.{signature}").challenges == [refusal(reason)]
        assert doors.rest(f"{head}.{claims}.{signature[:-8]}AAAAAAAA").challenges == [refusal(reason)]
        assert doors.rest(f"{head}.{claims}.").challenges == [refusal(reason)]
        stranger = key_of("RSA")
        borrowed = authority.token(key=stranger, header={"kid": authority.keys[0].kid})
        assert doors.rest(borrowed).challenges == [refusal(reason)]
        assert doors.rest(f"{head}.{claims}.{signature}").status == 200


@pytest.mark.parametrize(
    "token",
    ["x", "a.b", "a.b.c", "....", f"{text_of([])}.e30.e30", f"{text_of({'alg': 7})}.e30.e30", "é.é.é", "a" * 20_000],
)
def test_what_is_no_token_is_refused_briefly(serve: Any, block: Any, authority: Any, token: str) -> None:
    with serve(block) as doors:
        answer = doors.rest(token)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.challenges[0]
        assert token not in json.dumps(answer.body) or token == "x"
    assert not authority.asked


def test_only_the_algorithms_of_the_document_are_allowed(serve: Any, block: Any, authority: Any, key_of: Any) -> None:
    authority.keys.append(key_of("EC"))
    with serve(block | {"algorithms": ["ES256"]}) as doors:
        assert doors.rest(authority.token(key=authority.keys[1])).status == 200
        assert doors.rest(authority.token()).status == 401


def test_a_token_in_the_query_is_no_token(serve: Any, block: Any, authority: Any) -> None:
    with serve(block) as doors:
        assert doors.rest(path=f"/ships?access_token={authority.token()}").status == 401


def test_nothing_of_a_token_is_logged(serve: Any, block: Any, authority: Any, caplog: Any) -> None:
    tokens = [authority.token(), authority.token(exp=1), authority.token(header={"kid": "unknown"})]
    caplog.set_level("DEBUG")
    with serve(block) as doors:
        for token in tokens:
            doors.rest(token)
    for token in tokens:
        assert not any(part in caplog.text for part in token.split("."))
