"""Documents with steps: written, compiled, and run against answers that a test gives or a real upstream sends."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capably.examine import Examined, examine
from capably.plan.caller import Question, Response
from capably.plan.effects import Call, Ended, Start
from capably.plan.interpreter import MOST_AT_ONCE, run_flow
from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Outcome
from capably.upstream.reply import Reply

OPERATIONS = (
    ("get-ship", "GET", "/ships/{imo}"),
    ("list-crew", "GET", "/crew"),
    ("get-port", "GET", "/ports/{id}"),
    ("book", "POST", "/bookings"),
    ("cancel", "DELETE", "/bookings/{id}"),
)


def written(tool: dict[str, Any], base: str = "http://up.test", **more: Any) -> str:
    """A document that exposes a tool, and what more the capability holds."""
    consumed = [
        {"name": name, "path": path, "operations": [{"name": name, "method": method}]}
        for name, method, path in OPERATIONS
    ]
    api = {"type": "http", "namespace": "up", "baseUri": base, "resources": consumed}
    server = {"type": "mcp", "namespace": "agent", "port": 9090, "tools": [{"name": "t", "description": "T.", **tool}]}
    rest = more.pop("exposes", [])
    body = {"consumes": [api], "exposes": [server, *rest], **more}
    return json.dumps({"ikanos": "1.0.0-beta4", "capability": body}, indent=1)


Answer = Callable[[Start], Any]


@dataclass(frozen=True)
class Flows:
    """A compiled document."""

    examined: Examined

    @property
    def operation(self) -> Operation:
        assert self.examined.compiled is not None
        return self.examined.compiled.plan.servers[0].operations[0]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Code and message of what is said, but for extensions, inferred inputs and the made-up upstream."""
        usual = {"INP001", "VAR001", "FLW010"}
        return [(item.code, item.message) for item in self.examined.diagnostics if item.code not in usual]

    def run(self, answer: Answer, at_once: int = MOST_AT_ONCE, journal: Any = None, **inputs: Any) -> Outcome:
        """Run it; what is in flight ends in the order it started."""
        return run_to_end(self.operation, answer, at_once, journal, **inputs)

    def value(self, answer: Answer, **inputs: Any) -> Any:
        """The JSON of its answer."""
        return json.loads(self.run(answer, **inputs).body)


def run_to_end(
    operation: Operation, answer: Answer, at_once: int = MOST_AT_ONCE, journal: Any = None, **inputs: Any
) -> Outcome:
    turns = run_flow(operation, inputs, journal, at_once)
    waiting: list[Start] = []
    try:
        turn = next(turns)
        while True:
            waiting += turn.starts
            assert len(waiting) <= at_once
            turn = turns.send(ended(waiting.pop(0), answer) if waiting else None)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def ended(start: Start, answer: Answer) -> Ended:
    """How an effect ends, when it is answered so."""
    try:
        value = answer(start)
    except Fault as fault:
        return Ended(start.key, fault)
    if isinstance(start.effect, Call) and not isinstance(value, Reply):
        value = Reply(200, (("content-type", "application/json"),), json.dumps(value).encode())
    if isinstance(start.effect, Question) and not isinstance(value, Response):
        value = Response("accept", value)
    return Ended(start.key, value)


@pytest.fixture
def flows(tmp_path: Path) -> Callable[..., Flows]:
    """Writes a document with a tool, and compiles it."""

    def compiled(*steps: dict[str, Any], **tool: Any) -> Flows:
        more = {key: tool.pop(key) for key in ("aggregates", "exposes") if key in tool}
        file = tmp_path / "document.json"
        file.write_text(written({**({"steps": list(steps)} if steps else {}), **tool}, **more), encoding="utf-8")
        return Flows(examine(file))

    return compiled
