"""Which consumed operation a `call` means, and by which rule that was decided."""

from typing import Any

import pytest


def operation(name: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"name": name, "method": method, **more}


def document(operations: list[tuple[str, str, dict[str, Any]]], *servers: Any, namespace: str = "up") -> dict[str, Any]:
    """Consumed operations as (resource name, path, operation), each in a resource of its own."""
    resources = [{"name": name, "path": path, "operations": [one]} for name, path, one in operations]
    api = {"type": "http", "namespace": namespace, "baseUri": "https://up.test", "resources": resources}
    return {"ikanos": "1.0.0-beta4", "capability": {"consumes": [api], "exposes": list(servers)}}


def tools(*calls: dict[str, Any] | str) -> dict[str, Any]:
    listed = [{"name": f"t{n}", **(c if isinstance(c, dict) else {"call": c})} for n, c in enumerate(calls)]
    return {"type": "mcp", "namespace": "agent", "port": 9090, "tools": listed}


def routes(*routes: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    resources = [
        {"path": path, "operations": [{"method": method, "call": "up.get", **more}]} for method, path, more in routes
    ]
    return {"type": "rest", "namespace": "web", "port": 8080, "resources": resources}


def test_names_joined_by_slashes_are_read_as_if_joined_by_dots(language: Any) -> None:
    ships = document([("all", "/ships", operation("list"))], tools("up/all/list", "up/list"))
    reading = language.data(ships)
    assert reading.decisions == ["full-name: GET /ships", "name: GET /ships"]
    assert reading.told == [("REF006", "the names in `call` are joined by dots")]  # both calls, gathered in one


def test_names_joined_by_slashes_that_name_nothing_are_told_as_any_other(language: Any) -> None:
    reading = language.data(document([("all", "/ships", operation("list"))], tools("up/lst")))
    assert ("REF001", "no operation `lst` in `up`") in reading.told


TWO_GETS = [("all", "/ships", operation("get")), ("one", "/ships/{id}", operation("get"))]


def test_a_name_that_one_operation_has_decides(language: Any) -> None:
    reading = language.data(document([("all", "/ships", operation("list"))], tools("up.list")))
    assert reading.decisions == ["name: GET /ships"]
    assert reading.told == []


def test_the_full_name_decides(language: Any) -> None:
    reading = language.data(document(TWO_GETS, tools("up.one.get", "up.all.get")))
    assert reading.decisions == ["full-name: GET /ships/{id}", "full-name: GET /ships"]


def test_an_operation_whose_name_holds_a_dot_is_found_by_it(language: Any) -> None:
    reading = language.data(document([("all", "/ships", operation("ships.list"))], tools("up.ships.list")))
    assert reading.decisions == ["name: GET /ships"]


def test_a_namespace_that_holds_a_dot_is_found_by_it(language: Any) -> None:
    consumed = [("all", "/ships", operation("list"))]
    reading = language.data(document(consumed, tools("up.v1.list"), namespace="up.v1"))
    assert reading.decisions == ["name: GET /ships"]


def test_two_resources_of_one_name_do_not_make_the_full_name_a_guess(language: Any) -> None:
    twice = [("ships", "/ships", operation("get")), ("ships", "/ships/{id}", operation("get"))]
    reading = language.data(document(twice, tools({"call": "up.ships.get", "with": {"id": "tools.id"}})))
    assert reading.decisions == ["with: GET /ships/{id}"]


def test_the_keys_of_with_decide_when_they_are_exactly_one_operation_s_parameters(language: Any) -> None:
    reading = language.data(document(TWO_GETS, tools({"call": "up.get", "with": {"ID": "tools.id"}})))
    assert reading.decisions == ["with: GET /ships/{id}"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/ships", "/ships"),
        ("/v1/ships", "/ships"),
        ("/v12/Ships/{ID}", "/ships/{id}"),
        ("/v1/ships/{i-d}", "/ships/{id}"),
        ("/fleet/of/ships/{id}", "/ships/{id}"),
        ("/fleet/of/ships", "/ships"),
    ],
)
def test_the_path_decides_for_rest(language: Any, path: str, target: str) -> None:
    reading = language.data(document(TWO_GETS, routes(("GET", path, {}))))
    assert reading.decisions == [f"path: GET {target}"]


def test_the_method_decides_before_the_path(language: Any) -> None:
    consumed = [("a", "/ships", operation("get", "POST")), ("b", "/vessels", operation("get", "PUT"))]
    assert language.data(document(consumed, routes(("PUT", "/ships", {})))).decisions == ["path: PUT /vessels"]


def test_the_description_decides_for_tools(language: Any) -> None:
    consumed = [
        ("all", "/ships", operation("get", description="List ships.")),
        ("one", "/ships/{id}", operation("get", description=" Read a ship. ")),
    ]
    reading = language.data(document(consumed, tools({"call": "up.get", "description": "Read a ship."})))
    assert reading.decisions == ["description: GET /ships/{id}"]


