"""What a reload takes up, what it refuses, and what goes on meanwhile."""

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.reload.conftest import Numbers, Serve

BEARER = {"type": "bearer", "token": "first-token"}


def skill(namespace: str, port: int) -> dict[str, Any]:
    return {
        "type": "skill",
        "namespace": namespace,
        "port": port,
        "skills": [{"name": "counting", "description": "How to count.", "tools": []}],
    }


def rest(namespace: str, port: int, number: int) -> dict[str, Any]:
    outputs = [{"name": "n", "type": "integer", "value": number}]
    operation = {"method": "GET", "name": "other", "outputParameters": outputs}
    return {
        "type": "rest",
        "namespace": namespace,
        "port": port,
        "resources": [{"path": "/other", "operations": [operation]}],
    }


async def until(condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


async def test_what_the_document_says_now_is_served_on_the_same_socket(numbers: "Numbers") -> None:
    before = numbers.listener("numbers-rest").port
    verdict = await numbers.reload(2)
    assert (verdict.standing, verdict.generation) == ("applied", 2)
    assert (await numbers.get("/number"))[1]["n0"] == 2
    assert numbers.listener("numbers-rest").port == before
    assert numbers.service.documents[0].generation == 2
    assert numbers.heard == [verdict]


async def test_connections_to_upstreams_are_kept(numbers: "Numbers") -> None:
    for number in (2, 3, 4):
        assert (await numbers.get("/echo"))[1] == {"path": number - 1, "header": number - 1}
        assert (await numbers.reload(number)).standing == "applied"
    await until(lambda: not numbers.service.retiring)
    assert (await numbers.get("/echo"))[1] == {"path": 4, "header": 4}
    assert numbers.echo.accepted == 1


async def test_a_document_that_says_the_same_is_not_reloaded(numbers: "Numbers") -> None:
    verdict = await numbers.reload(1)
    assert (verdict.standing, verdict.generation, verdict.differences) == ("unchanged", 1, ())
    assert numbers.service.documents[0].generation == 1


async def test_looking_at_a_document_changes_nothing(numbers: "Numbers") -> None:
    numbers.write(2, exposes=[rest("more", 0, 1)])
    verdict = await numbers.service.validate()
    assert (verdict.standing, verdict.generation) == ("valid", 1)
    assert "servers.more" in [item.path for item in verdict.differences if item.is_structural]
    assert (await numbers.get("/number"))[1]["n0"] == 1
    assert [item.namespace for item in numbers.service.listeners] == ["numbers-rest", "numbers-mcp"]
    assert numbers.heard == []


async def test_a_broken_document_is_refused_and_the_old_one_is_served_on(numbers: "Numbers") -> None:
    numbers.file.write_text("ikanos: '1.0.0-beta4'\ncapability: [", encoding="utf-8")
    verdict = await numbers.service.reload()
    assert verdict.is_refused
    assert verdict.reason == "the document cannot be served"
    assert [item.code for item in verdict.diagnostics] == ["DOC002"]
    assert verdict.texts[str(numbers.file)].startswith("ikanos")
    assert (await numbers.get("/number"))[1]["n0"] == 1
    assert (await numbers.reload(3)).generation == 2


async def test_a_missing_value_refuses_the_reload_and_is_named(numbers: "Numbers") -> None:
    binds = [{"namespace": "env", "keys": {"A": "NOBODY_SETS_THIS"}}]
    gate = {"authentication": {"type": "bearer", "token": "{{A}}"}}
    verdict = await numbers.reload(2, root={"binds": binds}, rest=gate)
    assert verdict.is_refused
    assert verdict.reason == "a value is missing"
    assert any("NOBODY_SETS_THIS" in line for line in verdict.advice)


async def test_a_file_that_is_gone_refuses_the_reload(numbers: "Numbers") -> None:
    numbers.file.unlink()
    verdict = await numbers.service.reload()
    assert [item.code for item in verdict.diagnostics] == ["DOC001"]
    assert (await numbers.get("/number"))[0] == 200


async def test_a_call_in_flight_ends_with_the_document_it_began_with(numbers: "Numbers") -> None:
    slow = asyncio.create_task(numbers.get("/slow"))
    await numbers.echo.asked.wait()
    await numbers.reload(2)
    await numbers.reload(3)
    await asyncio.sleep(0.1)
    assert numbers.service.retiring == 1, "the generation that is asked waits, the one in between does not"
    assert (await numbers.get("/echo"))[1] == {"path": 3, "header": 3}
    numbers.echo.may_answer.set()
    assert await slow == (200, {"path": 1, "header": 1})
    await until(lambda: numbers.service.retiring == 0)


async def test_patience_with_old_calls_ends(serve: "Serve") -> None:
    from capably.settings import Settings  # noqa: PLC0415 -- beside its only use

    async with serve(settings=Settings(drain_s=1, patience_s=0.2)) as numbers:
        slow = asyncio.create_task(numbers.get("/slow"))
        await numbers.echo.asked.wait()
        await numbers.reload(2)
        status, problem = await slow
        assert (status, problem["type"]) == (502, "urn:problem-type:capably:upstream-broken")
        await until(lambda: numbers.service.retiring == 0)


async def test_servers_come_and_go(numbers: "Numbers") -> None:
    verdict = await numbers.reload(1, exposes=[rest("more", 0, 7), skill("skills", 0)])
    assert [(item.path, item.before, item.after) for item in verdict.differences] == [
        ("servers.more", None, "rest"),
        ("servers.skills", None, "skill"),
    ]
    more = numbers.listener("more").url
    async with numbers.http.get(more + "/other") as response:
        assert await response.json() == {"n": 7}
    await numbers.reload(1)
    await until(lambda: numbers.service.is_settled)
    with pytest.raises(aiohttp.ClientConnectorError):
        await numbers.http.get(more + "/other")
    assert (await numbers.get("/number"))[1]["n0"] == 1


async def test_a_port_that_is_taken_refuses_the_reload_before_anything_changes(numbers: "Numbers") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for look in (numbers.service.validate, numbers.service.reload):
            numbers.write(2, exposes=[rest("free", 0, 1), rest("more", port, 1)])
            verdict = await look()
            assert verdict.is_refused
            assert verdict.reason == f"the rest server `more` cannot listen on 127.0.0.1:{port}: Address already in use"
            assert verdict.advice == ("stop what uses it, or move this server with --port more=PORT",)
    assert (await numbers.get("/number"))[1]["n0"] == 1
    assert len(numbers.service.listeners) == 2


async def test_a_server_that_moves_is_at_its_new_address_before_it_leaves_the_old_one(numbers: "Numbers") -> None:
    old = numbers.rest
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    slow = asyncio.create_task(numbers.get("/slow"))
    await numbers.echo.asked.wait()
    verdict = await numbers.reload(2, rest={"port": port})
    assert ("servers.numbers-rest.port", 0, port, True) in [
        (item.path, item.before, item.after, item.is_structural) for item in verdict.differences
    ]
    assert numbers.rest == f"http://127.0.0.1:{port}"
    assert (await numbers.get("/number"))[1]["n0"] == 2
    numbers.echo.may_answer.set()
    assert await slow == (200, {"path": 1, "header": 1})
    await until(lambda: numbers.service.is_settled)
    with pytest.raises(aiohttp.ClientConnectorError):
        await numbers.http.get(old + "/number")


async def test_who_may_call_changes_at_once(numbers: "Numbers") -> None:
    assert (await numbers.get("/number"))[0] == 200
    await numbers.reload(2, rest={"authentication": BEARER})
    assert (await numbers.get("/number"))[0] == 401
    first = {"Authorization": "Bearer first-token"}
    assert (await numbers.get("/number", headers=first))[0] == 200
    await numbers.reload(2, rest={"authentication": {"type": "bearer", "token": "second-token"}})
    assert (await numbers.get("/number", headers=first))[0] == 401
    told = json.dumps(
        [[item.path, item.before, item.after] for verdict in numbers.heard for item in verdict.differences]
    )
    assert '["servers.numbers-rest.authentication", null, "bearer"]' in told
    assert "token" not in told


async def test_values_of_binds_are_read_anew_and_told_as_stars(serve: "Serve") -> None:
    from capably.settings import Settings  # noqa: PLC0415 -- beside its only use

    binds = [{"namespace": "keys", "location": "file:///./keys.yaml", "keys": {"TOKEN": "token"}}]
    more = {"root": {"binds": binds}, "rest": {"authentication": {"type": "bearer", "token": "{{keys.TOKEN}}"}}}
    async with serve(settings=Settings()) as numbers:
        keys = numbers.file.with_name("keys.yaml")
        keys.write_text("token: value-one", encoding="utf-8")
        await numbers.reload(1, **more)
        assert keys in numbers.service.files()
        assert (await numbers.get("/number", headers={"Authorization": "Bearer value-one"}))[0] == 200
        keys.write_text("token: value-two", encoding="utf-8")
        verdict = await numbers.service.reload()
        assert [(item.path, item.before, item.after) for item in verdict.differences] == [
            ("servers.numbers-rest.authentication", "***", "***")
        ]
        assert (await numbers.get("/number", headers={"Authorization": "Bearer value-one"}))[0] == 401
        assert (await numbers.get("/number", headers={"Authorization": "Bearer value-two"}))[0] == 200


async def test_the_console_can_run_what_is_served_and_not_what_was(numbers: "Numbers") -> None:
    from capably.plan.caller import SilentCaller  # noqa: PLC0415 -- beside its only use

    seen: list[int] = []

    class Watch:
        def performed(self, _key: str, _effect: Any, answer: Any, _seconds: float) -> None:
            seen.append(answer.status)

        def ended(self, _progress: Any) -> None:
            raise AssertionError("there are no steps")

    server = numbers.listener("numbers-rest").plan
    (echo,) = (operation for operation in server.operations if operation.name == "echo")
    outcome = await numbers.service.invoke_for(server, Watch())(echo, {}, SilentCaller())
    assert json.loads(outcome.body) == {"path": 1, "header": 1}
    assert seen == [200]
    await numbers.reload(2)
    with pytest.raises(LookupError, match="numbers-rest"):
        numbers.service.invoke_for(server)


async def test_wishes_to_reload_that_come_together_are_granted_one_after_the_other(numbers: "Numbers") -> None:
    numbers.write(2)
    verdicts = await asyncio.gather(*(numbers.service.reload() for _ in range(5)))
    assert sorted(str(verdict.standing) for verdict in verdicts) == ["applied", *["unchanged"] * 4]
    assert {verdict.generation for verdict in verdicts} == {2}
