import http.client
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import openai
import pytest

from capably.threads.store.threads import Threads

if TYPE_CHECKING:
    from tests.threads.conftest import Serve, Service

THREAD = "/v1/threads/{thread}"
RUNS = f"{THREAD}/runs"
MESSAGES = f"{THREAD}/messages"
HELLO = {"role": "user", "content": "hi"}
TOOLS = [{"type": "code_interpreter"}] * 129


class Case(NamedTuple):
    name: str
    method: str
    path: str
    body: Any
    status: int
    param: str | None
    code: str | None
    says: str


def _message(name: str, change: dict[str, Any], param: str, code: str, says: str) -> Case:
    return Case(name, "POST", MESSAGES, HELLO | change, 400, param, code, says)


def _run(name: str, change: dict[str, Any], param: str, says: str) -> Case:
    body = {"assistant_id": "{assistant}"} | change
    return Case(name, "POST", RUNS, body, 400, param, "invalid_value", says)


def _assistant(name: str, change: dict[str, Any], param: str, says: str) -> Case:
    return Case(name, "POST", "/assistants", {"model": "m"} | change, 400, param, "invalid_value", says)


CASES = [
    Case("unknown path", "GET", "/v1/nothing", None, 404, None, "unknown_url", "Unknown path: GET /v1/nothing"),
    Case("wrong method", "PUT", "/threads", None, 405, None, "method_not_allowed", "does not take PUT"),
    Case("no assistant", "GET", "/assistants/asst_x", None, 404, None, None, "No assistant found with id 'asst_x'"),
    Case("no thread", "GET", "/threads/thread_x", None, 404, None, None, "No thread found with id 'thread_x'"),
    Case("no run", "GET", f"{RUNS}/run_x", None, 404, None, None, "No run found with id 'run_x'"),
    Case("no message", "GET", f"{MESSAGES}/msg_x", None, 404, None, None, "No message found with id 'msg_x'"),
    Case("no thread for a message", "POST", "/threads/t/messages", HELLO, 404, None, None, "No thread found"),
    Case("no thread for its runs", "GET", "/threads/t/runs", None, 404, None, None, "No thread found"),
    Case("no thread for its messages", "GET", "/threads/t/messages", None, 404, None, None, "No thread found"),
    Case("no assistant for a run", "POST", RUNS, {"assistant_id": "a"}, 404, None, None, "No assistant found"),
    Case("broken JSON", "POST", "/threads", b'{"metadata":', 400, None, "invalid_json", "not valid JSON"),
    Case("NaN", "POST", "/assistants", b'{"model":"m","temperature":NaN}', 400, None, "invalid_json", "not valid"),
    Case("infinity", "POST", "/assistants", b'{"model":"m","top_p":1e999}', 400, None, "invalid_json", "range"),
    Case("half a character", "POST", "/threads", rb'{"metadata":{"a":"\ud800"}}', 400, None, "invalid_json", "JSON"),
    Case("not UTF-8", "POST", "/threads", b'{"metadata":{"a":"\xff"}}', 400, None, "invalid_json", "utf-8"),
    Case("too deep", "POST", "/threads", b"[" * 50_000, 400, None, "invalid_json", "nested"),
    Case("a list", "POST", "/threads", [], 400, None, "invalid_body", "must be a JSON object"),
    Case("no body", "POST", "/assistants", None, 400, None, "invalid_body", "must be a JSON object"),
    Case("too large", "POST", "/threads", b" " * (1024 * 1024 + 1), 413, None, "body_too_large", "1048576 bytes"),
    Case("missing field", "POST", RUNS, {}, 400, "assistant_id", "missing_required_parameter", "'assistant_id'"),
    Case(
        "unknown field", "POST", RUNS, {"assistant_id": "a", "sream": True}, 400, "sream", "unknown_parameter", "sream"
    ),
    Case("unknown field of a thread", "POST", "/threads", {"title": "x"}, 400, "title", "unknown_parameter", "title"),
    Case(
        "modify status",
        "POST",
        f"{RUNS}/{{run}}",
        {"status": "completed"},
        400,
        "status",
        "unknown_parameter",
        "status",
    ),
    Case("limit -1", "GET", f"{RUNS}?limit=-1", None, 400, "limit", "invalid_value", "greater than or equal to 0"),
    Case("limit 101", "GET", f"{RUNS}?limit=101", None, 400, "limit", "invalid_value", "less than or equal to 100"),
    Case("limit word", "GET", f"{RUNS}?limit=ten", None, 400, "limit", "invalid_value", "integer"),
    Case("order", "GET", f"{RUNS}?order=up", None, 400, "order", "invalid_value", "'asc' or 'desc'"),
    Case("cursor", "GET", f"{RUNS}?before=run_x", None, 400, "before", "invalid_cursor", "run_x"),
    _message("role", {"role": "system"}, "role", "invalid_value", "'user' or 'assistant'"),
    _message("empty text", {"content": ""}, "content", "invalid_value", "at least 1 character"),
    _message("long text", {"content": "x" * 256_001}, "content", "invalid_value", "at most 256000"),
    _message("no parts", {"content": []}, "content", "invalid_value", "at least 1 item"),
    _message("a number", {"content": 5}, "content", "invalid_value", "a text or a list of parts"),
    _message("odd part", {"content": [{"type": "x"}]}, "content[0]", "invalid_value", "'text', 'image_url'"),
    _message(
        "textless", {"content": [{"type": "text"}]}, "content[0].text", "missing_required_parameter", "content[0].text"
    ),
    _message("17 pairs", {"metadata": {str(n): "" for n in range(17)}}, "metadata", "invalid_value", "at most 16"),
    _message("long key", {"metadata": {"k" * 65: ""}}, f"metadata.{'k' * 65}", "invalid_value", "at most 64"),
    _message("long value", {"metadata": {"k": "v" * 513}}, "metadata.k", "invalid_value", "at most 512"),
    _message("number in metadata", {"metadata": {"k": 1}}, "metadata.k", "invalid_value", "valid string"),
    _run("few tokens", {"max_completion_tokens": 255}, "max_completion_tokens", "greater than or equal to 256"),
    _run("few prompt tokens", {"max_prompt_tokens": 1}, "max_prompt_tokens", "greater than or equal to 256"),
    _run("hot", {"temperature": 2.1}, "temperature", "less than or equal to 2"),
    _run("text for a number", {"top_p": "1"}, "top_p", "valid number"),
    _run("text for a flag", {"stream": "true"}, "stream", "valid boolean"),
    _run("odd tool choice", {"tool_choice": "sometimes"}, "tool_choice", "'required'"),
    _assistant("nowhere", {"tools": [{"type": "mcp", "server_label": "a"}]}, "tools[0]", "'server_url'"),
    _assistant(
        "odd address",
        {"tools": [{"type": "mcp", "server_label": "a", "server_url": "x"}]},
        "tools[0].server_url",
        "http",
    ),
    _run("odd format", {"response_format": {"type": "xml"}}, "response_format.type", "'json_schema'"),
    _run("uncounted", {"truncation_strategy": {"type": "last_messages"}}, "truncation_strategy", "how many messages"),
    _run(
        "nested role", {"additional_messages": [HELLO, {**HELLO, "role": "x"}]}, "additional_messages[1].role", "user"
    ),
    _assistant("129 tools", {"tools": TOOLS}, "tools", "at most 128"),
    _assistant("odd tool", {"tools": [{"type": "shell"}]}, "tools[0].type", "'function'"),
    _assistant("nameless tool", {"tools": [{"type": "function"}]}, "tools[0]", "function.name"),
    _assistant("long name", {"name": "n" * 257}, "name", "at most 256"),
    _assistant("long description", {"description": "d" * 513}, "description", "at most 512"),
    _assistant("long instructions", {"instructions": "i" * 256_001}, "instructions", "at most 256000"),
]


