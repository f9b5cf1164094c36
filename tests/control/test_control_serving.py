"""A control server beside the others: while they end, over https, and for callers with access tokens."""

import asyncio
import json
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.control.conftest import written
from tests.upstreams import Quiet, answering

from capably.cli.main import main
from capably.plan.operation import CertificateFiles

if TYPE_CHECKING:
    from tests.control.conftest import Control, Serve


class _Slow(ThreadingHTTPServer):
    """An upstream that answers when it is let go."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Held)
        self.asked, self.let_go = threading.Event(), threading.Event()


class _Held(Quiet):
    server: _Slow

    def do_PUT(self) -> None:
        self.server.asked.set()
        self.server.let_go.wait(20)
        self.tell(200, {})


@pytest.fixture
def slow() -> Iterator[_Slow]:
    with answering(_Slow()) as server:
        yield server
        server.let_go.set()


def test_while_open_requests_end_it_tells_that_no_more_are_wanted(serve: "Serve", slow: _Slow) -> None:
    process = serve(None, "--control", "0", "--upstream", f"up=http://127.0.0.1:{slow.server_address[1]}")
    assert process.ask("GET", "control", "/health/ready")[0] == 200
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(process.ask("PUT", "web", "/x")[0]))
    caller.start()
    assert slow.asked.wait(10)
    process.popen.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while (ready := process.ask("GET", "control", "/health/ready"))[0] == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status, told = ready
    assert status == 503
    assert json.loads(told)["reason"] == "stopping: open requests may end"
    assert process.ask("GET", "control", "/health/live")[0] == 200
    assert answers == []
    slow.let_go.set()
    caller.join(10)
    assert answers == [200]
    assert process.popen.wait(20) == 0


async def test_it_speaks_https_as_the_other_servers_do(
    control: "Control", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = trustme.CA()
    chain, key, trusted = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "trusted.pem"
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(key)
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    authority.cert_pem.write_to_path(trusted)
    served = await control(tls=CertificateFiles(chain, key))
    assert served.url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(trusted))
    async with served.session.get(f"{served.url}/health/live", ssl=context) as reply:
        assert reply.status == 200
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    await asyncio.to_thread(main_without_exit, "health", "--control", served.url)
    assert capsys.readouterr().out.startswith("Liveness:  UP\n")


def main_without_exit(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


async def test_who_asks_for_access_tokens_tells_where_they_are_given(control: "Control") -> None:
    block = {
        "type": "oauth2",
        "authorizationServerUri": "https://id.test",
        "resource": "https://fleet.test",
        "scopes": ["fleet:operate"],
    }
    served = await control({"authentication": block})
    answer = await served.ask("GET", "/health/live")
    assert answer.problem[0] == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    metadata = await served.ask("GET", "/.well-known/oauth-protected-resource")
    assert (metadata.status, metadata.json["resource"]) == (200, "https://fleet.test")


def test_the_plan_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.js").write_text("result = 1", encoding="utf-8")
    file = tmp_path / "a.yaml"
    file.write_text(written({"authentication": {"type": "bearer", "token": "{{TOKEN}}"}}), encoding="utf-8")
    main_without_exit("plan", str(file))
    line = "control control on 127.0.0.1:0, shows and steers the process, callers need bearer"
    assert line in capsys.readouterr().out.splitlines()
