"""The events of a run in the words clients expect (Assistants API v2, streaming). Pure.

run.created, run.queued, run.in_progress, step.created, step.in_progress, message.created, message.in_progress,
message.delta as often as there is text, message.completed, step.completed, run.completed. A step and a message
are announced with their first text, so that a run that fails before it leaves neither open.

The same for calls of tools: step.created, step.in_progress, step.delta as often as there is more of a call, then
run.requires_action. A message that comes before calls is complete when they begin.
"""

from capably.threads.events import Event
from capably.threads.objects import ACTIVE, Json, Message, Run, RunStep, Thread


def run_event(run: Run, word: str | None = None) -> Event:
    """The event that says a run's status, or another word about it such as created."""
    told = word or run.status
    return Event(
        f"thread.run.{told}", run.as_json(), pause=told == "requires_action" or told not in (*ACTIVE, "created")
    )


def beginning(run: Run, thread: Thread | None = None) -> list[Event]:
    """The first events of a run, after the thread's own if it was made with the run."""
    made = [Event("thread.created", thread.as_json())] if thread else []
    return [*made, run_event(run, "created"), run_event(run, "queued")]


def step_event(step: RunStep, word: str | None = None) -> Event:
    """The event that says a step's status, or another word about it."""
    return Event(f"thread.run.step.{word or step.status}", step.as_json())


def message_event(message: Message, word: str | None = None) -> Event:
    """The event that says a message's status, or another word about it."""
    return Event(f"thread.message.{word or message.status}", message.as_json())


def opening(step: RunStep, message: Message) -> list[Event]:
    """The step and the message that begin with the first text."""
    return [
        step_event(step, "created"),
        step_event(step, "in_progress"),
        message_event(message, "created"),
        message_event(message, "in_progress"),
    ]


def delta(message_id: str, text: str, *, first: bool) -> Event:
    """Some more text of the reply; the first time with the list of annotations it has none of."""
    value: Json = {"value": text} | ({"annotations": []} if first else {})
    part = {"index": 0, "type": "text", "text": value}
    return Event(
        "thread.message.delta", {"id": message_id, "object": "thread.message.delta", "delta": {"content": [part]}}
    )


def calling(step: RunStep) -> list[Event]:
    """A step that calls tools, as it begins: readers add the deltas of its calls to none."""
    return [step_event(step, "created"), step_event(step, "in_progress")]


def step_delta(step_id: str, call: Json) -> Event:
    """What is new of one call of a step; `index` in it is its place."""
    details = {"type": "tool_calls", "tool_calls": [call]}
    return Event(
        "thread.run.step.delta", {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
    )
