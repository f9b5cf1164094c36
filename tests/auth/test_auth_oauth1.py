"""OAuth 1.0a: the examples of the RFC, and oauthlib as an independent signer and server."""

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from oauthlib import oauth1

from capably.upstream.auth.oauth1 import OAuth1, base_string
from capably.upstream.authenticator import Authenticator
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, Serve

FORM = ("Content-Type", "application/x-www-form-urlencoded")
KEY, SECRET, TOKEN, TOKEN_SECRET = "c" * 20, "s&cret %", "t" * 20, "tøken+secret"


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def private_pem(rsa_key: rsa.RSAPrivateKey) -> str:
    return rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def public_pem(rsa_key: rsa.RSAPrivateKey) -> str:
    return rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_base_string_of_rfc_5849_section_3_4_1_1() -> None:
    url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    request = Request("POST", url, (FORM,), b"c2&a3=2+q")
    stated = {
        "oauth_consumer_key": "9djdj82h48djs9d2",
        "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131201",
        "oauth_nonce": "7d8f3e4a",
    }
    assert base_string(request, stated.items()) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_signature_of_rfc_5849_section_1_2() -> None:
    stated = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "nnch734d00sl2jdk",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131202",
        "oauth_nonce": "chapoH",
    }
    request = Request("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", (), None)
    scheme = OAuth1("dpf43f3p2l4k3l03", "kd94hf93k423kf44", token_secret="pfkkdhi9sl3r4s00")
    assert scheme._signature(base_string(request, stated.items())) == "MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D".replace(
        "%2F", "/"
    ).replace("%3D", "=")


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    path=st.lists(names, max_size=3),
    query=st.lists(st.tuples(names, names), max_size=4),
    form=st.none() | st.lists(st.tuples(names, names), max_size=3),
    method=st.sampled_from(["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT"]),
    port=st.sampled_from(["", ":80", ":8080"]),
)
def test_signatures_are_those_of_oauthlib(
    *,
    path: list[str],
    query: list[tuple[str, str]],
    form: list[tuple[str, str]] | None,
    method: str,
    port: str,
) -> None:
    url = f"http://Up.Test{port}/{'/'.join(quote(part, safe='') for part in path)}"
    url += f"?{urlencode(query, quote_via=quote)}" if query else ""
    body = urlencode(form) if form is not None else None
    signer = oauth1.Client(
        KEY, SECRET, TOKEN, TOKEN_SECRET, signature_method=method, nonce="n" * 32, timestamp="1700000000"
    )
    headers = {"Content-Type": FORM[1]} if body is not None else {}
    _url, theirs, _body = signer.sign(url, "GET" if body is None else "POST", body, headers)
    scheme = OAuth1(KEY, SECRET, TOKEN, TOKEN_SECRET, method)
    request = Request(
        "GET" if body is None else "POST",
        url,
        (FORM,) if body is not None else (),
        body.encode() if body is not None else None,
    )
    ours = dict(scheme.sign(request, 1_700_000_000.9, "n" * 32).headers)
    assert parameters(ours["Authorization"]) == parameters(theirs["Authorization"])


def parameters(header: str) -> list[str]:
    return sorted(header.removeprefix("OAuth ").split(", "))


class Validator(oauth1.RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """Knows one client and one token, and every nonce that was used."""

    enforce_ssl = False
    dummy_client = dummy_access_token = "d" * 20
    nonce_length = (20, 64)

    def __init__(self, public_pem: str) -> None:
        super().__init__()
        self.public_pem = public_pem
        self.nonces: set[str] = set()

    @property
    def allowed_signature_methods(self) -> list[str]:
        return ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "PLAINTEXT"]

    def validate_client_key(self, client_key: str, _request: object) -> bool:
        return client_key == KEY

    def validate_access_token(self, _client_key: str, token: str, _request: object) -> bool:
        return token == TOKEN

    def validate_realms(self, *_args: object, **_named: object) -> bool:
        return True

    def validate_timestamp_and_nonce(self, _key: str, _time: str, nonce: str, *_args: object, **_named: object) -> bool:
        is_new = nonce not in self.nonces
        self.nonces.add(nonce)
        return is_new

    def get_client_secret(self, _client_key: str, _request: object) -> str:
        return SECRET

    def get_access_token_secret(self, _client_key: str, _token: str, _request: object) -> str:
        return TOKEN_SECRET

    def get_rsa_key(self, _client_key: str, _request: object) -> str:
        return self.public_pem


class Resource:
    """oauthlib's resource endpoint on loopback."""

    def __init__(self, public_pem: str) -> None:
        self.endpoint = oauth1.ResourceEndpoint(Validator(public_pem))
        self.headers: list[str] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("Authorization", ""))
        url = f"http://{request.host}{request.raw_path}"
        body = (await request.read()).decode()
        valid, _oauth = self.endpoint.validate_protected_resource_request(
            url, request.method, body, dict(request.headers), ["all"]
        )
        return web.json_response({}, status=200 if valid else 401)


