"""Where a request goes: the origin of a URL, read once, and the target that stands in the request line."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """An origin (RFC 6454, section 4).

    ``authority`` is what the ``Host`` header says. ``authorization`` is the value of the header that a user and a
    password in the URL stand for (RFC 7617), empty without them.
    """

    scheme: str
    host: str
    port: int
    authority: str
    authorization: str = field(default="", repr=False)

    @property
    def is_tls(self) -> bool:
        """Whether connections to it are encrypted."""
        return self.scheme == "https"


def cut_url(url: str) -> tuple[str, str]:
    """The origin and the target of an encoded URL; a fragment is for readers of answers, nobody sends it."""
    if "#" in url:
        url = url.partition("#")[0]
    begin = url.find("://") + 3
    slash, mark = url.find("/", begin), url.find("?", begin)
    end = slash if mark < 0 or 0 <= slash < mark else mark
    if end < 0:
        return url, "/"
    return url[:end], url[end:] if end == slash else f"/{url[end:]}"


def address_of(origin: str) -> Address:
    """Read an origin, such as ``https://user:password@example.com:8443``.

    Raises:
        ValueError: it is no http or https origin.
    """
    parts = urlsplit(origin)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http or https URL with a host")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    port = _PORTS[scheme] if parts.port is None else parts.port
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    return Address(scheme, host, port, authority, _authorization(parts.username, parts.password))


def _authorization(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
