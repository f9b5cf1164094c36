"""What the runs of a soak do, and what has to be true of each when it has ended, whatever was killed meanwhile."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from random import Random
from typing import Any

from threads_world import spent

BEGINNING = ("run.created", "run.queued", "run.in_progress")
CALLING = ("step.created", "step.in_progress", "step.delta")
WRITING = ("step.created", "step.in_progress", "message.created", "message.in_progress", "message.delta")
AGAIN = ("run.queued", "run.in_progress")
SAID = (*WRITING, "message.completed", "step.completed")
# A turn that is begun again gets new numbers, so numbers are missing before its first event, or before the end of a
# run that was not begun again. Nowhere else.
AFTER_GAPS = ("thread.run.step.created", "thread.run.cancelling", "thread.run.cancelled")
MARK = "story"  # the key of a run's metadata that names it, for whoever has not heard whether it was created


@dataclass(frozen=True, slots=True)
class Story:
    """A run: what its model does, and what comes of it.

    Attributes:
        name: no other has it.
        acts: of the model; see `threads_world`.
        status: how the run ends.
        events: their names, `message.delta` and `step.delta` once however many there are.
        text: of the reply.
        outputs: what calls of functions are given, in their order.
        cancelled: whether it is cancelled some time after it was created.
    """

    name: str
    acts: Sequence[Any]
    status: str
    events: Sequence[str]
    text: str = ""
    outputs: Sequence[str] = ()
    cancelled: bool = False

    @property
    def told(self) -> str:
        """The message that tells the model what to do."""
        return json.dumps(self.acts)


def says(name: str, chance: Random) -> Story:
    """A reply, some more or less slow."""
    say = _say(name, chance)
    return Story(name, (say,), "completed", (*BEGINNING, *SAID, "run.completed"), _text(say))


def asks_a_function(name: str, chance: Random) -> Story:
    """A call of a function, or two of them."""
    outputs = [f"{name}-output-{number}" for number in range(chance.choice((1, 1, 2)))]
    calls = [["look_up", json.dumps({"number": number})] for number in range(len(outputs))]
    say = _say(name, chance, outputs)
    events = (*BEGINNING, *CALLING, "run.requires_action", "step.completed", *AGAIN, *SAID, "run.completed")
    return Story(name, (_call(calls, chance), say), "completed", events, _text(say, outputs), outputs)


def asks_a_function_twice(name: str, chance: Random) -> Story:
    """A call of a function after another one."""
    outputs = [f"{name}-first", f"{name}-second"]
    say = _say(name, chance, outputs)
    once = (*CALLING, "run.requires_action", "step.completed", *AGAIN)
    events = (*BEGINNING, *once, *once, *SAID, "run.completed")
    first, second = (_call([["look_up", json.dumps({"number": number})]], chance) for number in range(2))
    return Story(name, (first, second, say), "completed", events, _text(say, outputs), outputs)


def uses_tools(name: str, chance: Random) -> Story:
    """Calls of an MCP server, which the run makes by itself."""
    words = [f"{name}-word-{number}" for number in range(chance.choice((1, 2, 3)))]
    say = _say(name, chance, words)
    calls = _call([["free_echo", json.dumps({"word": word})] for word in words], chance)
    events = (*BEGINNING, *CALLING, "step.completed", *SAID, "run.completed")
    return Story(name, (calls, say), "completed", events, _text(say, words))


def asks_for_approval(name: str, chance: Random) -> Story:
    """A call of an MCP server that waits for an approval."""
    words = [f"{name}-approved"]
    say = _say(name, chance, words)
    calls = _call([["asked_echo", json.dumps({"word": words[0]})]], chance)
    events = (*BEGINNING, *CALLING, "run.requires_action", *AGAIN, "step.completed", *SAID, "run.completed")
    return Story(name, (calls, say), "completed", events, _text(say, words))


def is_cut(name: str, chance: Random) -> Story:
    """A reply that reaches its limit."""
    say = _say(name, chance) | {"finish": "length"}
    events = (*BEGINNING, *WRITING, "message.incomplete", "step.completed", "run.incomplete")
    return Story(name, (say,), "incomplete", events, _text(say))


def is_refused(name: str, _chance: Random) -> Story:
    """A model that refuses."""
    return Story(name, ({"refuse": 400},), "failed", (*BEGINNING, "run.failed"))


def is_cancelled(name: str, chance: Random) -> Story:
    """A reply that would take long, and is cancelled somewhere in it."""
    say = {"say": [f"{name} {number} " for number in range(100)], "pause": chance.uniform(0.05, 0.2)}
    return Story(name, (say,), "cancelled", ("run.cancelling", "run.cancelled"), cancelled=True)


KINDS: Sequence[tuple[Callable[[str, Random], Story], int]] = (
    (says, 6),
    (asks_a_function, 4),
    (asks_a_function_twice, 2),
    (uses_tools, 4),
    (asks_for_approval, 2),
    (is_cut, 1),
    (is_refused, 1),
    (is_cancelled, 2),
)


def stories(count: int, chance: Random) -> list[Story]:
    """So many stories, of all kinds."""
    kinds, weights = zip(*KINDS, strict=True)
    chosen = chance.choices(kinds, weights, k=count)
    return [kind(f"{kind.__name__}-{number}", chance) for number, kind in enumerate(chosen)]


def _call(calls: Sequence[Any], chance: Random) -> dict[str, Any]:
    return {"calls": calls, "pause": chance.choice((0, 0, 0.03, 0.3))}


def _say(name: str, chance: Random, outputs: Sequence[str] = ()) -> dict[str, Any]:
    pieces = [f"{name} {number}; " for number in range(chance.randint(1, 20))]
    pieces += ["{outputs}"] if outputs else []
    return {"say": pieces, "pause": chance.choice((0, 0.01, 0.03, 0.1))}


def _text(say: Any, outputs: Sequence[str] = ()) -> str:
    return "".join(say["say"]).replace("{outputs}", " ".join(outputs))


@dataclass(frozen=True, slots=True)
class Ended:
    """A run as the service tells it at the end: the object, its messages, its steps, its events, oldest first.

    Attributes:
        seen: the events as a reader saw them who came back after each break, or None if nobody read.
        disturbed: whether a process was killed while it was executed.
    """

    run: Any
    messages: Sequence[Any]
    steps: Sequence[Any]
    events: Sequence[tuple[int, str, Any]]
    seen: Sequence[tuple[int, str, Any]] | None
    disturbed: bool


def faults(story: Story, ended: Ended) -> list[str]:
    """What is wrong with a run, each in a sentence."""
    found = list(_log_faults(ended.events, disturbed=ended.disturbed))
    names = _collapsed([name.removeprefix("thread.").replace("run.step", "step") for _, name, _ in ended.events])
    if story.cancelled and ended.run["status"] == "cancelled":
        # What else there is depends on the moment.
        names = [name for name in names if name == "run.cancelling"] + names[-1:]
    expected = list(story.events)
    if ended.run["status"] != story.status:
        found.append(f"it is {ended.run['status']}: {ended.run['last_error']}")
    elif names != expected:
        found.append(f"its events are {names} instead of {expected}")
    elif not story.cancelled:
        found += _reply_faults(story, ended)
    if ended.seen is not None:
        found += _reader_faults(ended)
    return [f"{story.name} ({ended.run['id']}): {fault}" for fault in found]


def _collapsed(names: Sequence[str]) -> list[str]:
    groups = ((name, list(group)) for name, group in groupby(names))
    return [name for name, group in groups for _ in (group[:1] if name.endswith(".delta") else group)]


def _log_faults(events: Sequence[tuple[int, str, Any]], *, disturbed: bool) -> list[str]:
    """Numbers begin with 1 and grow by one, but for turns that were begun again."""
    numbers = [number for number, _, _ in events]
    found = [] if numbers and numbers[0] == 1 else [f"its events begin with {numbers[:1]}"]
    for (before, _, _), (after, name, _) in pairwise(events):
        if after <= before:
            found.append(f"event {after} comes after {before}")
        elif after > before + 1 and not (disturbed and name in AFTER_GAPS):
            found.append(f"no events between {before} and {after}, {name}")
    return found


def _reply_faults(story: Story, ended: Ended) -> list[str]:
    found = []
    replies = ["".join(part["text"]["value"] for part in message["content"]) for message in ended.messages]
    if replies != ([story.text] if story.text else []):
        found.append(f"its messages are {replies} instead of {story.text!r}")
    if (said := _said(ended.events)) != story.text:
        found.append(f"its deltas say {said!r} instead of {story.text!r}")
    counted = [spent(act) for act in story.acts if "refuse" not in act]
    total = {key: sum(one[key] for one in counted) for key in counted[0]} if counted else None
    if ended.run["usage"] != total:
        found.append(f"its usage is {ended.run['usage']} instead of {total}")
    kinds = [step["type"] for step in ended.steps]
    expected = ["tool_calls" if "calls" in act else "message_creation" for act in story.acts if "refuse" not in act]
    if kinds != expected or any(step["status"] != "completed" for step in ended.steps):
        found.append(f"its steps are {[(step['type'], step['status']) for step in ended.steps]}")
    return found


def _said(events: Sequence[tuple[int, str, Any]]) -> str:
    """The text of deltas: of a message that is begun again, those after its new beginning."""
    said: list[str] = []
    for _, name, data in events:
        if name == "thread.message.created":
            said = []
        elif name == "thread.message.delta":
            said.append(data["delta"]["content"][0]["text"]["value"])
    return "".join(said)


def _reader_faults(ended: Ended) -> list[str]:
    seen, kept = ended.seen or (), {number for number, _, _ in ended.events}
    numbers = [number for number, _, _ in seen]
    found = []
    if numbers != sorted(set(numbers)):
        found.append(f"a reader was told {numbers}")
    if missed := kept - set(numbers):
        found.append(f"a reader missed {sorted(missed)}")
    if _said(seen) != _said(ended.events):
        found.append(f"a reader was told {_said(seen)!r} instead of {_said(ended.events)!r}")
    return found
