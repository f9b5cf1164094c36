"""Whatever a document or a server says: a scheme or a diagnostic, a token or a clear error, never a surprise."""

import json
import re
import string
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capably.model.auth import Authentication
from capably.model.fields import values_of
from capably.upstream.auth.challenge import read_challenges, read_parameters
from capably.upstream.auth.digest import Digest, answer, read_challenge
from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.auth.table import ALIASES, NAMES
from capably.upstream.auth.tokens import Token, TokenError, metadata_requests, read_endpoint, read_token
from capably.upstream.reply import Reply
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock

Result = TypeVar("Result")
KEYS = [field.metadata["key"] for field in Authentication.__dataclass_fields__.values() if "key" in field.metadata]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f", max_codepoint=0xFFFF), max_size=12)
written = st.sampled_from(
    [
        *("{{A}}", "{{EMPTY}}", "https://id.test/token", "header", "body", "password", "refresh_token", "RSA-SHA1"),
        *("-----BEGIN PRIVATE KEY-----", "{method}", "{signature}", "client.pem", "", "  ", "<A>", "a\nb"),
    ]
)
values = st.one_of(
    written,
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.lists(written, max_size=2),
    st.dictionaries(texts, written),
)
blocks = st.builds(
    lambda name, rest: {**rest, "type": name},
    st.sampled_from([*NAMES, *ALIASES]),
    st.dictionaries(st.sampled_from(KEYS[1:]), values, max_size=10),
)
OAUTH2 = OAuth2("client_credentials", "https://id.test/token", "", "me", "s3cret")


def result_of(read: Callable[[], Result]) -> Result | TokenError:
    try:
        return read()
    except TokenError as problem:
        return problem


def test_every_key_is_known_once() -> None:
    assert len(KEYS) == len(set(KEYS)) == len(values_of(Authentication))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(block=blocks, reveals=st.booleans())
@example(block={"type": "oauth2", "clientAuthentication": "{{A}}"}, reveals=True)
@example(block={"type": "apikey", "placement": "{{A}}", "key": "k", "value": "v"}, reveals=True)
@example(block={"type": "apikey", "key": "{{A}} {{A}}", "value": "v"}, reveals=True)
def test_any_block_gives_credentials_or_a_diagnostic(
    compile_block: "CompileBlock", block: dict[str, Any], *, reveals: bool
) -> None:
    compiled = compile_block(block, {"A": "s3cret-0123", "EMPTY": ""} if reveals else None)
    assert "s3cret-0123" not in repr(compiled.found)
    scheme: Any = compiled.credentials.scheme
    if any(item.is_error for item in compiled.found) or scheme is None:
        return
    request = Request("POST", "https://up.test/a?b=c", (("Content-Type", "text/plain"),), b"body")
    names = {name.lower() for name, _value in scheme.preview(request).headers}
    assert names <= {"content-type", *scheme.headers}
    if hasattr(scheme, "sign"):
        try:
            signed = scheme.sign(request, 1_700_000_000.5, "0" * 32)
        except ValueError:  # a key that cannot sign, which the authenticator tells
            return
        assert {name.lower() for name, _value in signed.headers} <= {"content-type", "host", *scheme.headers}
        assert not any(re.search(r"[\r\n]", value) for _name, value in signed.headers)
        assert (signed.url, signed.body) == (request.url, request.body)


@given(value=texts | st.text(alphabet='Digest nonce="x,\\ =realm', max_size=60))
def test_any_challenge_is_read_and_answered_or_left(value: str) -> None:
    read_challenges([value])
    read_parameters(value)
    challenged = read_challenge([("www-authenticate", f"Digest nonce=n, {value}")], "c")
    if challenged is not None:
        answer(Digest("a", "b"), challenged.session.next(), Request("GET", "https://up.test", (), None))


@given(status=st.sampled_from([200, 400, 401, 500]), body=st.binary(max_size=60))
def test_any_answer_of_a_token_endpoint_is_a_token_or_a_clear_error(status: int, body: bytes) -> None:
    result = result_of(lambda: read_token(OAUTH2, Reply(status, (), body), 0.0))
    assert isinstance(result, Token) or str(result).isprintable()


@given(issuer=st.sampled_from(["https://id.test", "https://id.test/a/", "x"]), body=st.binary(max_size=60))
def test_any_metadata_is_read_or_refused(issuer: str, body: bytes) -> None:
    assert metadata_requests(issuer)
    result = result_of(lambda: read_endpoint(issuer, Reply(200, (), body)))
    assert result is None or isinstance(result, str) or result.code == "invalid_metadata"


@given(secret=st.text(string.digits + string.punctuation + " ", min_size=6).filter(lambda text: text.strip("* ")))
def test_no_message_repeats_a_secret(secret: str) -> None:
    scheme = OAuth2("password", "https://id.test", "", "me", secret, username="ada", password=secret)
    assert secret not in repr(scheme)
    text = json.dumps({"error": "no", "error_description": f"x {secret}{secret} y"})
    with pytest.raises(TokenError) as caught:
        read_token(scheme, Reply(400, (), text.encode()), 0.0)
    assert str(caught.value) == "no: x ****** y"
