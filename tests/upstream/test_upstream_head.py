"""The head of a request, as it goes over the wire."""

from hypothesis import given
from hypothesis import strategies as st

from capably.upstream.address import address_of
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
