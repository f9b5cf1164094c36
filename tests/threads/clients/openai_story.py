"""One story told by the SDK of OpenAI, or by AIMLAPI's, which is made from it: `openai_story.py openai URL`.

The key is in OPENAI_API_KEY. What the client has seen is printed as JSON; test_threads_clients says what it has to be.
"""

import importlib
import json
import sys
import warnings
from typing import Any

LOOK_UP = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    },
}


def polled(runs: Any, beta: Any, assistant: Any) -> Any:
    """A run that is waited for, and its message."""
    thread = beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    messages = beta.threads.messages.list(thread.id, order="asc")
    return [run.status, [message.content[0].text.value for message in messages], run.usage.total_tokens]


def streamed(runs: Any, beta: Any, assistant: Any) -> Any:
    """A run that is watched: its events, and its text as the client puts it together."""
    thread = beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    with runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        names = [event.event for event in stream]
        text = stream.get_final_messages()[0].content[0].text.value
    return [names, text]


def called(runs: Any, beta: Any, assistant: Any) -> Any:
    """A run that calls a function; its arguments as polled, its steps, and its reply after the outputs."""
    thread = beta.threads.create(messages=[{"role": "user", "content": "look it up"}])
    run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    [call] = run.required_action.submit_tool_outputs.tool_calls
    told = [run.status, call.function.name, json.loads(call.function.arguments)]
    outputs = [{"tool_call_id": call.id, "output": "a place for ships"}]
    run = runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread.id, tool_outputs=outputs)
    steps = runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    reply = beta.threads.messages.list(thread.id).data[0].content[0].text.value
    return [*told, run.status, [step.type for step in steps], reply]


def called_in_a_stream(runs: Any, beta: Any, assistant: Any) -> Any:
    """The same, watched: the call as the client puts it together out of its pieces."""
    thread = beta.threads.create(messages=[{"role": "user", "content": "look it up"}])
    with runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        pieces = sum(event.event == "thread.run.step.delta" for event in stream)
        [step] = stream.get_final_run_steps()
    [call] = step.step_details.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "a place for ships"}]
    given = {"run_id": step.run_id, "thread_id": thread.id, "tool_outputs": outputs}
    with runs.submit_tool_outputs_stream(**given) as stream:
        text = "".join(stream.text_deltas)
    return [pieces > 1, call.function.name, json.loads(call.function.arguments), text]


def cancelled(runs: Any, beta: Any, assistant: Any) -> Any:
    """A run that is cancelled while the model speaks."""
    thread = beta.threads.create(messages=[{"role": "user", "content": "take your time"}])
    run = runs.create(thread_id=thread.id, assistant_id=assistant.id)
    answer = runs.cancel(run.id, thread_id=thread.id)
    return [answer.status, runs.poll(run.id, thread_id=thread.id).status]


def refused(package: Any, beta: Any) -> Any:
    """What is not there."""
    try:
        beta.threads.retrieve("thread_none")
    except package.NotFoundError as error:
        return [error.status_code, error.body["message"]]
    return None


def main(name: str, url: str) -> None:
    """Tell the story and print it."""
    warnings.simplefilter("ignore", DeprecationWarning)
    package = importlib.import_module(name)
    with (package.AIMLAPI if name == "aimlapi" else package.OpenAI)(base_url=url, max_retries=0) as client:
        beta = client.beta
        runs = beta.threads.runs
        plain = beta.assistants.create(model="any", instructions="Be brief.")
        able = beta.assistants.create(model="any", tools=[LOOK_UP])
        seen = {
            "polled": polled(runs, beta, plain),
            "streamed": streamed(runs, beta, plain),
            "called": called(runs, beta, able),
            "called_in_a_stream": called_in_a_stream(runs, beta, able),
            "cancelled": cancelled(runs, beta, plain),
            "refused": refused(package, beta),
            "deleted": beta.assistants.delete(able.id).deleted,
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
