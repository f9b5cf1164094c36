"""Web pages of other origins call what the document lets them, and nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.asking import Answer
    from tests.conftest import Upstream
    from tests.rest.conftest import Served

Serve = Callable[..., "Served"]
APP = "https://app.example.com"
CORS = {"origins": [APP, "http://localhost:5173/"], "headers": ["X-Extra"], "exposeHeaders": ["X-Total"], "maxAge": 60}


def asks(served: "Served", method: str = "GET", origin: str = APP) -> "Answer":
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return served.call("OPTIONS", "/x", headers=headers)


def test_a_browser_is_told_what_a_page_may_do(serve: Serve) -> None:
    inputs = [{"name": "X-Trace", "in": "header"}]
    served = serve(
        {"inputParameters": inputs}, cors=CORS, authentication={"type": "apikey", "key": "X-Key", "value": "s"}
    )
    answer = asks(served)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, APP)
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    headers = set(answer.headers["access-control-allow-headers"].split(", "))
    assert {"content-type", "authorization", "x-trace", "x-key", "x-extra"} <= headers
    assert answer.headers["access-control-max-age"] == "60"
    assert "origin" in answer.headers["vary"]


def test_a_page_may_read_every_answer_even_a_refusal(serve: Serve) -> None:
    served = serve({}, cors=CORS, authentication={"type": "bearer", "token": "s"})
    refused = served.get("/x", Origin=APP)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, APP)
    answer = served.get("/x", Origin=APP, Authorization="Bearer s")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, APP)
    assert {"x-total", "etag"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in served.get("/x", Authorization="Bearer s").headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example.com", "http://app.example.com", f"{APP}.evil.com", "null"])
def test_no_other_origin_is_ever_reflected(serve: Serve, upstream: "Upstream", origin: str) -> None:
    served = serve({}, cors=CORS)
    for answer in (served.get("/x", Origin=origin), asks(served, origin=origin)):
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    assert upstream.requests == []


def test_nothing_is_allowed_where_nothing_is_declared(serve: Serve) -> None:
    served = serve({})
    answer = served.get("/x", Origin="http://localhost:1")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert asks(served).status == 403


def test_every_page_may_call_where_the_document_says_so(serve: Serve) -> None:
    served = serve({}, cors={"origins": ["*"]})
    answer = served.get("/x", Origin="https://any.test")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "origin" not in answer.headers["vary"]


def test_credentials_are_allowed_for_named_origins(serve: Serve) -> None:
    answer = serve({}, cors={"origins": [APP], "credentials": True}).get("/x", Origin=APP)
    assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b"])
def test_a_form_of_a_foreign_page_is_refused(serve: Serve, upstream: "Upstream", kind: str) -> None:
    served = serve({"method": "POST"}, cors={"origins": [APP]})
    headers = {"Origin": "http://localhost:1", "Content-Type": kind}
    assert served.call("POST", "/x", b"a=b", headers).status == 403
    assert upstream.requests == []
    assert served.call("POST", "/x", b"", headers | {"Origin": f"http://{served.host}"}).status == 200
    assert served.call("POST", "/x", b"", headers | {"Origin": APP}).status == 200


@pytest.mark.parametrize(
    ("cors", "code", "message"),
    [
        ({"origins": ["https://a.test/path"]}, "SRV006", "`https://a.test/path` is no origin"),
        ({"origins": ["a.test"]}, "SRV006", "`a.test` is no origin"),
        ({"origins": ["https://*.a.test"]}, "SRV006", "`https://*.a.test` is no origin"),
        ({"origins": [APP], "headers": ["a b"]}, "SRV006", "`a b` is no name of a header"),
        (
            {"origins": ["*"], "credentials": True},
            "SRV006",
            "`credentials` cannot go with every origin: any page could act as its visitor",
        ),
        ({"origins": ["*"]}, "SRV007", "any web page that somebody here opens may call `web`, which asks nobody"),
    ],
)
def test_what_cannot_be_kept_is_told(told: Any, cors: dict[str, Any], code: str, message: str) -> None:
    assert (code, message) in told({}, cors=cors)
