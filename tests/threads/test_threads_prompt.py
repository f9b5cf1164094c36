from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capably.threads.objects import Message, Run, text_part
from capably.threads.prompt import build_prompt
from capably.threads.responder import Turn


def _message(text: str, role: str = "user", fault: str | None = None) -> Message:
    nothing = dict.fromkeys(("completed_at", "incomplete_at", "assistant_id", "run_id", "attachments"))
    return Message.model_validate(
        nothing
        | {
            "id": "msg_1",
            "created_at": 0,
            "thread_id": "thread_1",
            "status": "incomplete" if fault else "completed",
            "incomplete_details": {"reason": fault} if fault else None,
            "role": role,
            "content": [text_part(text)],
            "metadata": {},
        }
    )


def _run(**fields: Any) -> Run:
    names = ("last_error", "expires_at", "started_at", "cancelled_at", "failed_at", "completed_at", "usage", "top_p")
    limits = ("incomplete_details", "max_prompt_tokens", "max_completion_tokens", "temperature", "reasoning_effort")
    values: dict[str, Any] = dict.fromkeys((*names, *limits)) | {
        "id": "run_1",
        "created_at": 0,
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "status": "queued",
        "model": "m",
        "instructions": "",
        "tools": [],
        "metadata": {},
        "truncation_strategy": {"type": "auto"},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        "waiting": False,
        "leg": 1,
        "turn": 0,
        "attempt": 0,
        "logged": 0,
        "spent": None,
        "held": None,
        "tenant": "default",
    }
    return Run.model_validate(values | fields)


def test_a_reply_cut_at_its_limit_is_shown_again_and_one_that_failed_is_not() -> None:
    messages = [_message("a"), _message("b", "assistant", "max_tokens"), _message("c", "assistant", "run_failed")]
    assert [turn.text for turn in build_prompt(_run(), messages).turns] == ["a", "b"]


def test_the_last_messages_are_kept_and_the_instructions_always() -> None:
    run = _run(instructions="Be brief.", truncation_strategy={"type": "last_messages", "last_messages": 2})
    prompt = build_prompt(run, [_message(text) for text in "abc"])
    assert prompt.turns == (Turn("system", "Be brief."), Turn("user", "b"), Turn("user", "c"))


@given(st.lists(st.text(min_size=1, max_size=900), min_size=1, max_size=12), st.integers(256, 600))
def test_a_token_limit_keeps_as_many_of_the_newest_messages_as_fit(texts: list[str], limit: int) -> None:
    kept = [turn.text for turn in build_prompt(_run(max_prompt_tokens=limit), [_message(t) for t in texts]).turns]
    assert kept == texts[-len(kept) :]
    assert len(kept) == 1 or sum(map(len, kept)) <= limit * 4
    assert len(kept) == len(texts) or sum(map(len, texts[-len(kept) - 1 :])) > limit * 4
