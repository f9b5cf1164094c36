from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.threads.conftest import Service


@pytest.fixture(scope="session")
def numbered(service: "Service") -> str:
    """The path of a thread's 25 messages, "0" to "24", most of them made in the same second."""
    texts = [{"role": "user", "content": str(n)} for n in range(25)]
    thread = service.call("POST", "/threads", {"messages": texts}).json
    return f"/threads/{thread['id']}/messages"


def _page(service: "Service", path: str) -> tuple[list[int], dict[str, Any]]:
    body: dict[str, Any] = service.call("GET", path).json
    return [int(message["content"][0]["text"]["value"]) for message in body["data"]], body


def test_a_list_is_the_newest_twenty_in_its_envelope(service: "Service", numbered: str) -> None:
    numbers, body = _page(service, numbered)
    assert numbers == list(range(24, 4, -1))
    assert list(body) == ["object", "data", "first_id", "last_id", "has_more"]
    assert (body["object"], body["has_more"]) == ("list", True)
    assert (body["first_id"], body["last_id"]) == (body["data"][0]["id"], body["data"][-1]["id"])


def test_an_empty_list_has_no_ids_and_no_more(service: "Service") -> None:
    thread = service.call("POST", "/threads").json
    empty: dict[str, Any] = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert service.call("GET", f"/threads/{thread['id']}/runs").json == empty


def test_a_page_of_none_says_whether_there_are_any(service: "Service", numbered: str) -> None:
    empty: dict[str, Any] = {"object": "list", "data": [], "first_id": None, "last_id": None}
    assert service.call("GET", f"{numbered}?limit=0").json == empty | {"has_more": True}
    bare = service.call("POST", "/threads").json
    assert service.call("GET", f"/threads/{bare['id']}/messages?limit=0").json == empty | {"has_more": False}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 4, 5, 25, 100])
def test_walking_with_after_meets_every_object_once(service: "Service", numbered: str, order: str, limit: int) -> None:
    met: list[int] = []
    cursor = ""
    while True:
        numbers, body = _page(service, f"{numbered}?order={order}&limit={limit}{cursor}")
        met += numbers
        if not body["has_more"]:
            break
        cursor = f"&after={body['last_id']}"
    assert met == (list(range(25)) if order == "asc" else list(range(24, -1, -1)))


def test_walking_back_with_before_gives_the_page_just_before(service: "Service", numbered: str) -> None:
    _, body = _page(service, f"{numbered}?order=asc&limit=25")
    tenth = body["data"][10]["id"]
    numbers, page = _page(service, f"{numbered}?order=asc&limit=4&before={tenth}")
    assert (numbers, page["has_more"]) == ([6, 7, 8, 9], True)
    numbers, page = _page(service, f"{numbered}?order=desc&limit=100&before={tenth}")
    assert (numbers, page["has_more"]) == (list(range(24, 10, -1)), False)


def test_after_and_before_together_give_what_lies_between(service: "Service", numbered: str) -> None:
    _, body = _page(service, f"{numbered}?order=asc&limit=25")
    third, ninth = body["data"][3]["id"], body["data"][9]["id"]
    numbers, _ = _page(service, f"{numbered}?order=asc&after={third}&before={ninth}")
    assert numbers == [4, 5, 6, 7, 8]


def test_the_sdk_walks_the_runs_of_a_thread(service: "Service") -> None:
    thread, assistant = service.thread("hi"), service.assistant()
    made = [service.ended(service.start(thread, assistant)).id for _ in range(5)]
    walked = [run.id for run in service.client.beta.threads.runs.list(thread.id, limit=2)]
    assert walked == made[::-1]


def test_messages_can_be_listed_by_run(service: "Service") -> None:
    thread, assistant = service.thread("hi"), service.assistant()
    first = service.ended(service.start(thread, assistant))
    service.ended(service.start(thread, assistant))
    found = service.client.beta.threads.messages.list(thread.id, run_id=first.id).data
    assert [(message.run_id, message.role) for message in found] == [(first.id, "assistant")]


def test_a_cursor_of_another_list_is_refused(service: "Service", numbered: str) -> None:
    other = service.thread("elsewhere")
    foreign = service.client.beta.threads.messages.list(other.id).data[0].id
    answer = service.call("GET", f"{numbered}?after={foreign}")
    assert (answer.status, answer.json["error"]["param"]) == (400, "after")
