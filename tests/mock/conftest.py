"""OpenAPI documents as Python data, and mocks that answer with them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest

from capably.diagnostics import Diagnostic
from capably.document import parse_document
from capably.mock.answer import Answer, Mock
from capably.mock.check import Demand
from capably.mock.read import read_api
from capably.mock.request import Request


@dataclass(frozen=True)
class Mocked:
    """A mock without a server, and what its document was told."""

    mock: Mock
    diagnostics: list[Diagnostic]

    def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None, *, seed: int = 1
    ) -> Answer:
        """One request; text and bytes are sent as they are, anything else as JSON."""
        path, _mark, query = target.partition("?")
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if body is not None and "content-type" not in fields:
            fields["content-type"] = "application/json"
        request = Request(method, path, tuple(parse_qsl(query, keep_blank_values=True)), fields, data)
        return self.mock.answer(request, lambda: datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), Random(seed))  # noqa: S311

    def get(self, target: str, **headers: str) -> Any:
        """The JSON that a GET is answered with."""
        return json.loads(self.ask("GET", target, headers=headers).body)


Mocking = Callable[..., Mocked]


@pytest.fixture
def mocking() -> Mocking:
    """Makes a mock of paths; other keys of the document by name."""

    def mocking(paths: Any, *, strict: bool = False, expect: Mapping[str, str] | None = None, **root: Any) -> Mocked:
        written = {"openapi": "3.1.0", "info": {"title": "Test", "version": "1"}, **root, "paths": paths}
        document, found = parse_document("api.yaml", json.dumps(written, indent=1).encode())
        assert document is not None
        api, more = read_api(document)
        assert api is not None
        demands = [Demand(name, value) for name, value in (expect or {}).items()]
        return Mocked(Mock(api, demands, is_strict=strict), [*found, *more])

    return mocking


def answering(value: Any = None, status: str = "200", media_type: str = "application/json", **medium: Any) -> Any:
    """An operation with one answer."""
    content = {media_type: medium or {"example": value}}
    return {"responses": {status: {"description": "", "content": content}}}


@pytest.fixture
def answers() -> Callable[..., Any]:
    return answering