@pytest.fixture(scope="session")
def names(service: "Service") -> dict[str, str]:
    thread, assistant = service.thread("hi"), service.assistant()
    run = service.ended(service.start(thread, assistant))
    return {"thread": thread.id, "assistant": assistant.id, "run": run.id}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_an_error_has_one_shape_and_names_what_is_wrong(service: "Service", names: dict[str, str], case: Case) -> None:
    body = case.body
    if isinstance(body, dict):
        body = json.loads(json.dumps(body).replace("{assistant}", names["assistant"]))
    answer = service.call(case.method, case.path.format(**names), body)
    assert answer.status == case.status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])
    assert list(answer.json) == ["error"]
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", case.param, case.code)
    assert case.says in error["message"]


def test_a_refused_body_leaves_nothing_behind(service: "Service", names: dict[str, str]) -> None:
    path = MESSAGES.format(**names)
    before = service.call("GET", path).json
    refused = {"assistant_id": names["assistant"], "additional_messages": [HELLO, {"role": "user"}]}
    assert service.call("POST", RUNS.format(**names), refused).status == 400
    assert service.call("GET", path).json == before


def test_a_form_is_answered_with_the_content_type_to_send(service: "Service") -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = service.call("POST", "/threads", b"{}", form)
    assert answer.status == 400
    assert "'Content-Type: application/json'" in answer.json["error"]["message"]


