"""What a model gets to see of each outcome."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.plan.operation import ServerPlan
from capably.plan.outcome import Outcome
from capably.servers.mcp_eras import Era
from capably.servers.mcp_messages import encode_result, on_one_line
from capably.servers.mcp_results import EXCERPT_CHARACTERS, encode_tool_result, result_of


def _told(server: ServerPlan, outcome: Outcome, era: Era = Era.LEGACY) -> Any:
    return json.loads(encode_tool_result(result_of(server.operations[0], outcome, era), {}))


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": False, **more}


@pytest.mark.parametrize(
    ("media_type", "body", "result"),
    [
        ("application/json", b'{"a":1}', _text('{"a":1}', structuredContent={"a": 1})),
        ("application/json; charset=utf-8", b' \n{"a":1}', _text(' \n{"a":1}', structuredContent={"a": 1})),
        ("application/hal+json", b"{}", _text("{}", structuredContent={})),
        ("application/json", b'\xef\xbb\xbf{"a":1}', _text('{"a":1}', structuredContent={"a": 1})),
        ("application/json", b"not json", _text("not json")),
        ("application/json", b'{"cut":', _text('{"cut":')),
        ("application/json", b'{"a":"\xff"}', _text('{"a":"\ufffd"}')),
        ("application/json", b'{"a":NaN}', _text('{"a":NaN}')),
        ("application/json", b'"\\ud800"', _text('"\\ud800"')),
        ("application/json", b"[" * 5000, _text("[" * 5000)),
        ("application/json", b"[1]", _text("[1]")),
        ("application/json", b"null", _text("null")),
        ("text/plain", b'{"a":1}', _text('{"a":1}')),
        ("text/plain; charset=ISO-8859-1", b"caf\xe9", _text("café")),
        ('text/csv; header=present; charset="utf-16-le"', "é".encode("utf-16-le"), _text("é")),
        ("text/plain; charset=klingon", b"caf\xc3\xa9", _text("café")),
        ("text/plain; charset=base64", b"plain", _text("plain")),
        ("text/event-stream", b"data: 1\n\n", _text("data: 1\n\n")),
        ("image/svg+xml", b"<svg/>", _text("<svg/>")),
        ("application/xml", b"<a/>", _text("<a/>")),
        (None, b"plain", _text("plain")),
        ("application/json", b"", {"content": [], "isError": False}),
        (None, b"", {"content": [], "isError": False}),
    ],
)
def test_text_is_told_as_it_is_and_a_json_object_is_structured_too(
    server: ServerPlan, media_type: str | None, body: bytes, result: dict[str, Any]
) -> None:
    assert _told(server, Outcome(200, media_type, body)) == result


@pytest.mark.parametrize("body", [b"[1]", b'"a"', b"1", b"true", b"null"])
def test_the_modern_era_structures_any_json_value(server: ServerPlan, body: bytes) -> None:
    result = _told(server, Outcome(200, "application/json", body), Era.MODERN)
    assert result == _text(body.decode(), structuredContent=json.loads(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON, indent=st.sampled_from([None, 1]), is_ascii=st.booleans(), era=st.sampled_from(Era))
def test_json_that_is_embedded_as_it_came_is_the_value_it_says(
    server: ServerPlan, value: object, indent: int | None, era: Era, *, is_ascii: bool
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    result = _told(server, Outcome(200, "application/json", body.encode()), era)
    is_told = era is Era.MODERN or isinstance(value, dict)
    assert result == _text(body, **({"structuredContent": value} if is_told else {}))


PARTS = st.sampled_from([*'{}[]:,"0129eE.+-\\u', "\x01", "\n", "é", "true", "null", '"a"', "\\ud800", "NaN"])


@given(st.lists(PARTS).map("".join) | JSON.map(lambda value: json.dumps(value, indent=1)))
def test_whatever_claims_to_be_json_the_message_that_embeds_it_is_json(server: ServerPlan, body: str) -> None:
    outcome = Outcome(200, "application/json", body.encode())
    result = encode_tool_result(result_of(server.operations[0], outcome, Era.MODERN), {})
    message = encode_result(1, result)
    told = json.loads(on_one_line(message), parse_constant=pytest.fail)
    assert told == {"jsonrpc": "2.0", "id": 1, "result": json.loads(result)}
    assert b"\n" not in on_one_line(message)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/png", {"type": "image", "data": "/wA=", "mimeType": "image/png"}),
        ("audio/wav; rate=1", {"type": "audio", "data": "/wA=", "mimeType": "audio/wav"}),
        (
            "Application/PDF",
            {
                "type": "resource",
                "resource": {
                    "uri": "capably://transient/aimlapi-threads-runs-mcp/aimlapi-get-runs",
                    "mimeType": "application/pdf",
                    "blob": "/wA=",
                },
            },
        ),
    ],
)
def test_bytes_are_told_as_the_content_they_are(server: ServerPlan, media_type: str, content: dict[str, Any]) -> None:
    assert _told(server, Outcome(200, media_type, b"\xff\x00")) == {"content": [content], "isError": False}


def test_bytes_without_a_type_are_unknown_bytes(server: ServerPlan) -> None:
    (content,) = _told(server, Outcome(200, None, b"\xff\x00"))["content"]
    assert content["resource"]["mimeType"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("outcome", "lines"),
    [
        (
            Outcome(401, "application/json", b'{"error":"bad key"}'),
            [
                "The upstream API refused this call: 401 Unauthorized.",
                '{"error":"bad key"}',
                "The credentials belong to this server: other arguments will not help, its operator has to fix them.",
            ],
        ),
        (
            Outcome(403, None),
            [
                "The upstream API refused this call: 403 Forbidden.",
                "The credentials belong to this server and do not allow this: only its operator can change that.",
            ],
        ),
        (
            Outcome(422, "text/plain", b" too long \n"),
            [
                "The upstream API refused this call: 422 Unprocessable Entity.",
                "too long",
                "Check the arguments against the tool's input schema and what the API says above.",
            ],
        ),
        (
            Outcome(429, None, headers=(("retry-after", "30"),)),
            [
                "The upstream API refused this call: 429 Too Many Requests.",
                "Too many calls: wait before calling again. Do not call again until 30 seconds have passed.",
            ],
        ),
        (
            Outcome(503, None, headers=(("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),)),
            [
                "The upstream API failed: 503 Service Unavailable.",
                (
                    "The failure is on the API's side: try again later. "
                    "Do not call again until Wed, 21 Oct 2026 07:28:00 GMT."
                ),
            ],
        ),
        (
            Outcome(502, "text/html; charset=utf-8", b"<html><title>\n Bad <b>gateway</title><p>" + b"x" * 9000),
            [
                "The upstream API failed: 502 Bad Gateway.",
                "(Its body is an HTML page, left out here.)",
                "The failure is on the API's side: try again later.",
            ],
        ),
        (
            Outcome(500, "text/html", b"<html><TITLE lang=en> Oops </TITLE>"),
            [
                "The upstream API failed: 500 Internal Server Error.",
                '(Its body is an HTML page titled "Oops", left out here.)',
                "The failure is on the API's side: try again later.",
            ],
        ),
        (
            Outcome(503, "text/plain", b"closed", step="book"),
            [
                "The upstream API failed in step `book`: 503 Service Unavailable.",
                "closed",
                "The failure is on the API's side: try again later.",
            ],
        ),
        (
            Outcome(418, "image/png", b"\xff" * 1200),
            [
                "The upstream API refused this call: 418 I'm a Teapot.",
                "(Its body is 1,200 bytes of image/png, left out here.)",
                "Check the arguments.",
            ],
        ),
        (
            Outcome(599, None),
            ["The upstream API failed: 599.", "The failure is on the API's side: try again later."],
        ),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Outcome) else "",
)
@pytest.mark.parametrize("era", Era)
def test_a_failure_says_what_happened_what_the_api_said_and_what_to_do(
    server: ServerPlan, outcome: Outcome, lines: list[str], era: Era
) -> None:
    result = _told(server, outcome, era)
    assert result.keys() == {"content", "isError"}
    assert result["isError"] is True
    assert result["content"][0]["text"].splitlines() == lines


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_long_body_of_a_failure_is_cut_and_says_so(server: ServerPlan, character: str) -> None:
    body = (character * 1_000_000).encode()
    text = _told(server, Outcome(400, "text/plain", body))["content"][0]["text"]
    assert text.splitlines()[1] == character * EXCERPT_CHARACTERS
    assert text.splitlines()[2] == f"(Cut here: the whole body has {len(body):,} bytes.)"


@pytest.mark.parametrize("status", [200, 201, 204, 302, 399])
def test_only_errors_are_errors(server: ServerPlan, status: int) -> None:
    assert _told(server, Outcome(status, None))["isError"] is False
