"""The events of a run in the order clients expect (Assistants API v2, streaming). Pure.

run.created, run.queued, run.in_progress, step.created, step.in_progress, message.created, message.in_progress,
message.delta as often as there is text, message.completed, step.completed, run.completed. A step and a message
are announced with their first text, so that a run that fails before it leaves neither open.
"""

from capably.threads.broadcast import Event
from capably.threads.objects import (
    IncompleteMessage,
    Json,
    Message,
    MessageFault,
    MessageStatus,
    Run,
    RunStep,
    text_part,
)

INTERRUPTED = Event(
    "error",
    {
        "error": {
            "message": "The service had to leave this run for now. It is kept and goes on later; read it by its id.",
            "type": "server_error",
            "param": None,
            "code": "run_interrupted",
        }
    },
)


def run_event(run: Run, status: str | None = None) -> Event:
    """The event that says a run's status, or another word about it such as created."""
    return Event(f"thread.run.{status or run.status}", run.as_json())


def opening(run: Run, created_at: int) -> list[Event]:
    """The step and the message that begin with the first text, at a time in unix seconds."""
    step = run_step(run, created_at)
    message = reply(run, created_at, "")
    return [
        Event("thread.run.step.created", step.as_json()),
        Event("thread.run.step.in_progress", step.as_json()),
        Event("thread.message.created", message.as_json()),
        Event("thread.message.in_progress", message.as_json()),
    ]


def delta(run: Run, text: str, *, first: bool) -> Event:
    """Some more text of the reply; the first time with the list of annotations it has none of."""
    value: Json = {"value": text} | ({"annotations": []} if first else {})
    part = {"index": 0, "type": "text", "text": value}
    return Event(
        "thread.message.delta",
        {"id": run.reply_id, "object": "thread.message.delta", "delta": {"content": [part]}},
    )


def closing(run: Run, message: Message | None) -> list[Event]:
    """The last events of a run that has ended, with the reply it left in the thread, if any."""
    events = []
    if message is not None:
        step = run_step(run, message.created_at)
        events.append(Event(f"thread.message.{message.status}", message.as_json()))
        events.append(Event(f"thread.run.step.{step.status}", step.as_json()))
    return [*events, run_event(run)]


def run_step(run: Run, created_at: int) -> RunStep:
    """The step that writes a run's message, in the state the run's status implies."""
    status = {"failed": "failed", "expired": "expired", "completed": "completed", "incomplete": "completed"}
    return RunStep.model_validate(
        {
            "id": run.step_id,
            "created_at": created_at,
            "assistant_id": run.assistant_id,
            "thread_id": run.thread_id,
            "run_id": run.id,
            "status": status.get(run.status, "in_progress"),
            "step_details": {"type": "message_creation", "message_creation": {"message_id": run.reply_id}},
            "last_error": run.last_error,
            "expired_at": run.expires_at if run.status == "expired" else None,
            "cancelled_at": run.cancelled_at,
            "failed_at": run.failed_at,
            "completed_at": run.completed_at,
            "metadata": {},
            "usage": run.usage,
        }
    )


def reply(
    run: Run, created_at: int, text: str, *, ended_at: int | None = None, fault: MessageFault | None = None
) -> Message:
    """The assistant's message of a run: in progress, completed, or cut by a fault; times in unix seconds."""
    status: MessageStatus = "in_progress" if ended_at is None else "incomplete" if fault else "completed"
    return Message(
        id=run.reply_id,
        created_at=created_at,
        thread_id=run.thread_id,
        status=status,
        incomplete_details=IncompleteMessage(reason=fault) if fault else None,
        completed_at=ended_at if status == "completed" else None,
        incomplete_at=ended_at if status == "incomplete" else None,
        role="assistant",
        content=[text_part(text)] if text else [],
        assistant_id=run.assistant_id,
        run_id=run.id,
        attachments=[],
        metadata={},
    )
