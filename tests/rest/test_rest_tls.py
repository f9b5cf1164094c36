"""Servers that speak https: with files the document names, or with those of the command line."""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from click.testing import CliRunner

from capably.app import Service, open_documents
from capably.cli.serve import serve as serve_command
from capably.errors import CommandError
from capably.listening import tls_context
from capably.plan.operation import CertificateFiles
from capably.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

Serve = Callable[..., "Served"]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> CertificateFiles:
    issued = authority.issue_cert("127.0.0.1")
    found = CertificateFiles(tmp_path / "cert.pem", tmp_path / "key.pem")
    found.key.write_bytes(issued.private_key_pem.bytes())
    found.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return found


def trusting(authority: trustme.CA, **more: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for name, value in more.items():
        setattr(context, name, value)
    return context


def test_a_server_speaks_https_with_files_beside_the_document(
    serve: Serve, upstream: "Upstream", authority: trustme.CA, files: CertificateFiles
) -> None:
    served = serve({}, context=trusting(authority), tls={"certificate": files.certificate.name, "key": files.key.name})
    assert served.listener.url == f"https://{served.host}"
    answer = served.get("/x")
    assert (answer.status, answer.json) == (200, {"ok": True})


def test_the_command_line_may_name_the_files_and_one_file_may_hold_both(
    serve: Serve, upstream: "Upstream", authority: trustme.CA, files: CertificateFiles, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    settings = Settings(ports={"web": 0}, tls=CertificateFiles(both, both))
    assert serve({}, context=trusting(authority), settings=settings).get("/x").status == 200


def test_old_versions_of_tls_are_refused(serve: Serve, authority: trustme.CA, files: CertificateFiles) -> None:
    client = trusting(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    settings = Settings(ports={"web": 0}, tls=files)
    with pytest.raises(ssl.SSLError):
        serve({}, context=client, settings=settings).get("/x")


def test_plain_http_is_not_answered(serve: Serve, files: CertificateFiles) -> None:
    with pytest.raises((ConnectionError, OSError)):
        serve({}, settings=Settings(ports={"web": 0}, tls=files)).get("/x")


def test_a_certificate_that_cannot_be_used_is_told(files: CertificateFiles, tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    with pytest.raises(CommandError, match=r"the server cannot read its certificate: .*No such file"):
        tls_context(absent, absent, "the server")
    with pytest.raises(CommandError, match=r"the server cannot speak https with .*cert\.pem and .*cert\.pem"):
        tls_context(files.certificate, files.certificate, "the server")


def test_a_server_whose_certificate_is_not_named_is_not_opened_in_plain(told: Any, plan_of: Any) -> None:
    assert "DOC011" in [code for code, _message in told({}, tls={"key": "key.pem"})]
    with pytest.raises(IndexError):
        plan_of({}, tls={"key": "key.pem"})


def test_a_key_alone_is_refused(files: CertificateFiles) -> None:
    result = CliRunner().invoke(serve_command, ["--tls-key", str(files.key), "some.yaml"])
    assert isinstance(result.exception, CommandError)
    assert str(result.exception) == "--tls-key needs a certificate"


async def test_a_renewed_certificate_is_shown_after_a_reload(
    authority: trustme.CA, files: CertificateFiles, tmp_path: Path
) -> None:
    document = tmp_path / "document.json"
    outputs = [{"name": "n", "type": "integer", "value": 1}]
    operation = {"method": "GET", "name": "n", "outputParameters": outputs}
    server = {
        "type": "rest",
        "namespace": "renewed",
        "port": 0,
        "tls": {"certificate": str(files.certificate), "key": str(files.key)},
        "resources": [{"path": "/n", "operations": [operation]}],
    }
    document.write_text(json.dumps({"ikanos": "1.0.0-beta4", "capability": {"exposes": [server]}}), encoding="utf-8")
    settings = Settings(drain_s=1)
    async with Service(await open_documents([document], settings), settings) as service:
        (listener,) = service.listeners

        async def shown() -> int:
            context = trusting(authority)
            _reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context)
            certificate = writer.get_extra_info("peercert")
            writer.close()
            return int(certificate["serialNumber"], 16)

        first = await shown()
        assert files.certificate in service.files()
        renewed = authority.issue_cert("127.0.0.1")
        files.certificate.write_bytes(b"".join(pem.bytes() for pem in renewed.cert_chain_pems))
        refused = await service.reload()
        assert refused.reason.startswith("the rest server `renewed` cannot speak https with"), "half of it is new"
        assert await shown() == first
        files.key.write_bytes(renewed.private_key_pem.bytes())
        verdict = await service.reload()
        assert verdict.standing == "applied"
        assert await shown() != first
        assert service.listeners[0].port == listener.port
