"""The parts of a request that signatures cover, as they go over the wire."""

from urllib.parse import urlsplit

import msgspec

from capably.upstream.request import Request

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORM = "application/x-www-form-urlencoded"


def with_headers(request: Request, *pairs: tuple[str, str]) -> Request:
    """The request with these headers instead of any of the same names."""
    names = {name.lower() for name, _value in pairs}
    kept = tuple(pair for pair in request.headers if pair[0].lower() not in names)
    return msgspec.structs.replace(request, headers=(*kept, *pairs))


def header(request: Request, name: str) -> str | None:
    """The first header of that name, which is given in lower case."""
    return next((value for key, value in request.headers if key.lower() == name), None)


def host(request: Request) -> str:
    """The ``Host`` that is sent: in lower case, with its port unless that is the scheme's (RFC 9110, section 7.2)."""
    parts = urlsplit(request.url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{name}:{parts.port}"


def path(request: Request) -> str:
    """The path that is sent, never empty (RFC 9112, section 3.2.1)."""
    return urlsplit(request.url).path or "/"


def query(request: Request) -> str:
    """The query that is sent, without its question mark."""
    return urlsplit(request.url).query


def target(request: Request) -> str:
    """The path and the query, as they stand in the request line."""
    return f"{path(request)}?{query(request)}" if query(request) else path(request)


def origin(url: str) -> str:
    """Scheme, host and port of a URL: where its secrets may go."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def is_form(request: Request) -> bool:
    """Whether the body holds form-encoded pairs."""
    return (header(request, "content-type") or "").partition(";")[0].strip().lower() == _FORM
