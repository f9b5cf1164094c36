"""Client certificates, before a TLS server that wants one, with an authority made for the test."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from capably.upstream.authenticator import Authenticator
from capably.upstream.client import Client
from capably.upstream.reply import Trouble, UpstreamError
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, Serve


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, folder: Path) -> Path:
    """A client's certificate, its key with and without a password, and the authority, beside a document."""
    issued = authority.issue_cert("client@capably.test")
    key = issued.private_key_pem.bytes()
    parsed = load_pem_private_key(key, password=None)
    locked = parsed.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    certificate = b"".join(each.bytes() for each in issued.cert_chain_pems)
    (folder / "tls").mkdir()
    for name, data in (("client", certificate), ("key", key), ("locked", locked), ("both", key + certificate)):
        (folder / "tls" / f"{name}.pem").write_bytes(data)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


@pytest.fixture
async def url(authority: trustme.CA, serve: "Serve") -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def who(request: web.Request) -> web.Response:
        transport: Any = request.transport
        (name,) = transport.get_extra_info("peercert")["subjectAltName"]
        return web.json_response({"who": name[1]})

    return await serve(who, context)


def compiled(compile_block: "CompileBlock", folder: Path, block: dict[str, str], **values: str) -> Any:
    return compile_block({"type": "certificate", "ca": "ca.pem", **block}, values, str(folder / "a.yaml"))


@pytest.mark.parametrize(
    "block",
    [
        {"certificate": "tls/client.pem", "key": "tls/key.pem"},
        {"type": "mTLS", "cert": "./tls/client.pem", "privateKey": "file:///./tls/key.pem"},
        {"certificate": "tls/both.pem"},
        {"certificate": "tls/client.pem", "key": "tls/locked.pem", "passphrase": "{{PASSWORD}}"},
        {"certificate": "{{CERT}}", "key": "{{KEY}}", "ca": "{{CA}}"},
    ],
)
async def test_the_server_knows_who_calls(
    url: str, files: Path, authenticator: Authenticator, compile_block: "CompileBlock", block: dict[str, str]
) -> None:
    texts = {name.upper(): (files / path).read_text() for name, path in (("cert", "tls/client.pem"), ("ca", "ca.pem"))}
    key = (files / "tls/key.pem").read_text().replace("\n", "\\n")  # as environments often have it
    scheme = compiled(compile_block, files, block, PASSWORD="open sesame", KEY=key, **texts).scheme
    for _ in range(2):
        reply = await authenticator.send(scheme, Request("GET", url, (), None))
        assert (reply.status, reply.body) == (200, b'{"who": "client@capably.test"}')


async def test_a_connection_with_a_certificate_is_not_used_without_it(
    url: str, files: Path, authenticator: Authenticator, client: Client, compile_block: "CompileBlock"
) -> None:
    scheme = compiled(compile_block, files, {"certificate": "tls/both.pem"}).scheme
    await authenticator.send(scheme, Request("GET", url, (), None))
    with pytest.raises(UpstreamError) as caught:
        await client.send(Request("GET", url, (), None))
    assert caught.value.trouble is Trouble.UNREACHABLE  # the authority is not trusted by others


async def test_a_server_of_another_authority_is_not_trusted(
    url: str, files: Path, authenticator: Authenticator, compile_block: "CompileBlock"
) -> None:
    trustme.CA().cert_pem.write_to_path(str(files / "ca.pem"))
    scheme = compiled(compile_block, files, {"certificate": "tls/both.pem"}).scheme
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, Request("GET", url, (), None))
    assert caught.value.trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    "block",
    [
        {"certificate": "tls/client.pem"},
        {"certificate": "tls/client.pem", "key": "tls/locked.pem"},
        {"certificate": "tls/client.pem", "key": "tls/locked.pem", "passphrase": "wrong"},
        {"certificate": "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----", "key": "tls/key.pem"},
        {"certificate": "tls/both.pem", "ca": "tls/key.pem"},
    ],
)
async def test_what_is_no_certificate_stops_the_call_without_asking_at_the_terminal(
    files: Path, authenticator: Authenticator, compile_block: "CompileBlock", block: dict[str, str]
) -> None:
    scheme = compiled(compile_block, files, block).scheme
    with pytest.raises(UpstreamError) as caught:
        await authenticator.send(scheme, Request("GET", "https://127.0.0.1:1/", (), None))
    assert (caught.value.trouble, caught.value.told) == (Trouble.AUTH, "its client certificate cannot be used")


async def test_a_file_that_is_not_there_is_told_and_stops_calls(
    authenticator: Authenticator, folder: Path, compile_block: "CompileBlock"
) -> None:
    found = compile_block({"type": "certificate", "certificate": "no.pem"}, {}, str(folder / "a.yaml"))
    assert found.told == [("AUT007", "`certificate` names no.pem, which is not there")]
    assert not any(item.is_error for item in found.found)
    assert found.credentials.scheme is not None
    with pytest.raises(UpstreamError, match="No such file"):
        await authenticator.send(found.credentials.scheme, Request("GET", "https://127.0.0.1:1/", (), None))


def test_other_formats_are_told_with_the_way_to_pem(folder: Path, compile_block: "CompileBlock") -> None:
    (folder / "client.p12").touch()
    found = compile_block({"type": "certificate", "certificate": "client.p12"}, {}, str(folder / "a.yaml"))
    assert found.told == [("AUT006", "`certificate` must be PEM, which client.p12 is not")]
    assert found.found[0].help == ("make PEM of it: openssl pkcs12 -in FILE -out client.pem",)


def test_a_stand_in_is_not_looked_for(compile_block: "CompileBlock") -> None:
    assert compile_block({"type": "certificate", "certificate": "{{CERT}}", "key": "certs/{{NAME}}.pem"}).told == []
