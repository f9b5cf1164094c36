"""Whatever a document or a request says, a mock answers or refuses; it never breaks."""

import contextlib
import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.document import parse_document, plain
from capably.mock.answer import Mock
from capably.mock.read import read_api
from capably.mock.request import Request
from capably.plan.outcome import Fault

NOW, CHANCE = datetime(2026, 1, 1, tzinfo=UTC), Random(0)  # noqa: S311
YARD = Path(__file__).parents[2] / "docs" / "boatyard"


def whole(name: str) -> Any:
    document, _found = parse_document(name, (YARD / name).read_bytes())
    assert document is not None
    assert document.root is not None
    return plain(document.root)


DOCUMENTS = [whole("registry-api.yaml"), whole("ledger-api.yaml")]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0.5, "", "x", "{{x}}", "$ref", "object", "#/paths", "4XX"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["$ref", "type", "allOf", "items", "value", "name", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(node: Any, *path: Any) -> list[tuple[Any, ...]]:
    """The path of every node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, item in items for place in places(item, *path, key))]


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    new = copy.deepcopy(document)
    node = new
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return new


def ask_everything(mock: Mock) -> None:
    body = b'{"boat": "B-1", "from": "a", "to": "b", "crew": []}'
    headers = {"content-type": "application/json", "authorization": "Bearer x", "x-ledger-key": "k"}
    for method, path in (("GET", "/boats"), ("GET", "/boats/B-1"), ("POST", "/trips"), ("GET", "/berths")):
        for prefer in ("", "dynamic=true", "code=404"):
            request = Request(method, path, (("free", "true"),), headers | {"prefer": prefer}, body)
            with contextlib.suppress(Fault):
                mock.answer(request, lambda: NOW, CHANCE)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_part_of_a_document_can_be_anything(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(DOCUMENTS))
    place = data.draw(st.sampled_from(places(document)))
    spoilt = replaced(document, place, data.draw(ANYTHING))
    parsed, _found = parse_document("a.json", json.dumps(spoilt).encode())
    assert parsed is not None
    api, _told = read_api(parsed)
    if api is not None:
        ask_everything(Mock(api, is_strict=data.draw(st.booleans())))


@given(
    path=st.text(alphabet="/abots%2F{}B-1é", max_size=12),
    query=st.lists(st.tuples(st.sampled_from(["state", "free", "x[y]"]), st.text(max_size=4)), max_size=3),
    headers=st.dictionaries(
        st.sampled_from(["accept", "prefer", "cookie", "content-type", "authorization", "registry-edition"]),
        st.text(alphabet='aj/*;,=q. "code404sn\x00é', max_size=20),
    ),
    body=st.binary(max_size=20) | st.sampled_from([b"[[[[", b'{"crew": 1}', b"a=1&a=2", b"\xff", b"[" * 5000]),
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "QUERY", ""]),
)
@settings(max_examples=400, deadline=None)
@pytest.mark.parametrize("document", DOCUMENTS, ids=["registry", "ledger"])
def test_any_request_is_answered_or_refused(
    *, document: Any, path: str, query: Any, headers: dict[str, str], body: bytes, method: str
) -> None:
    parsed, _found = parse_document("a.json", json.dumps(document).encode())
    assert parsed is not None
    api, _told = read_api(parsed)
    assert api is not None
    for target in (path, "/boats", "/boats/B-1", "/trips", "/berths"):
        for is_strict in (True, False):
            with contextlib.suppress(Fault):
                request = Request(method, target, tuple(query), headers, body)
                answer = Mock(api, is_strict=is_strict).answer(request, lambda: NOW, CHANCE)
                assert 200 <= answer.status < 500