def test_a_body_of_unknown_length_is_held_to_the_limit(service: "Service") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
    chunks = iter([b" " * 65536] * 17)
    try:
        connection.request("POST", "/threads", chunks, headers, encode_chunked=True)
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read())["error"]["code"] == "body_too_large"
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "missing_api_key"),
        ("Basic abc", "missing_api_key"),
        ("Bearer ", "missing_api_key"),
        ("Bearer sk-wrong", "invalid_api_key"),
        ("Bearer ck_000000000000_" + "a" * 43, "invalid_api_key"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/assistants"), ("POST", "/threads"), ("GET", "/nothing")])
def test_without_a_good_key_the_answer_says_how_to_make_one(
    service: "Service", method: str, path: str, header: str, code: str
) -> None:
    answer = service.call(method, path, b"{", {"Authorization": header})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "x-request-id" in answer.headers
    assert answer.json["error"]["code"] == code
    assert f"capably threads key create --data {service.data}" in answer.json["error"]["message"]


def test_a_key_with_one_character_changed_is_refused(service: "Service") -> None:
    last = "A" if service.key[-1] != "A" else "B"
    changed = {"Authorization": f"Bearer {service.key[:-1]}{last}"}
    assert service.call("GET", "/assistants", headers=changed).status == 401


def test_the_sdk_raises_its_own_errors(service: "Service") -> None:
    threads = service.client.beta.threads
    with pytest.raises(openai.NotFoundError, match="No thread found"):
        threads.retrieve("thread_x")
    with pytest.raises(openai.BadRequestError) as refused:
        threads.create(metadata={"k": "v" * 513})
    assert (refused.value.param, refused.value.code) == ("metadata.k", "invalid_value")
    with pytest.raises(openai.AuthenticationError):
        service.client.with_options(api_key="sk-wrong").beta.threads.create()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "192.168.0.1:8890", "[::2]:1", "x:"])
def test_a_host_name_of_elsewhere_is_refused_on_loopback(service: "Service", host: str) -> None:
    answer = service.call("GET", "/health", headers={"Host": host})
    assert (answer.status, answer.json["error"]["code"]) == (421, "invalid_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8890", "127.0.0.1:1", "[::1]:8890", "[::1]"])
def test_every_name_of_this_machine_is_taken(service: "Service", host: str) -> None:
    assert service.call("GET", "/health", headers={"Host": host}).status == 200