def test_the_order_of_the_calls_decides_last(language: Any) -> None:
    reading = language.data(document(TWO_GETS, tools("up.get", "up.get")))
    assert reading.decisions == ["order: GET /ships", "order: GET /ships/{id}"]


def test_calls_are_counted_for_each_server(language: Any) -> None:
    first, second = tools("up.get"), {**tools("up.get"), "namespace": "other", "port": 9091}
    assert language.data(document(TWO_GETS, first, second)).decisions == ["order: GET /ships"] * 2


def test_identical_requests_are_no_conflict(language: Any) -> None:
    same = [("a", "/ships/{id}", operation("get")), ("b", "/Ships/{ID}", operation("get"))]
    reading = language.data(document(same, tools("up.get", "up.get", "up.get")))
    assert reading.decisions[-1] == "identical: GET /ships/{id}"


def test_one_path_with_two_bodies_is_two_requests(language: Any) -> None:
    consumed = [(n, "/graphql", operation("ask", "POST", body=f'{{"query": "{n}"}}')) for n in "ab"]
    reading = language.data(document(consumed, tools("up.ask", "up.ask", "up.ask")))
    assert reading.decisions == ["order: POST /graphql"] * 2
    assert "REF003" in reading.codes


def test_what_nothing_decides_is_an_error_that_lists_the_candidates(language: Any) -> None:
    reading = language.read("""\
        ikanos: 1.0.0-beta4
        capability:
          consumes:
          - namespace: up
            baseUri: https://up.test
            resources:
            - {name: a, path: /a, operations: [{name: get}]}
            - {path: /b, operations: [{name: get}]}
          exposes:
          - type: mcp
            namespace: agent
            port: 9090
            tools:
            - {name: one, call: up.get}
            - {name: two, call: up.get}
            - {name: three, call: up.get}
        """)
    (ambiguous,) = [item for item in reading.examined.diagnostics if item.code == "REF003"]
    assert ambiguous.is_error
    assert ambiguous.message == "`up.get` may mean 2 operations, and nothing tells them apart"
    assert ambiguous.help == ("name the resource too: `up.a.get`, `up./b.get`",)
    assert [(span.line, story) for span, story in ambiguous.related] == [(7, "GET /a"), (8, "GET /b")]
    assert len(reading.operations) == 2, "the others are planned all the same"


def test_the_name_of_a_resource_without_one_is_its_path(language: Any) -> None:
    consumed = document([("all", "/ships", operation("get"))], tools("up./b.get"))
    consumed["capability"]["consumes"][0]["resources"].append({"path": "/b", "operations": [operation("get")]})
    assert language.data(consumed).decisions == ["full-name: GET /b"]


@pytest.mark.parametrize(
    ("call", "code", "message", "advice"),
    [
        ("up.lst", "REF001", "no operation `lst` in `up`", ["did you mean `up.list`?"]),
        ("up.xyz", "REF001", "no operation `xyz` in `up`", ["known here: `up.list`, `up.read-one`"]),
        ("pu.list", "REF002", "no namespace `pu` is consumed", ["known here: `up`"]),
        ("uup.list", "REF002", "no namespace `uup` is consumed", ["did you mean `up`?"]),
        (
            "list",
            "REF002",
            "`list` does not name an operation: write `namespace.operation`",
            ["did you mean `up.list`?"],
        ),
        ("up", "REF002", "`up` does not name an operation: write `namespace.operation`", None),
        ("up.", "REF002", "no namespace `up` is consumed", None),
    ],
)
def test_a_call_to_nothing_is_told_with_the_nearest_name(
    language: Any, call: str, code: str, message: str, advice: list[str] | None
) -> None:
    consumed = [("all", "/ships", operation("list")), ("one", "/ships/{id}", operation("read-one"))]
    reading = language.data(document(consumed, tools(call, "up.list")))
    assert reading.told == [(code, message)]
    assert advice is None or reading.help == advice
    assert [item.name for item in reading.operations] == ["t1"], "the rest of the document is planned"


def test_a_name_that_matches_loosely_is_told(language: Any) -> None:
    reading = language.data(document([("one", "/s", operation("read-one"))], tools("UP.readOne")))
    assert reading.decisions == ["name: GET /s"]
    message = "`UP.readOne` is taken to mean `up.read-one`: the names match ignoring case, `-` and `_`"
    assert reading.told == [("REF006", message)]


def test_names_that_match_equally_loosely_are_an_error_that_lists_both(language: Any) -> None:
    consumed = [("a", "/a", operation("read-one")), ("b", "/b", operation("read_one"))]
    reading = language.data(document(consumed, tools("up.readOne")))
    assert ("REF003", "`up.readOne` may mean `up.read-one`, `up.read_one`") in reading.told


def test_a_namespace_without_operations_is_known_all_the_same(language: Any) -> None:
    reading = language.data(document([], tools("up.list")))
    assert ("REF001", "no operation `list` in `up`") in reading.told
