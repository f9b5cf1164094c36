"""The story of openai_story.py, told by the Azure AI agents client: `azure_story.py URL`.

The key is in OPENAI_API_KEY. The client sends a token of Azure only over TLS; here its policy for keys sends the key of
the service, which is as `Bearer` as the token would be.
"""

import json
import os
import sys
import time
from typing import Any

from azure.ai.agents import AgentsClient
from azure.ai.agents.models import AgentEventHandler, FunctionTool, ListSortOrder, MessageRole, ToolOutput
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.policies import AzureKeyCredentialPolicy

ENDED = ("completed", "cancelled", "requires_action", "failed")


def look_up(word: str) -> str:
    """Look a word up.

    :param word: The word.
    """
    return "a place for ships"


def ended(client: AgentsClient, run: Any) -> Any:
    """A run once it has ended or waits."""
    while run.status not in ENDED:
        time.sleep(0.05)
        run = client.runs.get(run.thread_id, run.id)
    return run


def asked(client: AgentsClient, text: str) -> str:
    """A thread with a message."""
    thread = client.threads.create()
    client.messages.create(thread.id, role=MessageRole.USER, content=text)
    return str(thread.id)


def reply(client: AgentsClient, thread: str) -> Any:
    """The text of the agent's last message."""
    found = client.messages.get_last_message_text_by_role(thread, MessageRole.AGENT)
    return found and found.text.value


def polled(client: AgentsClient, agent: Any) -> Any:
    """A run that is waited for, and its message."""
    thread = asked(client, "hi")
    run = ended(client, client.runs.create(thread, agent_id=agent.id))
    messages = client.messages.list(thread, order=ListSortOrder.ASCENDING)
    return [run.status, [message.text_messages[0].text.value for message in messages], run.usage.total_tokens]


def streamed(client: AgentsClient, agent: Any) -> Any:
    """A run that is watched: its events and its text."""
    names, text = [], ""
    with client.runs.stream(asked(client, "hi"), agent_id=agent.id) as stream:
        for name, data, _ in stream:
            if name != "done":
                names.append(str(name))
            if name == "thread.message.delta":
                text += data.text
    return [names, text]


def called(client: AgentsClient, agent: Any) -> Any:
    """A run that calls a function; its arguments as polled, its steps, and its reply after the outputs."""
    thread = asked(client, "look it up")
    run = ended(client, client.runs.create(thread, agent_id=agent.id))
    [call] = run.required_action.submit_tool_outputs.tool_calls
    told = [run.status, call.function.name, json.loads(call.function.arguments)]
    outputs = [ToolOutput(tool_call_id=call.id, output="a place for ships")]
    run = ended(client, client.runs.submit_tool_outputs(thread, run.id, tool_outputs=outputs))
    steps = [step.type for step in client.run_steps.list(thread, run.id, order=ListSortOrder.ASCENDING)]
    return [*told, run.status, steps, reply(client, thread)]


class Watching(AgentEventHandler):  # type: ignore[misc]  # it is not there for the type checker
    """Puts a call together out of its pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = 0
        self.text = ""
        self.name = ""
        self.arguments = ""

    def on_run_step_delta(self, delta: Any) -> None:
        self.pieces += 1
        [call] = delta.delta.step_details.tool_calls
        told = call.function if hasattr(call, "function") else call["function"]
        self.name += told.get("name") or ""
        self.arguments += told.get("arguments") or ""

    def on_message_delta(self, delta: Any) -> None:
        self.text += delta.text


def called_in_a_stream(client: AgentsClient, agent: Any) -> Any:
    """The same, watched; the client calls the function and gives its output by itself."""
    watching = Watching()
    with client.runs.stream(asked(client, "look it up"), agent_id=agent.id, event_handler=watching) as stream:
        stream.until_done()
    return [watching.pieces > 1, watching.name, json.loads(watching.arguments), watching.text]


def cancelled(client: AgentsClient, agent: Any) -> Any:
    """A run that is cancelled while the model speaks."""
    run = client.runs.create(asked(client, "take your time"), agent_id=agent.id)
    answer = client.runs.cancel(run.thread_id, run.id)
    return [answer.status, ended(client, answer).status]


def refused(client: AgentsClient) -> Any:
    """What is not there."""
    try:
        client.threads.get("thread_none")
    except ResourceNotFoundError as error:
        return [error.status_code, error.error.message if error.error else str(error)]
    return None


def main(url: str) -> None:
    """Tell the story and print it."""
    credential = AzureKeyCredential(os.environ["OPENAI_API_KEY"])
    policy: Any = AzureKeyCredentialPolicy(credential, "Authorization", prefix="Bearer")
    with AgentsClient(url, credential, authentication_policy=policy) as client:
        tool = FunctionTool({look_up})
        client.enable_auto_function_calls({look_up})
        plain = client.create_agent(model="any", instructions="Be brief.")
        able = client.create_agent(model="any", tools=tool.definitions)
        seen = {
            "polled": polled(client, plain),
            "streamed": streamed(client, plain),
            "called": called(client, able),
            "called_in_a_stream": called_in_a_stream(client, able),
            "cancelled": cancelled(client, plain),
            "refused": refused(client),
            "deleted": client.delete_agent(able.id) is None,
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
