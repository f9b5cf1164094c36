"""Whatever callers send, they are refused with a fault or let in as they should be; nothing breaks."""

import json
import string
from typing import Any, TypeGuard

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from capably.plan.gate import DigestGate, SecretGate
from capably.plan.gate_oauth2 import Jwks, OAuthGate
from capably.plan.outcome import Fault
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.gatekeeper.claims import TokenRefusedError, admitted
from capably.servers.gatekeeper.signatures import fitting, read_header, read_keys, verified_claims
from capably.upstream.reply import Reply
from capably.upstream.request import Request

NOW = 1_800_000_000.0
ISSUER, RESOURCE = "https://login.test", "https://here.test"
GATE = OAuthGate(ISSUER, ISSUER, RESOURCE, RESOURCE, ("a",), Jwks("https://login.test/jwks", ("ES256",)), leeway_s=0)
KEY = ECKey.generate_key("P-256", {"kid": "k"})
KEYS = json.dumps(KeySet([KEY]).as_dict(private=False)).encode()

WORDS = st.text(string.ascii_letters + string.punctuation + " é€", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
HEADER = st.text(string.ascii_letters + string.digits + string.punctuation + ' "=é', max_size=200)
PARTS = ("n", "e", "crv", "x", "y", "kid", "alg", "key_ops", "use")
KEY_LIKE = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])}, optional=dict.fromkeys(PARTS, JSON)
)


def signed(payload: bytes) -> str:
    return jws.serialize_compact({"alg": "ES256", "kid": "k"}, payload, KEY)


def claims_of(token: str) -> Any:
    header = read_header(token, ("ES256",))
    return verified_claims(token, header, fitting(read_keys(KEYS), header))


def likely(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | JSON


CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "exp": likely(NOW, NOW + 1, int(NOW) + 1, NOW - 1, float("inf"), float("nan")),
        "nbf": likely(NOW, NOW - 1, NOW + 1),
        "iss": likely(ISSUER, f"{ISSUER}/"),
        "aud": likely(RESOURCE, [RESOURCE], ["other", f"{RESOURCE}/"]),
        "cnf": likely(None),
        "scope": likely("a", "a b", ["a"]),
        "sub": likely("ann"),
    },
)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_taken(claims: dict[str, Any]) -> bool:
    try:
        found = admitted(GATE, claims, "token", NOW, needs_end=True)
    except TokenRefusedError:
        return False
    assert found.until == claims["exp"]
    assert found.principal.subject
    return True


@given(CLAIMS)
def test_a_token_is_taken_exactly_when_all_its_claims_are_right(claims: dict[str, Any]) -> None:
    audience = claims.get("aud")
    end, begin = claims.get("exp"), claims.get("nbf")
    is_good = (
        is_number(end)
        and NOW < end < float("inf")
        and (begin is None or (is_number(begin) and float("-inf") < begin <= NOW))
        and claims.get("iss") in (ISSUER, f"{ISSUER}/")
        and any(each in (RESOURCE, f"{RESOURCE}/") for each in (audience if isinstance(audience, list) else [audience]))
        and claims.get("cnf") is None
    )
    assert is_taken(claims) == is_good


@given(st.binary(max_size=40).filter(lambda payload: not payload.lstrip().startswith(b"{")))
def test_a_right_signature_under_what_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenRefusedError):
        claims_of(signed(payload))


@given(JSON)
def test_a_right_signature_gives_the_claims_that_were_signed(value: Any) -> None:
    text = json.dumps({"value": value})
    assert claims_of(signed(text.encode())) == json.loads(text)


@given(st.text(string.ascii_letters + "-_.=", min_size=1, max_size=60))
def test_a_token_with_anything_added_is_refused(more: str) -> None:
    good = signed(b"{}")
    assert claims_of(good) == {}
    for token in (more, f"{good}.{more}", f"{more}.{good}", f"{good[:-1]}.{more}"):
        with pytest.raises(TokenRefusedError):
            claims_of(token)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 10_000, b"[]", b"7", b"{}", b'{"keys": {}}'])
def test_what_is_no_key_set_is_told_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="this is no"):
        read_keys(body)


@given(st.lists(JSON | KEY_LIKE, max_size=4))
def test_a_key_is_found_among_whatever_else_is_listed(others: list[Any]) -> None:
    keys = read_keys(json.dumps({"keys": [*others, KEY.as_dict(private=False)]}, default=str).encode())
    assert keys[-1].id == "k"


async def fetch(_request: Request) -> Reply:
    return Reply(200, (), KEYS)


GATES = (
    SecretGate("header", "authorization", "Bearer", "Bearer", b"open"),
    SecretGate("query", "door", "", "", b"open"),
    DigestGate("ann", "open"),
    GATE,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("gate", GATES)
@given(header=HEADER, scheme=st.sampled_from(["", "Bearer ", "Digest ", "Basic "]), query=st.binary(max_size=20))
async def test_whatever_is_sent_is_refused_with_a_fault(gate: Any, header: str, scheme: str, query: bytes) -> None:
    sent = (scheme + header).encode("latin-1")
    scope = {"method": "GET", "raw_path": b"/", "query_string": query, "headers": [(b"authorization", sent)]}
    with pytest.raises(Fault) as refused:
        await Gatekeeper(fetch, lambda: NOW).admit(gate, scope)
    assert refused.value.status in {400, 401}
    for _name, value in refused.value.headers:
        assert value.isascii()
        assert value.isprintable()
