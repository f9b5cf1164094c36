"""The head of a request, as it goes over the wire."""

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from capably.upstream.address import address_of, cut_url
from capably.upstream.head import framing_of, head_of
from capably.upstream.pool import Way
from capably.upstream.request import Request

WAY = Way(address_of("http://example.com:8080"))


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    body=st.none() | st.binary(max_size=5),
    decodes=st.booleans(),
)
def test_a_request_without_headers_is_written_as_one_with_headers_is(
    method: str, body: bytes | None, *, decodes: bool
) -> None:
    def head(*headers: tuple[str, str]) -> bytes:
        request = Request(method, "http://example.com:8080/a", headers, body)
        return head_of(request, WAY, "/a", framing_of(request, body), decodes=decodes)

    assert head() == head(("X-Own", "1")).replace(b"X-Own: 1\r\n", b"")


PIECE = st.text("ab/:@.%?", max_size=8)


@given(
    origin=st.sampled_from(["http://a", "https://user:pass@a.example:8443", "http://[::1]:80"]),
    path=st.just("") | PIECE.map(lambda text: "/" + text.replace("?", "")),
    query=st.just("") | PIECE.map(lambda text: "?" + text),
    fragment=st.just("") | PIECE.map(lambda text: "#" + text),
)
def test_a_url_is_cut_where_its_parts_meet(origin: str, path: str, query: str, fragment: str) -> None:
    assert cut_url(origin + path + query + fragment) == (origin, (path or "/") + query)
    parts = urlsplit(origin + path + query + fragment)
    assert (parts.scheme + "://" + parts.netloc, parts.path) == (origin, path)