def test_any_host_name_is_taken_when_the_service_is_not_on_loopback(serve: "Serve") -> None:
    service = serve(host="0.0.0.0")  # noqa: S104 - only says so; the socket of the test is on loopback
    assert service.call("GET", "/health", headers={"Host": "threads.example"}).status == 200


def test_what_is_open_says_what_it_is_and_loads_nothing_from_elsewhere(service: "Service") -> None:
    closed = {"Authorization": ""}
    about = service.call("GET", "/", headers=closed).json
    assert about["answers"] == "offline responder (no language model)"
    assert service.call("GET", "/health", headers=closed).json == {"status": "ok"}
    schema = service.call("GET", "/openapi.json", headers=closed)
    assert "/threads/{thread_id}/runs" in schema.json["paths"]
    assert len(schema.json["components"]["schemas"]["Run"]["required"]) >= 20
    page = service.call("GET", "/docs", headers=closed)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; connect-src 'self'")
    assert b"http" not in page.body
    assert service.call("GET", "/redoc").status == 404


def test_a_fault_of_the_service_is_told_in_the_same_shape_without_its_details(
    here: "Service", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Threads, "read", broken)
    answer = here.call("GET", "/threads/thread_x")
    assert answer.status == 500
    error = answer.json["error"]
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert answer.headers["x-request-id"] in error["message"]
    assert "secret detail" not in error["message"]
    assert answer.headers["x-request-id"] in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/threads", "GET, POST"),
        ("OPTIONS", "/v1/assistants/{assistant}", "DELETE, GET, POST"),
        ("DELETE", "/threads/{thread}/runs/{run}", "GET, POST"),
    ],
)
def test_a_method_a_path_does_not_take_is_answered_with_all_it_does(
    service: "Service", names: dict[str, str], method: str, path: str, allowed: str
) -> None:
    answer = service.call(method, path.format(**names))
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.json["error"]["code"] == "method_not_allowed"


def test_the_document_of_the_service_names_what_it_answers(service: "Service") -> None:
    document = service.call("GET", "/openapi.json").json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            expected = {"200"} if path in ("/", "/health") else {"200", "400", "401", "404", "413", "421", "429", "500"}
            assert set(operation["responses"]) == expected, (method, path)
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("event_id", ["99999999999999999999999", "9" * 5000, "-1", "x", "", "2147483648"])
def test_an_odd_last_event_id_does_no_harm(service: "Service", names: dict[str, str], event_id: str) -> None:
    path = f"/threads/{names['thread']}/runs/{names['run']}/events"
    assert service.call("GET", path, headers={"Last-Event-ID": event_id}).status == 200
    assert service.call("GET", f"{path}?after={2**63}").status == 400


def test_numbers_are_whole_as_json_means_it_and_within_bounds(service: "Service", names: dict[str, str]) -> None:
    thread = service.thread("hi")
    body = {"assistant_id": names["assistant"], "max_completion_tokens": 256.0}
    run = service.call("POST", f"/threads/{thread.id}/runs", body).json
    assert run["max_completion_tokens"] == 256
    for odd in (2**31, 10**30, 256.5, "256", True):
        answer = service.call("POST", f"/threads/{thread.id}/runs", body | {"max_completion_tokens": odd})
        assert (answer.status, answer.json["error"]["param"]) == (400, "max_completion_tokens"), odd


def test_a_text_that_no_database_column_takes_is_refused(service: "Service") -> None:
    for field in ("model", "name", "description", "instructions"):
        answer = service.call("POST", "/assistants", {"model": "m"} | {field: "a\x00b"})
        assert (answer.status, answer.json["error"]["param"]) == (400, field)
    assert service.call("GET", "/assistants/a%00b").status == 404
    assert service.call("GET", "/assistants?after=a%00b").status == 400
    message = service.thread("a\x00b")
    assert service.texts(message) == [("user", "a\x00b")]
    assert service.call("GET", "/assistants?after=&before=").status == 200