@pytest.fixture
def blocks(private_pem: str) -> list[dict[str, str]]:
    client = {"type": "oauth1", "consumerKey": KEY, "consumerSecret": "{{S}}"}
    user = {"token": TOKEN, "tokenSecret": "{{T}}"}
    return [
        client | user,
        client | {"accessToken": TOKEN, "accessTokenSecret": "{{T}}", "signatureMethod": "hmac-sha256"},
        client | user | {"type": "OAuth1.0a", "signatureMethod": "HMAC-SHA512", "realm": 'The "realm"'},
        client | user | {"signatureMethod": "PLAINTEXT"},
        {
            "type": "oauth1",
            "consumerKey": KEY,
            "signatureMethod": "RSA-SHA1",
            "privateKey": private_pem,
            "token": TOKEN,
        },
        {
            "type": "oauth1",
            "consumerKey": KEY,
            "signatureMethod": "RSA-SHA256",
            "privateKey": "{{PEM}}",
            "token": TOKEN,
        },
    ]


async def test_a_real_server_takes_every_signature_method(
    *,
    serve: "Serve",
    authenticator: Authenticator,
    compile_block: "CompileBlock",
    blocks: list[dict[str, str]],
    public_pem: str,
    private_pem: str,
) -> None:
    url = await serve(Resource(public_pem))
    values = {"S": SECRET, "T": TOKEN_SECRET, "PEM": private_pem.replace("\n", "\\n")}
    for block in blocks:
        scheme = compile_block(block, values).scheme
        for request in (
            Request("GET", f"{url}/ships?name=%C3%A9%20%26&name=b&empty=", (), None),
            Request("POST", f"{url}/a%2Fb", (FORM,), b"x=1+2&y=%3D"),
            Request("PUT", f"{url}/json", (("Content-Type", "application/json"),), b'{"a": 1}'),
        ):
            assert (await authenticator.send(scheme, request)).status == 200, block


async def test_a_wrong_secret_is_refused_by_the_server(
    serve: "Serve", authenticator: Authenticator, public_pem: str
) -> None:
    url = await serve(Resource(public_pem))
    scheme = OAuth1(KEY, "another", TOKEN, TOKEN_SECRET)
    assert (await authenticator.send(scheme, Request("GET", url, (), None))).status == 401


async def test_every_request_has_a_nonce_of_its_own(
    serve: "Serve", authenticator: Authenticator, public_pem: str
) -> None:
    server = Resource(public_pem)
    url = await serve(server)
    for _ in range(3):
        await authenticator.send(OAuth1(KEY, SECRET, TOKEN, TOKEN_SECRET), Request("GET", url, (), None))
    assert len(set(server.headers)) == 3


def test_a_body_that_is_no_form_is_hashed_where_it_is_asked_for(compile_block: "CompileBlock") -> None:
    block = {"type": "oauth1", "consumerKey": KEY, "consumerSecret": SECRET, "bodyHash": True}
    scheme = compile_block(block, {}).scheme
    assert isinstance(scheme, OAuth1)
    json = Request("POST", "http://a.test/", (("Content-Type", "application/json"),), b"Hello World!")
    # the example of the extension "OAuth Request Body Hash", appendix A.1
    assert (
        'oauth_body_hash="Lve95gjOVATpfV8EL5X4nxwjKHE%3D"' in dict(scheme.sign(json, 0, "n").headers)["Authorization"]
    )
    form = Request("POST", "http://a.test/", (FORM,), b"a=1")
    assert "body_hash" not in dict(scheme.sign(form, 0, "n").headers)["Authorization"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"consumerSecret": None}, [("AUT002", "`oauth1` authentication needs `consumerSecret`")]),
        ({"tokenSecret": None}, [("AUT002", "`oauth1` authentication needs `tokenSecret`")]),
        ({"token": "{{EMPTY}}"}, [("AUT004", "`token` is empty: nothing would be authenticated")]),
        (
            {"signatureMethod": "HMAC-MD5"},
            [("AUT005", "`signatureMethod` of `oauth1` authentication cannot be `HMAC-MD5`")],
        ),
        (
            {"signatureMethod": "RSA-SHA1", "privateKey": "nothing"},
            [("AUT006", "`privateKey` cannot be used: it is not an RSA key in PEM")],
        ),
    ],
)
def test_what_a_block_lacks_is_told(
    compile_block: "CompileBlock", change: dict[str, str], told: list[tuple[str, str]]
) -> None:
    block = {"type": "oauth1", "consumerKey": KEY, "consumerSecret": "s", "token": TOKEN, "tokenSecret": "t"}
    compiled = compile_block(block | change, {"EMPTY": ""})
    assert [item for item in compiled.told if item[0].startswith("AUT")][: len(told)] == told
