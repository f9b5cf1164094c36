"""Which web pages may call a REST server."""

from dataclasses import dataclass

from capably.model.fields import OURS, Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCors(Record):
    """Cross-origin resource sharing: which web pages may call."""

    origins: tuple[str, ...] = key(
        "origins", "Origins of pages, such as https://app.example.com; `*` is every one.", default=(), since=OURS
    )
    headers: tuple[str, ...] = key(
        "headers", "Headers that pages may send besides those that operations take.", default=(), since=OURS
    )
    exposed: tuple[str, ...] = key(
        "exposeHeaders", "Headers of answers that pages may read besides those of operations.", default=(), since=OURS
    )
    credentials: bool | None = key("credentials", "Pages may send cookies and HTTP authentication.", since=OURS)
    max_age: int | None = key("maxAge", "For how many seconds browsers keep this (600 when absent).", since=OURS)
