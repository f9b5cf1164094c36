"""AWS Signature Version 4: a published example, and botocore as an independent signer."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import quote, urlencode

import botocore.auth
import botocore.compat
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as AwsCredentials
from hypothesis import given
from hypothesis import strategies as st

from capably.upstream.auth.sigv4 import SigV4, service_and_region
from capably.upstream.request import Request

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def signed(scheme: SigV4, request: Request, now: datetime = NOW) -> dict[str, str]:
    return dict(scheme.sign(request, now.timestamp(), "0" * 32).headers)


def test_the_example_of_aws_documentation() -> None:
    # "get-vanilla" of the signature version 4 test suite
    scheme = SigV4(ACCESS, SECRET, "us-east-1", "service")
    headers = signed(
        scheme, Request("GET", "https://example.amazonaws.com/", (), None), datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    )
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def by_botocore(scheme: SigV4, request: Request, service: str, region: str) -> str:
    """What AWS's own library makes of a request."""
    credentials = AwsCredentials(ACCESS, SECRET, scheme.session_token or None)
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    theirs = AWSRequest(request.method, request.url, dict(request.headers), data=request.body or b"")
    with patch.object(botocore.auth, "get_current_datetime", lambda *_args, **_named: NOW.replace(tzinfo=None)):
        kind(credentials, service, region).add_auth(theirs)
    value: str = theirs.headers["Authorization"]
    return value


segments = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: text.strip(".")
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.lists(segments, max_size=3),
    ends=st.sampled_from(["", "/"]),
    query=st.lists(st.tuples(segments, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)), max_size=4),
    body=st.none() | st.binary(max_size=20),
    service=st.sampled_from(["execute-api", "s3", "ce"]),
    token=st.sampled_from(["", "a session token="]),
    port=st.sampled_from(["", ":8443", ":443"]),
)
def test_signatures_are_those_of_botocore(
    *,
    method: str,
    path: list[str],
    ends: str,
    query: list[tuple[str, str]],
    body: bytes | None,
    service: str,
    token: str,
    port: str,
) -> None:
    url = f"https://api.test{port}/{'/'.join(quote(part, safe='') for part in path)}{ends if path else ''}"
    url += f"?{urlencode(query, quote_via=quote)}" if query else ""
    headers = (("Content-Type", "application/json"), ("X-Amz-Target", "Some.Thing  twice")) if body else ()
    request = Request(method, url, headers, body)
    scheme = SigV4(ACCESS, SECRET, "eu-west-1", service, token)
    assert signed(scheme, request)["Authorization"] == by_botocore(scheme, request, service, "eu-west-1")


def test_the_host_that_is_signed_is_the_host_that_is_sent() -> None:
    headers = signed(
        SigV4(ACCESS, SECRET, "r", "s"), Request("GET", "https://API.test:8443/x", (("host", "no"),), None)
    )
    assert headers["Host"] == "api.test:8443"
    assert "host" not in headers


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("ce.us-east-1.amazonaws.com", ("ce", "us-east-1")),
        ("abc123.execute-api.eu-west-1.amazonaws.com", ("execute-api", "eu-west-1")),
        ("iam.amazonaws.com", ("iam", "us-east-1")),
        ("s3.cn-north-1.amazonaws.com.cn", ("s3", "cn-north-1")),
        ("api.example.com", ("", "us-east-1")),
    ],
)
def test_region_and_service_are_read_from_the_host_when_they_are_not_stated(
    host: str, expected: tuple[str, str]
) -> None:
    assert service_and_region(host) == expected


@pytest.mark.parametrize(
    "block",
    [
        {"type": "aws-sig-v4", "accessKeyId": "{{ID}}", "secretKey": "{{KEY}}", "region": "eu-west-1", "service": "ce"},
        {"type": "AWS_SigV4", "accessKey": "{{ID}}", "secretAccessKey": "{{KEY}}"},
    ],
)
def test_a_block_states_an_access_key(compile_block: "CompileBlock", block: dict[str, str]) -> None:
    scheme = compile_block(block, {"ID": ACCESS, "KEY": SECRET}).scheme
    assert isinstance(scheme, SigV4)
    request = Request("GET", "https://ce.eu-west-1.amazonaws.com/?Action=x", (), None)
    assert signed(scheme, request)["Authorization"] == by_botocore(scheme, request, "ce", "eu-west-1")
    assert SECRET not in repr(scheme)


def test_a_block_without_a_secret_is_refused(compile_block: "CompileBlock") -> None:
    compiled = compile_block({"type": "aws-sig-v4", "accessKeyId": "{{ID}}"}, {"ID": ACCESS})
    assert compiled.told == [("AUT002", "`aws-sig-v4` authentication needs `secretKey`")]
