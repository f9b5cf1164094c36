"""Several servers behind one address, each below its namespace."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import mcp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.capabilities import THREADS_RUNS
from capably.cli import main
from capably.examine import examine
from capably.inbound.head import target_of
from capably.servers.http import Limits, Receive, Scope, Send
from capably.servers.prefixes import Mount, Prefixes
from capably.settings import ListenSettings, Settings

if TYPE_CHECKING:
    from tests.reload.conftest import Numbers, Serve

ONE = Settings(listen=ListenSettings("127.0.0.1", 0), drain_s=2)
SKILL = {
    "type": "skill",
    "namespace": "skills",
    "port": 1,
    "skills": [{"name": "counting", "description": "How to count.", "tools": []}],
}
OAUTH = {
    "authentication": {
        "type": "oauth2",
        "authorizationServerUri": "https://issuer.example",
        "resource": "https://numbers.example/numbers-mcp/mcp",
        "jwksUri": "https://issuer.example/keys",
    }
}


def base(numbers: "Numbers") -> str:
    return numbers.rest.removesuffix("/numbers-rest")


async def read(numbers: "Numbers", path: str, method: str = "GET", **options: Any) -> tuple[int, Any]:
    async with numbers.http.request(method, base(numbers) + path, **options) as response:
        return response.status, json.loads(await response.read() or b"null")


async def test_every_server_is_below_its_namespace_on_one_port(serve: "Serve") -> None:
    async with serve(settings=ONE, exposes=[SKILL]) as numbers:
        assert len({item.port for item in numbers.service.listeners}) == 1
        assert [item.url.rpartition("/")[2] for item in numbers.service.listeners] == [
            "numbers-rest",
            "numbers-mcp",
            "skills",
        ]
        assert (await read(numbers, "/numbers-rest/number"))[1]["n0"] == 1
        assert (await read(numbers, "/skills/skills"))[1]["count"] == 1
        assert (await read(numbers, "/skills/skills/counting"))[1]["name"] == "counting"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("path", ["/numbers-mcp", "/numbers-mcp/mcp", "/numbers-mcp/"])
async def test_the_official_client_finds_a_server_below_its_namespace(serve: "Serve", mode: str, path: str) -> None:
    async with serve(settings=ONE) as numbers, mcp.Client(base(numbers) + path, mode=mode) as client:
        result = await client.call_tool("echo", {})
        assert json.loads(result.content[0].text) == {"path": 1, "header": 1}  # type: ignore[union-attr]


async def test_the_root_says_what_is_served_where(serve: "Serve") -> None:
    async with serve(settings=ONE, exposes=[SKILL]) as numbers:
        assert await read(numbers, "/") == (
            200,
            {
                "servers": [
                    {
                        "namespace": "numbers-rest",
                        "kind": "rest",
                        "path": "/numbers-rest",
                        "openapi": "/numbers-rest/openapi.json",
                    },
                    {"namespace": "numbers-mcp", "kind": "mcp", "path": "/numbers-mcp/mcp"},
                    {"namespace": "skills", "kind": "skill", "path": "/skills/skills"},
                ]
            },
        )
        async with numbers.http.head(base(numbers) + "/") as response:
            assert (response.status, await response.read()) == (200, b"")
        async with numbers.http.options(base(numbers) + "/") as response:
            assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        assert (await read(numbers, "/", "POST"))[0] == 405


async def test_what_is_nowhere_is_told_with_the_nearest_name(serve: "Serve") -> None:
    async with serve(settings=ONE) as numbers:
        status, problem = await read(numbers, "/number-rest/number")
        assert (status, problem["detail"]) == (404, "no server is at /number-rest: did you mean /numbers-rest?")
        status, problem = await read(numbers, "/" + "x" * 3000)
        assert (status, problem["detail"]) == (404, f"no server is at /{'x' * 100}: `/` lists the servers")
        status, problem = await read(numbers, "/numbers-rest/numbr")
        assert "did you mean /number?" in problem["detail"]


async def test_an_openapi_document_says_below_which_path_it_is_served(serve: "Serve") -> None:
    async with serve(settings=ONE) as numbers:
        _status, openapi = await read(numbers, "/numbers-rest/openapi.json")
        assert openapi["servers"] == [{"url": "/numbers-rest"}]
        async with numbers.http.get(base(numbers) + "/numbers-rest/docs") as response:
            page = await response.text()
        assert 'href="/' not in page, "links lead below the prefix"


async def test_the_metadata_of_protected_resources_stands_at_the_root(serve: "Serve") -> None:
    async with serve(settings=ONE, mcp=OAUTH) as numbers:
        async with numbers.http.post(base(numbers) + "/numbers-mcp/mcp", json={}) as response:
            assert response.status == 401
            challenge = response.headers["WWW-Authenticate"]
        metadata = "/.well-known/oauth-protected-resource/numbers-mcp/mcp"
        assert f'resource_metadata="https://numbers.example{metadata}"' in challenge
        assert (await read(numbers, metadata))[1]["resource"] == "https://numbers.example/numbers-mcp/mcp"


async def test_digest_covers_the_path_that_callers_send(serve: "Serve") -> None:
    digest = {"authentication": {"type": "digest", "username": "ada", "password": "a-made-up-password"}}
    async with serve(settings=ONE, rest=digest) as numbers:
        middleware = aiohttp.DigestAuthMiddleware("ada", "a-made-up-password")
        async with (
            aiohttp.ClientSession(middlewares=(middleware,)) as http,
            http.get(numbers.rest + "/number") as response,
        ):
            assert response.status == 200


async def test_a_reload_adds_and_removes_prefixes_and_keeps_connections(serve: "Serve") -> None:
    async with serve(settings=ONE) as numbers:
        port = numbers.listener("numbers-rest").port
        await numbers.reload(2, exposes=[SKILL])
        assert (await read(numbers, "/skills/skills"))[0] == 200
        assert (await read(numbers, "/numbers-rest/number"))[1]["n0"] == 2
        await numbers.reload(2)
        assert (await read(numbers, "/skills/skills"))[0] == 404
        assert numbers.listener("numbers-rest").port == port


async def test_other_hosts_and_origins_are_refused_at_the_root_too(serve: "Serve") -> None:
    async with serve(settings=ONE) as numbers:
        assert (await read(numbers, "/", headers={"Host": "rebound.example"}))[0] == 421
        assert (await read(numbers, "/nothing", headers={"Origin": "https://page.example"}))[0] == 403


def test_a_namespace_that_no_path_can_hold_is_encoded() -> None:
    seen: list[Any] = []

    async def entry(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append((scope["root_path"], scope["path"], scope["raw_path"]))

    prefixes = Prefixes((), Limits())
    prefixes._entries = {b"/a%20b%2Fc": entry}
    scope = {"raw_path": b"/a%20b%2Fc/x%20y", "path": "/a b/c/x y", "method": "GET", "headers": []}
    with pytest.raises(StopIteration):
        prefixes(scope, None, None).__await__().__next__()  # type: ignore[arg-type]
    assert seen == [("/a%20b%2Fc", "/x y", b"/x%20y")]


@pytest.mark.parametrize("option", [["--port", "a=1"], ["--host", "127.0.0.1"], ["--stdio"]])
def test_nothing_else_says_where_servers_listen(
    tmp_path: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", str(tmp_path / "a.yaml"), "--listen", "8080", *option])
    assert end.value.code == 2
    assert "--listen puts all servers behind one address" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nowhere", "1:2:3", "70000", "127.0.0.1:"])
def test_an_address_that_is_none_is_told(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", "a.yaml", "--listen", address])
    assert end.value.code == 2
    assert f"--listen {address}: this is no address" in capsys.readouterr().err


COMPILED = examine(THREADS_RUNS).compiled


@given(namespace=st.text("ab /%é", min_size=1), rest=st.text("ab/%é.").map(lambda text: "/" + quote(text)))
def test_a_server_below_a_prefix_is_asked_for_the_path_it_would_be_asked_for_alone(namespace: str, rest: str) -> None:
    seen: list[Scope] = []

    async def entry(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    async def nothing(*_args: object) -> Any:
        raise AssertionError("nothing is received or sent")

    assert COMPILED is not None
    server = replace(COMPILED.plan.servers[0], namespace=namespace)
    below = target_of("GET", (f"/{quote(namespace, safe='')}{rest}").encode())
    scope = {"type": "http", "raw_path": below.raw_path, "path": below.path}
    asyncio.run(Prefixes([Mount(server, entry)], Limits())(scope, nothing, nothing))  # type: ignore[arg-type]
    alone = target_of("GET", rest.encode())
    assert [(each["raw_path"], each["path"]) for each in seen] == [(alone.raw_path, alone.path)]
