"""What an OpenAPI document says, as far as a mock needs it: operations, parameters, bodies, security and answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from capably.mock.schemas import Schema
from capably.mock.template import Rendered


class Place(StrEnum):
    """Where a parameter stands in a request (OpenAPI 3.1, section 4.8.12.1), and the body."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``style`` and ``explode`` say how lists and objects are written, ``is_json`` that it is JSON."""

    name: str
    place: Place
    required: bool
    schema: Schema
    style: str
    explode: bool
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: whether it must be there, and the schema of each media type."""

    required: bool
    schemas: Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a request must say for an example to be meant: a value of a parameter, or (``place`` body) of the body."""

    place: Place
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Example:
    """An example of an answer. ``name`` is empty for the nameless ``example``."""

    name: str
    value: Rendered
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """An answer in one media type."""

    media_type: str
    examples: tuple[Example, ...]
    schema: Schema


@dataclass(frozen=True, slots=True)
class Answering:
    """A documented answer: its status as written (``200``, ``4XX``, ``default``), headers and contents."""

    status: str
    headers: tuple[tuple[str, str], ...]
    contents: tuple[Content, ...]

    @property
    def code(self) -> int:
        """The status that is sent: the first of a range, 500 for a ``default`` that is asked for."""
        if self.status == "default":
            return 500
        return int(self.status[0]) * 100 if self.status.upper().endswith("XX") else int(self.status)


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme: what callers prove themselves with, and where it stands.

    ``prefix`` is the word before a credential in ``Authorization`` (``Bearer``), empty for an API key. A scheme without
    a ``key`` (mutual TLS) cannot be seen in a request.
    """

    name: str
    place: Place
    key: str
    prefix: str = ""

    @property
    def challenge(self) -> str | None:
        """What ``WWW-Authenticate`` says of it (RFC 9110, section 11.6.1); API keys have no challenge."""
        return self.prefix or None


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path.

    ``security`` lists alternatives, each a set of schemes that are needed together. ``fallback`` is the name of the
    example that answers when no other is meant (Microcks's FALLBACK dispatcher).
    """

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    security: tuple[tuple[Scheme, ...], ...]
    answers: tuple[Answering, ...]
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """A document: its title, the paths its ``servers`` have, and its operations."""

    title: str
    bases: tuple[str, ...]
    operations: tuple[Operation, ...]
    schemes: tuple[Scheme, ...]
