"""What the runs of a threads service work with, in a process of its own: a chat-completions endpoint and an MCP server.

What the endpoint does is told by the thread itself: the last message of a user is a JSON list of acts, the first of
them played first, the second one after the calls of the first have been answered. So whoever asks twice hears the
same, whatever process has died between. An act is one of

    {"calls": [[name, arguments], ...], "pause": 0.01}   calls of tools, each in two pieces
    {"say": [piece, ...], "pause": 0.01, "finish": "stop"}   text; `{outputs}` in it is what the calls gave
    {"refuse": 400}                                      a status, and no reply

The MCP server, at `/mcp`, has one tool `echo`, which gives back the `word` it is given.
"""

import asyncio
import json
import sys
from typing import Any, cast

import httptools
import uvloop

PROMPT_TOKENS = 10  # of every act
ECHO = {"name": "echo", "inputSchema": {"type": "object", "properties": {"word": {"type": "string"}}}}
HEAD = b"HTTP/1.1 %d OK\r\ncontent-type: %s\r\n"


class World(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.parser = httptools.HttpRequestParser(self)
        self.playing: set[asyncio.Task[None]] = set()
        self.url, self.body = b"", b""

    def connection_lost(self, _error: Exception | None) -> None:
        for task in self.playing:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url, self.body = url, b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        asked = json.loads(self.body)
        if self.url == b"/mcp":
            self._answer(200, _mcp(asked))
            return
        task = asyncio.get_running_loop().create_task(self._play(asked["messages"]))
        self.playing.add(task)
        task.add_done_callback(self.playing.discard)

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.transport.write(HEAD % (status, b"application/json") + b"content-length: %d\r\n\r\n" % len(data) + data)

    async def _play(self, messages: list[Any]) -> None:
        place, act, outputs = _act(messages)
        if "refuse" in act:
            self._answer(act["refuse"], {"error": {"message": "refused as told"}})
            return
        self.transport.write(HEAD % (200, b"text/event-stream") + b"transfer-encoding: chunked\r\n\r\n")
        waiting: list[Any] = []
        for delta in _deltas(place, act, outputs):
            waiting.append({"choices": [{"index": 0, "delta": delta}]})
            if pause := act.get("pause"):
                self._tell(waiting)
                waiting = []
                await asyncio.sleep(pause)
        finish = "tool_calls" if "calls" in act else act.get("finish", "stop")
        waiting.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        waiting.append({"choices": [], "usage": spent(act)})
        self._tell(waiting)
        self.transport.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    def _tell(self, chunks: list[Any]) -> None:
        data = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))


def spent(act: Any) -> dict[str, int]:
    """The tokens an act counts."""
    said = len(act.get("say", act.get("calls", ())))
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": said, "total_tokens": PROMPT_TOKENS + said}


def _act(messages: list[Any]) -> tuple[int, Any, str]:
    """The act a prompt asks for, with its place in the story, and what the calls before it gave."""
    last = max(place for place, message in enumerate(messages) if message["role"] == "user")
    told = messages[last]["content"]
    acts = json.loads(told if isinstance(told, str) else told[0]["text"])
    after = messages[last + 1 :]
    played = sum(message["role"] == "assistant" and "tool_calls" in message for message in after)
    return played, acts[played], " ".join(message["content"] for message in after if message["role"] == "tool")


def _deltas(place: int, act: Any, outputs: str) -> list[Any]:
    if "say" in act:
        return [{"content": piece.replace("{outputs}", outputs)} for piece in act["say"]]
    return [
        piece for i, (name, given) in enumerate(act["calls"]) for piece in _call(i, f"call_{place}_{i}", name, given)
    ]


def _call(index: int, identity: str, name: str, arguments: str) -> list[Any]:
    half = len(arguments) // 2
    begun = {"index": index, "id": identity, "function": {"name": name, "arguments": arguments[:half]}}
    return [{"tool_calls": [begun]}, {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}]


def _mcp(asked: Any) -> Any:
    """An answer of MCP 2026-07-28, where every request stands alone."""
    if asked["method"] == "tools/list":
        result: Any = {"tools": [ECHO]}
    else:
        result = {"content": [{"type": "text", "text": asked["params"]["arguments"]["word"]}]}
    return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(World, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
