"""The files of the page, read once, with the headers that keep them harmless."""

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from capably.plan.outcome import Headers
from capably.servers.http import Scope, Send, header, send_body

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of everything the console answers."""

SAFETY: Final[Headers] = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)

PAGE: Final = "page.html"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@cache
def asset(name: str) -> tuple[str, bytes, str] | None:
    """A file of the page: its media type, bytes and entity tag. ``None`` when there is none of that name."""
    found = _names().get(name)
    if found is None:
        return None
    body = files(__package__).joinpath("static", found).read_bytes()
    return _TYPES[found.rpartition(".")[2]], body, f'"{blake2b(body, digest_size=12).hexdigest()}"'


@cache
def _names() -> dict[str, str]:
    """The files there are: what a request says is compared with these, and never becomes a path."""
    entries = files(__package__).joinpath("static").iterdir()
    return {item.name: item.name for item in entries if item.name.rpartition(".")[2] in _TYPES}


async def send_asset(scope: Scope, send: Send, name: str) -> bool:
    """Send a file, or 304 when the browser has it. Whether there is such a file."""
    found = asset(name)
    if found is None:
        return False
    media_type, body, tag = found
    headers = (*SAFETY, ("etag", tag), ("cache-control", "no-cache"))
    if tag in (header(scope, b"if-none-match") or ""):
        await send_body(send, 304, None, b"", headers)
    else:
        await send_body(send, 200, media_type, body, headers, head=scope["method"] == "HEAD")
    return True
