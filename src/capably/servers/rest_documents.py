"""What a REST server says of itself: `/openapi.json`, `/openapi.yaml`, `/docs`, where the document has no such paths.

They are made when they are first asked for, and kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from capably.plan.openapi import openapi_document
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault, Headers
from capably.servers.rest_page import POLICY, reference_page
from capably.upstream.yaml_text import to_yaml

ALLOWED: Final = "GET, HEAD, OPTIONS"
PATHS: Final = ("/openapi.json", "/openapi.yaml", "/docs")
_MOST_ROOTS: Final = 4


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its media type, bytes and headers."""

    media_type: str
    body: bytes
    headers: Headers = ()


class Documents:
    """The documents of one server."""

    def __init__(self, server: ServerPlan) -> None:
        """Know what they are made of."""
        self._server = server
        self._page = lru_cache(maxsize=len(PATHS) * _MOST_ROOTS)(self._made)

    def has(self, path: str) -> bool:
        """Whether there is one at a path."""
        return self._server.describes_itself and path in _MAKERS

    def page(self, path: str, method: str, root: str) -> Page:
        """The document at a path that has one.

        Args:
            path: where it is, below ``root``.
            method: how it is asked for.
            root: the path below which the server is reached.

        Raises:
            Fault: status 405, it is not asked for by GET or HEAD.
        """
        if method not in {"GET", "HEAD"}:
            detail = f"{path} can be read, not {method}"
            headers = (("allow", ALLOWED),)
            raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=headers)
        return self._page(path, root)

    def _made(self, path: str, root: str) -> Page:
        media_type, headers, write = _MAKERS[path]
        body = write(openapi_document(self._server, root))
        tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        return Page(media_type, body, (("etag", tag), ("cache-control", "no-cache"), *headers))


_NO_GUESSING: Final = ("x-content-type-options", "nosniff")
_OF_PAGES: Final = (
    _NO_GUESSING,
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
)
_Write = Callable[[dict[str, object]], bytes]
_MAKERS: Final[dict[str, tuple[str, Headers, _Write]]] = {
    "/openapi.json": ("application/json", (_NO_GUESSING,), msgspec.json.encode),
    "/openapi.yaml": ("application/yaml", (_NO_GUESSING,), lambda document: to_yaml(document).encode()),
    "/docs": ("text/html; charset=utf-8", _OF_PAGES, lambda document: reference_page(document).encode()),
}
