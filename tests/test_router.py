"""Which operation a path finds: by how specific a route is, never by its place in the document."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capably.diagnostics import Span
from capably.plan.answer import Answer
from capably.plan.operation import Kind, Mock, Operation
from capably.plan.routes import compile_route
from capably.servers.router import Match, Router

Find = Callable[[str], Match | None]


def operation(method: str, path: str, name: str = "") -> Operation:
    return Operation(
        server=Kind.REST,
        namespace="rest",
        name=name or path,
        title="",
        description="",
        inputs=(),
        work=Mock(),
        answer=Answer(),
        span=Span("doc.yaml", 1, 1, 1, 1),
        method=method,
        route=compile_route(path),
    )


def found(paths: list[str], raw_path: str | bytes) -> tuple[Any, ...] | None:
    """The route that a path finds, with its values."""
    match = Router([operation("GET", path) for path in paths]).find(
        raw_path if isinstance(raw_path, bytes) else raw_path.encode()
    )
    return None if match is None else (match.operations["GET"].name, *match.values)


SPECIFICITY = [
    (["/a/{x}", "/a/b"], "/a/b", ("/a/b",)),
    (["/a/{x}", "/a/b"], "/a/c", ("/a/{x}", "c")),
    (["/a/{x}", "/a/b"], "/a/B", ("/a/{x}", "B")),
    (["/{x}/b", "/a/{x}"], "/a/b", ("/a/{x}", "b")),
    (["/{x}", "/{x}.json"], "/a.json", ("/{x}.json", "a")),
    (["/{x}", "/v{x}", "/v{x}.json"], "/v1.json", ("/v{x}.json", "1")),
    (["/{x}", "/v{x}", "/v{x}.json"], "/v1", ("/v{x}", "1")),
    (["/{x}", "/v{x}", "/v{x}.json"], "/w1", ("/{x}", "w1")),
    (["/{x}.json", "/v1.json"], "/v1.json", ("/v1.json",)),
    (["/{x}", "/{x}/{y}", "/{x}/{y}/{z}"], "/1/2", ("/{x}/{y}", "1", "2")),
]


@pytest.mark.parametrize(("paths", "path", "expected"), SPECIFICITY)
def test_the_more_specific_route_is_found_in_either_order(
    paths: list[str], path: str, expected: tuple[str, ...]
) -> None:
    assert found(paths, path) == expected
    assert found(paths[::-1], path) == expected


@pytest.mark.parametrize(
    ("route", "path", "values"),
    [
        ("/{a}-{b}", "/x-y", ("x", "y")),
        ("/{a}-{b}", "/x-y-z", ("x", "y-z")),
        ("/{a}-{b}", "/--x", ("-", "x")),
        ("/{a}-{b}", "/-x", None),
        ("/{a}-{b}", "/x-", None),
        ("/{a}-{b}", "/x", None),
        ("/v{a}.{b}.{c}!", "/v1.2.3!", ("1", "2", "3")),
        ("/v{a}.{b}.{c}!", "/v1.2!", None),
        ("/entities(a={a},b={b})", "/entities(a=1,b=2)", ("1", "2")),
        ("/entities({id})", "/entities(7)", ("7",)),
        ("/{a}--{b}", "/a%2D%2Db", ("a", "b")),
    ],
)
def test_a_segment_may_have_several_placeholders(route: str, path: str, values: tuple[str, ...] | None) -> None:
    assert found([route], path) == (None if values is None else (route, *values))


@pytest.mark.parametrize(
    ("paths", "path", "expected"),
    [
        (["/a/{path}"], "/a/b/c%2Fd", ("/a/{path}", "b/c/d")),
        (["/a/{path}"], "/a/b", ("/a/{path}", "b")),
        (["/a/{path}"], "/a/", None),
        (["/a/{path}"], "/a", None),
        (["/a/{path}", "/a/{x}"], "/a/b", ("/a/{x}", "b")),
        (["/a/{path}", "/a/{x}"], "/a/b/c", ("/a/{path}", "b/c")),
        (["/a/{path}", "/a/{x}/c"], "/a/b/d", ("/a/{path}", "b/d")),
        (["/a/{path}/c"], "/a/b/b/c", None),
        (["/a/v{path}"], "/a/vb/c", None),
    ],
)
def test_a_last_placeholder_called_path_takes_the_rest(
    paths: list[str], path: str, expected: tuple[str, ...] | None
) -> None:
    assert found(paths, path) == expected
    assert found(paths[::-1], path) == expected


@pytest.mark.parametrize(
    ("paths", "path", "expected"),
    [
        (["/a/b/c", "/a/{x}/d"], "/a/b/d", ("/a/{x}/d", "b")),
        (["/a/b/c", "/{x}/b/{y}"], "/a/b/d", ("/{x}/b/{y}", "a", "d")),
        (["/v{x}/a", "/{x}/b"], "/v1/b", ("/{x}/b", "v1")),
        (["/a/{x}/c/d", "/{y}/b/c/e"], "/a/b/c/e", ("/{y}/b/c/e", "a")),
        (["/a/b", "/a/{x}/c"], "/a/b/c", ("/a/{x}/c", "b")),
    ],
)
def test_a_promising_start_that_leads_nowhere_is_given_up(
    paths: list[str], path: str, expected: tuple[str, ...]
) -> None:
    assert found(paths, path) == expected


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("a%2Fb", "a/b"),
        ("a%2fb%2Fc", "a/b/c"),
        ("%2E%2E", ".."),
        ("caf%C3%A9", "café"),
        (b"caf\xc3\xa9", "café"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%zz", "%zz"),
        ("100%", "100%"),
        ("%3F%23", "?#"),
        ("a;v=1", "a;v=1"),
        ("{x}", "{x}"),
    ],
)
def test_a_segment_is_cut_out_first_and_decoded_once(raw: str | bytes, value: str) -> None:
    segment = raw if isinstance(raw, bytes) else raw.encode()
    assert found(["/things/{x}/parts"], b"/things/" + segment + b"/parts") == ("/things/{x}/parts", value)


@pytest.mark.parametrize("raw", [b"%FF", b"\xff", b"a%C3", b"%ED%A0%80"])
def test_bytes_that_are_not_utf_8_are_told_and_not_replaced(raw: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        found(["/things/{x}"], b"/things/" + raw)


@pytest.mark.parametrize("path", ["/caf%C3%A9", "/café".encode(), "/caf%c3%a9"])
@pytest.mark.parametrize("route", ["/café", "/caf%C3%A9"])
def test_literal_text_is_the_same_written_encoded_or_plain(route: str, path: str | bytes) -> None:
    assert found([route], path) == (route,)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/files/report.v2.csv", ("/files/report.{x}.csv", "v2")),
        ("/files/report.%2F.csv", ("/files/report.{x}.csv", "/")),
        ("/files/report.a.b.csv", ("/files/report.{x}.csv", "a.b")),
        ("/files/report..csv", None),
        ("/files/report.csv", None),
        ("/files/report.v2.csvx", None),
        ("/files/xreport.v2.csv", None),
    ],
)
def test_a_prefix_and_a_suffix_do_not_overlap_and_leave_a_value(path: str, expected: tuple[str, ...] | None) -> None:
    assert found(["/files/report.{x}.csv"], path) == expected


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/a", "//a"),
        ("/a/{x}", "/a/"),
        ("/a/{x}", "/a"),
        ("/a/{x}", "/a//"),
        ("/a/{x}/b", "/a//b"),
        ("/a/b", "/a%2Fb"),
        ("/a", "/"),
        ("/a", "/a/b"),
        ("/a/b", "/a"),
    ],
)
def test_what_is_not_the_route_finds_nothing(route: str, path: str) -> None:
    assert found([route], path) is None


def test_a_trailing_slash_in_the_document_is_part_of_the_route() -> None:
    assert found(["/a/"], "/a/") == ("/a/",)
    assert found(["/"], "/") == ("/",)


def test_one_path_has_its_operations_by_method() -> None:
    router = Router([operation("GET", "/a/{x}", "read"), operation("POST", "/a/{y}", "write")])
    match = router.find(b"/a/1")
    assert match is not None
    assert {method: item.name for method, item in match.operations.items()} == {"GET": "read", "POST": "write"}
    assert match.values == ("1",)


def test_of_two_operations_with_one_method_and_path_the_first_is_served() -> None:
    match = Router([operation("GET", "/a", "first"), operation("GET", "/a", "second")]).find(b"/a")
    assert match is not None
    assert match.operations["GET"].name == "first"


@pytest.mark.parametrize(
    ("methods", "allowed"),
    [(["GET"], "GET, HEAD, OPTIONS"), (["POST", "DELETE"], "DELETE, OPTIONS, POST"), (["OPTIONS"], "OPTIONS")],
)
def test_allow_names_what_is_served_and_what_every_path_answers(methods: list[str], allowed: str) -> None:
    match = Router([operation(method, "/a") for method in methods]).find(b"/a")
    assert match is not None
    assert match.allowed == allowed


def test_a_router_without_operations_finds_nothing() -> None:
    assert Router([]).find(b"/") is None


PATHS = ["/ships", "/ships/{id}", "/ships/{a}-{b}", "/ships/{id}/crew", "/all/{path}"]
SEGMENTS = st.lists(st.sampled_from(["ships", "all", "crew", "a-b", "x", "é", "", "a.b"]), min_size=1, max_size=4)


@given(SEGMENTS)
def test_an_encoded_path_finds_what_the_plain_one_finds(segments: list[str]) -> None:
    plain = "/" + "/".join(segments)
    encoded = "/" + "/".join("".join(f"%{byte:02x}" for byte in segment.encode()) for segment in segments)
    assert found(PATHS, encoded) == found(PATHS, plain)
