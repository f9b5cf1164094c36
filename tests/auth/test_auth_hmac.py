"""HMAC headers: signatures as a document describes them, and Veracode's published scheme."""

import hashlib
import hmac
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from capably.upstream.auth.hmac_header import HmacHeader, Veracode
from capably.upstream.authenticator import Authenticator
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, Serve

BLOCK = {
    "type": "hmac",
    "keyId": "{{ID}}",
    "secret": "{{SECRET}}",
    "header": "Authorization",
    "value": 'HMAC keyId="{keyId}", signature="{signature}"',
    "headers": {"X-Timestamp": "{timestamp}", "X-Nonce": "{nonce}"},
    "signs": "{method} {path}?{query}\n{host}\n{timestamp}:{nonce}\n{bodyHash}",
    "encoding": "base64",
}
VALUES = {"ID": "me", "SECRET": "s3cret"}


async def test_a_server_that_knows_the_secret_takes_what_the_block_describes(
    serve: "Serve", authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    async def check(request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        moment, nonce = request.headers["X-Timestamp"], request.headers["X-Nonce"]
        hashed = hashlib.sha256(await request.read()).hexdigest()
        text = f"{request.method} {path}?{query}\n{request.host}\n{moment}:{nonce}\n{hashed}"
        signature = b64encode(hmac.digest(b"s3cret", text.encode(), "sha256")).decode()
        is_right = request.headers["Authorization"] == f'HMAC keyId="me", signature="{signature}"'
        return web.Response(status=204 if is_right else 401)

    url = await serve(check)
    scheme = compile_block(BLOCK, VALUES).scheme
    for body in (None, b'{"a": "\xc3\xa9"}'):
        request = Request("POST", f"{url}/a%20b?x=1&y=%2F", (), body)
        assert (await authenticator.send(scheme, request)).status == 204


def test_without_templates_the_usual_parts_are_signed(compile_block: "CompileBlock") -> None:
    scheme = compile_block({"type": "hmac", "secret": "{{SECRET}}", "algorithm": "SHA-512"}, VALUES).scheme
    assert isinstance(scheme, HmacHeader)
    request = Request("PUT", "https://a.test/x?y=1", (), b"\xff body")
    headers = dict(scheme.sign(request, 12.9, "0" * 32).headers)
    assert headers == {"X-Signature": hmac.new(b"s3cret", b"PUT\n/x?y=1\n12\n\xff body", "sha512").hexdigest()}


def test_every_hole_has_its_part_of_the_request() -> None:
    holes = "{method} {path} {query} {target} {host} {url} {timestamp} {milliseconds} {date} {nonce} {keyId}"
    scheme = HmacHeader("s", "{body}", (("X", holes),), "me")
    request = Request("GET", "https://A.test:8443/p?q=1", (), None)
    assert dict(scheme.sign(request, 86_400.5, "n").headers)["X"] == (
        "GET /p q=1 /p?q=1 a.test:8443 https://A.test:8443/p?q=1 86400 86400500 1970-01-02T00:00:00Z n me"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"secret": ""}, ("AUT002", "`hmac` authentication needs `secret`")),
        ({"secret": "{{EMPTY}}"}, ("AUT004", "`secret` is empty: nothing would be authenticated")),
        ({"signs": "{methd}"}, ("AUT005", "`signs` holds `{methd}`, which means nothing")),
        ({"signs": "{signature}"}, ("AUT005", "`signs` holds `{signature}`, which means nothing")),
        ({"value": "{body}"}, ("AUT005", "`value` holds `{body}`, which means nothing")),
        ({"value": "a\nb"}, ("AUT004", "`value` holds control characters and cannot be sent")),
        ({"headers": {"X": "{who}"}}, ("AUT005", "`headers` holds `{who}`, which means nothing")),
        ({"algorithm": "rot13"}, ("AUT005", "`algorithm` of `hmac` authentication cannot be `rot13`")),
    ],
)
def test_what_cannot_be_signed_with_is_told(
    compile_block: "CompileBlock", change: dict[str, str], told: tuple[str, str]
) -> None:
    assert compile_block(BLOCK | change, VALUES | {"EMPTY": " "}).told == [told]


# Signed by Veracode's own library, veracode-api-signing 26.5.0, with these credentials, time and nonce.
API_ID, API_KEY = "3ddaeeb10ca690df3fee5e3bd1c329fa", "0123456789abcdef" * 8
SIGNED = "d360cbe786b12759731a559b3e2f3c28c702c18ac84f6fcdb74dc6f9d4a5612d"


@pytest.mark.parametrize("prefixes", [("", ""), ("vera01gi-", "vera01gs-")])
def test_veracode_credentials_sign_as_veracodes_own_library_does(
    compile_block: "CompileBlock", prefixes: tuple[str, str]
) -> None:
    values = {"ID": prefixes[0] + API_ID, "KEY": prefixes[1] + API_KEY}
    scheme = compile_block({"type": "hmac", "apiId": "{{ID}}", "apiKey": "{{KEY}}"}, values).scheme
    assert isinstance(scheme, Veracode)
    request = Request("get", "https://API.veracode.com/appsec/v1/applications?name=a%20b&page=0", (), None)
    headers = dict(scheme.sign(request, 1_700_000_000.123, "00112233445566778899aabbccddeeff").headers)
    assert headers["Authorization"] == (
        f"VERACODE-HMAC-SHA-256 id={API_ID},ts=1700000000123,nonce=00112233445566778899aabbccddeeff,sig={SIGNED}"
    )


def test_a_secret_that_veracode_cannot_have_given_is_told(compile_block: "CompileBlock") -> None:
    compiled = compile_block({"type": "hmac", "apiId": "{{ID}}", "apiKey": "{{KEY}}"}, {"ID": API_ID, "KEY": "xyz"})
    assert compiled.told == [("AUT006", "`apiKey` is not the hexadecimal secret of Veracode credentials")]
    assert not compiled.found[0].is_error  # it can be given anew


async def test_a_call_that_cannot_be_signed_is_not_made(authenticator: Authenticator) -> None:
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(Veracode(API_ID, "xyz"), Request("GET", "https://127.0.0.1:1/", (), None))
    assert (caught.value.trouble, caught.value.told) == (Trouble.AUTH, "its key cannot sign requests")
