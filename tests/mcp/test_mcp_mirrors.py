"""Arguments that are mirrored in headers: a header that says something else than the body is refused."""

from typing import Any

import pytest

from capably.servers.mcp_messages import ProtocolError
from capably.servers.mcp_mirrors import check_mirrors

BIG = 2**53 + 1  # the first whole number that no float is


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("eu", "eu"),
        ("true", True),
        ("42", 42),
        ("42.0", 42),
        ("4.2e1", 42),
        ("-0.5", -0.5),
        (str(BIG), BIG),
        ("1e300", 1e300),
    ],
)
def test_a_header_that_says_what_the_argument_says_is_taken(header: str, value: Any) -> None:
    check_mirrors({"x": "Region"}, {"x": value}, {"region": header})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("us", "eu"),
        ("True", True),
        ("1", True),
        ("43", 42),
        ("4_2", 42),
        (" 42", 42),
        ("nan", 42),
        ("1e999", 42),
        (str(BIG - 1), BIG),
        ("9" * 5000, 42),
        ("[1]", [1]),
    ],
)
def test_a_header_that_says_something_else_is_refused(header: str, value: Any) -> None:
    with pytest.raises(ProtocolError, match="Header mismatch: Mcp-Param-Region"):
        check_mirrors({"x": "Region"}, {"x": value}, {"region": header})
