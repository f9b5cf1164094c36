"""Which requests a forward takes: what no operation answers, below its path."""

from typing import Any

import pytest

LIST = {"name": "list", "method": "GET", "call": "up.list"}


def test_operations_of_the_resource_are_tried_first(serve: Any, upstream: Any) -> None:
    entry = {"resources": [{"path": "/found/{path}", "operations": [{"name": "find", "method": "GET"}]}]}
    served = serve(entry=entry, operations=[{"name": "find", "method": "GET", "call": "up.find"}])
    for method in ("GET", "HEAD", "POST"):
        served.call(method, "/api/a/b")
    assert [(one.method, one.target) for one in upstream.seen] == [
        ("GET", "/v1/found/a%2Fb"),
        ("GET", "/v1/found/a%2Fb"),
        ("POST", "/v1/a/b"),
    ]


def test_a_more_specific_route_is_tried_first_and_the_forward_takes_what_it_leaves(serve: Any, upstream: Any) -> None:
    served = serve(resources=[{"path": "/api/fleet", "operations": [LIST]}])
    for method, path in (("GET", "fleet"), ("POST", "fleet"), ("GET", "fleet/7")):
        assert served.call(method, f"/api/{path}").status == 200
    assert [(one.method, one.target) for one in upstream.seen] == [
        ("GET", "/v1/ships"),
        ("POST", "/v1/fleet"),
        ("GET", "/v1/fleet/7"),
    ]


@pytest.mark.parametrize("target", ["/", "/api", "/apix/ships", "/other", "/API/ships"])
def test_other_paths_are_not_taken(forward: Any, upstream: Any, target: str) -> None:
    assert forward.call("GET", target).status == 404
    assert upstream.seen == []


def test_a_path_that_is_no_utf_8_is_refused_where_no_forward_takes_it(forward: Any) -> None:
    assert forward.call("GET", "/other/%FF").status == 400


def test_the_longest_forward_wins(serve: Any, upstream: Any) -> None:
    other = {"path": "/api/deep/{path}", "forward": {"targetNamespace": "up", "trustedHeaders": ["X-A"]}}
    served = serve(resources=[other])
    served.call("GET", "/api/deep/x", headers={"X-A": "1"})
    served.call("GET", "/api/flat/x", headers={"X-A": "1"})
    assert [(one.target, "x-a" in one.named) for one in upstream.seen] == [("/v1/x", True), ("/v1/flat/x", False)]


def test_web_pages_of_other_origins_are_refused(forward: Any, upstream: Any) -> None:
    assert forward.call("GET", "/api/ships", headers={"Origin": "https://else.test"}).status == 403
    assert forward.call("GET", "/api/ships", headers={"Host": "else.test"}).status == 421
    assert upstream.seen == []
