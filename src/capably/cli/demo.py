"""``capably demo``: the threads service, the bundled capability in front of it, and a first thread to run.

Everything is on loopback and nothing is asked of the network: the service answers runs with its offline responder
unless a model's endpoint is given.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from capably.cli.console import hint
from capably.cli.options import Pair
from capably.cli.serve import ports_from
from capably.cli.serving import show_listeners
from capably.cli.threads import threads_service, threads_settings, told
from capably.cli.threads_options import data_option, model_options

if TYPE_CHECKING:
    from capably.app import Listener
    from capably.settings import Settings
    from capably.threads.settings import ThreadsSettings

_KEY_NAME = "capably demo"
_ASSISTANT = {
    "name": "capably demo",
    "model": "offline",
    "instructions": "You answer in one short paragraph.",
}
_FIRST_MESSAGE = {"role": "user", "content": "What can I build with capably?"}


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo has set up: where the service is, its key, and the first assistant and thread."""

    service: str
    key: str
    assistant: str
    thread: str


@click.command(epilog="Exit codes: 0 stopped by a signal, 1 could not serve, 2 used wrongly.")
@data_option
@click.option(
    "--threads-port", type=click.IntRange(0, 65535), default=8890, show_default=True, help="Port of the service."
)
@click.option(
    "--console-port",
    type=click.IntRange(0, 65535),
    default=8891,
    show_default=True,
    help="Port of the console, a web page that shows and tries everything.",
)
@click.option(
    "--port",
    "ports",
    type=Pair(),
    multiple=True,
    metavar="NAMESPACE=PORT",
    help="Port of a server; 0 takes a free one.",
)
@model_options
def demo(
    *,
    data: Path,
    threads_port: int,
    console_port: int,
    ports: tuple[tuple[str, str], ...],
    model_url: str | None,
    model: str | None,
    model_key_env: str,
    models_file: Path | None,
) -> None:
    """Run a complete example: the service, the capability, a first thread.

    Starts the embedded Threads > Runs service and the bundled capability in front of it, makes an assistant and a
    thread with a message, and prints what to type next. Stop with Ctrl-C; what you made stays in the data directory.

    \b
    Example:
      capably demo --model-url http://127.0.0.1:11434/v1 --model llama3.2
    """
    from capably.loop import run_until_signal
    from capably.settings import ControlSettings, Settings

    with told():
        settings = threads_settings(
            data=data, model_url=model_url, model=model, model_key_env=model_key_env, models_file=models_file
        )
        control = ControlSettings(console_port)
        chosen = Settings(ports=ports_from(ports), control=control)
        run_until_signal(lambda stop: _demo(settings, threads_port, chosen, stop))


async def _demo(service: "ThreadsSettings", port: int, chosen: "Settings", stop: asyncio.Event) -> None:
    from capably.app import open_documents, running
    from capably.capabilities import THREADS_RUNS
    from capably.plan.variables import Given

    async with AsyncExitStack() as stack:
        listening_on = await stack.enter_async_context(threads_service(service, port, "--threads-port PORT"))
        key = await _fresh_key(service.data)
        given = Given(sets={"baseurl": f"127.0.0.1:{listening_on}", "AIMLAPI_API_KEY": key})
        settings = replace(chosen, given=given)
        documents = await open_documents([THREADS_RUNS], settings)
        listeners = await stack.enter_async_context(running(documents, settings))
        stage = await _set_up(f"http://127.0.0.1:{listening_on}", key)
        show_listeners(documents, listeners)
        click.echo(_what_next(stage, listeners))
        await stop.wait()
        hint(f"stopping; your threads stay in {service.data}")


async def _fresh_key(data: Path) -> str:
    """A key for this demo; the keys of earlier ones stop working."""
    from capably.threads.database import locate
    from capably.threads.keys import create_key, list_keys, revoke_key

    url = locate(data, None)
    for old in await list_keys(url):
        if old.name == _KEY_NAME and old.revoked_at is None:
            await revoke_key(url, old.id)
    return await create_key(url, _KEY_NAME)


async def _set_up(service: str, key: str) -> Stage:
    """Make an assistant, unless an earlier demo made one, and a thread with a first message."""
    from capably.errors import CommandError
    from capably.upstream.client import Client, ClientLimits
    from capably.upstream.request import Request

    async def ask(method: str, path: str, body: Any = None) -> Any:
        headers = (("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"))
        payload = json.dumps(body).encode() if body is not None else None
        reply = await client.send(Request(method, service + path, headers, payload))
        if reply.status >= 400:  # noqa: PLR2004 -- RFC 9110, section 15.5
            raise CommandError(f"the threads service refused {method} {path} with status {reply.status}")
        return json.loads(reply.body)

    async with Client(ClientLimits()) as client:
        known = await ask("GET", "/assistants?limit=100")
        ours = [item["id"] for item in known["data"] if item["name"] == _ASSISTANT["name"]]
        assistant = ours[0] if ours else (await ask("POST", "/assistants", _ASSISTANT))["id"]
        thread = await ask("POST", "/threads", {"messages": [_FIRST_MESSAGE]})
    return Stage(service, key, assistant, thread["id"])


def _console_page(urls: dict[str, str], stage: Stage) -> str:
    """The page of the first operation to try, filled in."""
    operation = quote("POST /v1/threads/{threadid}/runs", safe="")
    inputs = urlencode(
        {"threadId": stage.thread, "body": json.dumps({"assistant_id": stage.assistant})}, quote_via=quote
    )
    return f"{urls['control']}/#/call/aimlapi-threads-runs-rest/{operation}?{inputs}"


def _what_next(stage: Stage, listeners: Sequence["Listener"]) -> str:
    urls = {item.plan.kind.value: item.url for item in listeners}
    runs = f"{urls['rest']}/v1/threads/{stage.thread}/runs"
    create = json.dumps({"assistant_id": stage.assistant})
    stream = json.dumps({"assistant_id": stage.assistant, "stream": True})
    update = json.dumps({"metadata": {"mood": "curious"}})
    return f"""
Everything below can be looked at and tried on a page:
  {_console_page(urls, stage)}

Or type this in another terminal.

# 1. Create a run (REST), and keep its id
RUN=$(curl -s {runs} -d '{create}' | grep -o 'run_[A-Za-z0-9]*' | head -n 1); echo $RUN

# 2. Read it: its status is completed
curl -s {runs}/$RUN

# 3. Update its metadata
curl -s {runs}/$RUN -d '{update}'

# 4. List the thread's runs
curl -s {runs}

# 5. Read the messages, at the service itself
curl -s {stage.service}/threads/{stage.thread}/messages -H 'Authorization: Bearer {stage.key}'

# 6. Watch another run as it happens
curl -sN {runs} -d '{stream}'

The same four operations are MCP tools at {urls["mcp"]}/mcp
  for clients with a configuration file:
    {{"mcpServers": {{"threads-runs": {{"type": "http", "url": "{urls["mcp"]}/mcp"}}}}}}
  in Python (pip install mcp):
    import asyncio
    from mcp import Client

    async def main():
        async with Client("{urls["mcp"]}/mcp") as client:
            print(await client.call_tool("aimlapi-get-runs", {{"threadId": "{stage.thread}"}}))

    asyncio.run(main())
"""
