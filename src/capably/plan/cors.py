"""Which web pages may call a REST server: `cors` of the server (Fetch standard, section 3.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from capably.diagnostics import Diagnostic, error, warning
from capably.model.cors import StatedCors
from capably.model.exposes import ExposesRest
from capably.plan.gate import is_open

ANY: Final = "*"
_DEFAULT_AGE_S: Final = 600
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class Cors:
    """What pages of other origins may do.

    ``origins`` are as browsers write them (`https://app.example.com`), or `*` for every one. ``headers`` are those that
    pages may send beside what the operations take, ``exposed`` those they may read, in lower case; ``max_age_s`` is how
    long a browser may keep the answer to its question, in seconds.
    """

    origins: frozenset[str]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = _DEFAULT_AGE_S

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may call."""
        return origin in self.origins or ANY in self.origins


def compile_cors(server: ExposesRest, found: list[Diagnostic]) -> Cors | None:
    """The rule a server states; what is wrong with it is added to ``found``, and left out."""
    stated = server.cors
    if stated is None:
        return None
    origins = frozenset(_origins(stated, found))
    if ANY in origins and stated.credentials:
        message = "`credentials` cannot go with every origin: any page could act as its visitor"
        found.append(error("SRV006", message, stated.value_span("credentials"), "name the origins, or remove it"))
        return None
    if ANY in origins and is_open(server.authentication):
        message = f"any web page that somebody here opens may call `{server.namespace}`, which asks nobody"
        advice = "name the origins, or add `authentication`"
        found.append(warning("SRV007", message, stated.value_span("origins"), advice))
    age = _DEFAULT_AGE_S if stated.max_age is None else stated.max_age
    if age < 0:
        found.append(error("DOC010", f"{age} s is no duration", stated.value_span("maxAge"), "0 or more"))
        age = 0
    headers = tuple(_names(stated, "headers", stated.headers, found))
    exposed = tuple(_names(stated, "exposeHeaders", stated.exposed, found))
    return Cors(origins, headers, exposed, bool(stated.credentials), age)


def _origins(stated: StatedCors, found: list[Diagnostic]) -> Iterator[str]:
    for text in stated.origins:
        origin = text if text == ANY else _origin(text)
        if origin is not None:
            yield origin
            continue
        advice = "write scheme, host and port alone, such as `https://app.example.com`, or `*` for every page"
        found.append(error("SRV006", f"`{text}` is no origin", stated.value_span("origins"), advice))


def _origin(text: str) -> str | None:
    """The origin as browsers write it (RFC 6454, section 6.2); ``None`` when it is more or less than one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        return None
    if "@" in parts.netloc or "*" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, usual} else "")


def _names(stated: StatedCors, key: str, names: tuple[str, ...], found: list[Diagnostic]) -> Iterator[str]:
    for name in names:
        if _TOKEN.fullmatch(name):
            yield name.lower()
        else:
            found.append(error("SRV006", f"`{name}` is no name of a header", stated.value_span(key), "such as X-Trace"))
