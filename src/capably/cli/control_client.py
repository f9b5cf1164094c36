"""Asking a control server: one client for the commands that show a running process."""

import contextlib
import http.client
import json
import os
import secrets
import ssl
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import click

from capably.cli.control_address import DEFAULT, VARIABLE, Credentials, Place, credentials_from, find_place
from capably.cli.header_option import header_pairs
from capably.errors import CommandError

Command = TypeVar("Command", bound=Callable[..., Any])

_PATIENCE_S: Final = 30.0
_UNAUTHENTICATED: Final = 401
_FORBIDDEN: Final = 403
_NO_SUCCESS: Final = 400
_MOST_BYTES: Final = 64 * 1024 * 1024

EXITS: Final = "Exit codes: 0 done, 1 failed or not reached, 2 used wrongly."


def client_options(command: Command) -> Command:
    """Add the options that say which control server is asked, how to be let in, and how it is shown."""
    options = (
        click.option(
            "--control",
            metavar="WHERE",
            help=f"The control server: URL, [ADDR:]PORT or a document. Else {VARIABLE}, a document here, {DEFAULT}.",
        ),
        click.option(
            "--token", metavar="TOKEN|@FILE", help=f"Bearer token; @FILE reads it there. Else {VARIABLE}_TOKEN."
        ),
        click.option(
            "--user", metavar="NAME[:@FILE]", help=f"User, with the password in FILE or in {VARIABLE}_PASSWORD."
        ),
        click.option(
            "--header",
            "headers",
            multiple=True,
            callback=header_pairs,
            metavar="'NAME: VALUE'",
            help="A header to send, such as an API key. May be repeated.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the JSON of the answer."),
    )
    for option in reversed(options):
        command = option(command)
    return command


class ControlClient:
    """Asks one control server."""

    def __init__(self, place: Place, credentials: Credentials | None = None) -> None:
        """Know where it is, and what to send to be let in (else what its document says)."""
        self.place = place
        self._credentials = credentials or place.credentials

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """What an endpoint shows.

        Raises:
            CommandError: it cannot be reached, or refuses.
        """
        return json.loads(self.text(path, query))

    def text(self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json") -> str:
        """The same as it is written."""
        with self._asked("GET", path, query, accept=accept) as response:
            return _checked(response, self.place)[1].decode("utf-8", "replace")

    def probe(self, path: str) -> tuple[int, Any]:
        """The status and JSON of an endpoint that answers even when it fails, as `/health/ready` does."""
        with self._asked("GET", path) as response:
            return _checked(response, self.place, also=503)[0], json.loads(response.body)

    def send(self, method: str, path: str, value: Any = None, also: int | None = None) -> Any:
        """Change something; ``also`` is a status of failures that are no error here.

        Raises:
            CommandError: it cannot be reached, or refuses.
        """
        with self._asked(method, path, body=value) as response:
            return json.loads(_checked(response, self.place, also=also)[1] or b"null")

    def events(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[Any]:
        """The JSON of each event of a stream, until it ends.

        Raises:
            CommandError: it cannot be reached, or refuses.
        """
        with self._asked("GET", path, query, accept="text/event-stream", is_stream=True) as response:
            _checked(response, self.place)
            for line in response.lines():
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    @contextlib.contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        accept: str = "application/json",
        is_stream: bool = False,
    ) -> Iterator["_Response"]:
        sent = [("accept", accept), *self._credentials.headers]
        data = json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.append(("content-type", "application/json"))
        pairs = [*(query or {}).items(), *self._credentials.query]
        target = path + (f"?{urlencode(pairs)}" if pairs else "")
        connection = _connection(self.place, None if is_stream else _PATIENCE_S)
        try:
            response = _exchange(connection, method, target, sent, data, is_stream=is_stream)
            if response.status == _UNAUTHENTICATED and self._credentials.user is not None:
                proof = _proof(self._credentials.user, self.place.url + target, method, response.headers, data)
                connection.close()
                response = _exchange(connection, method, target, [*sent, *proof], data, is_stream=is_stream)
            yield response
        except (OSError, http.client.HTTPException) as problem:
            raise _unreachable(self.place, problem) from None
        finally:
            connection.close()


class _Response:
    def __init__(self, response: http.client.HTTPResponse, *, is_stream: bool) -> None:
        self._response = response
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]
        is_open = is_stream and response.status < _NO_SUCCESS
        self.body = b"" if is_open else response.read(_MOST_BYTES)

    def lines(self) -> Iterator[bytes]:
        while line := self._response.readline():
            yield line.rstrip(b"\r\n")


def _connection(place: Place, timeout: float | None) -> http.client.HTTPConnection:
    parts = urlsplit(place.url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.netloc, timeout=timeout)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes | None,
    *,
    is_stream: bool,
) -> _Response:
    connection.request(method, target, body, dict(headers))
    return _Response(connection.getresponse(), is_stream=is_stream)


def _proof(
    user: tuple[str, str], url: str, method: str, headers: list[tuple[str, str]], body: bytes | None
) -> list[tuple[str, str]]:
    """What answers a challenge: digest where that is asked for, else basic."""
    from capably.upstream.auth.digest import Digest, answer, read_challenge
    from capably.upstream.request import Request

    challenged = read_challenge(headers, secrets.token_hex(8))
    if challenged is None:
        return [("authorization", f"Basic {b64encode(':'.join(user).encode()).decode()}")]
    answered = answer(Digest(*user), challenged.session.next(), Request(method, url, (), body))
    return [(name, value) for name, value in answered.headers if name.lower() == "authorization"]


def _checked(response: _Response, place: Place, also: int | None = None) -> tuple[int, bytes]:
    """The status and body of a success.

    Raises:
        CommandError: it is none; the message is the server's own.
    """
    if response.status < _NO_SUCCESS or response.status == also:
        return response.status, response.body
    try:
        problem = json.loads(response.body)
    except ValueError:
        problem = {}
    detail = problem.get("detail") if isinstance(problem, dict) else None
    if response.status == _UNAUTHENTICATED:
        advice = f"give --token or {VARIABLE}_TOKEN, --user with {VARIABLE}_PASSWORD, or --header"
        raise CommandError(f"{place.url} asks who you are", advice)
    if detail is None:
        raise CommandError(f"{place.url} answers {response.status}, and not as a control server does")
    raise CommandError(f"{place.url}: {detail}", *_advice(problem))


def _advice(problem: Mapping[str, Any]) -> tuple[str, ...]:
    """What to write into a document that does not allow what is asked for."""
    if not str(problem.get("type", "")).endswith("not-enabled"):
        return ()
    return ("in its `exposes`: `- {type: control, port: 9090, management: {...}}` (docs/control.md)",)


def _unreachable(place: Place, problem: Exception) -> CommandError:
    why = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return CommandError(
        f"no control server answers at {place.url} ({place.named_by}): {why}",
        "serve with one: `capably serve FILE --control 9090`, or `- {type: control, port: 9090}` in `exposes`",
        "name another: --control ADDR:PORT",
    )


def client_from(
    control: str | None, token: str | None, user: str | None, headers: tuple[tuple[str, str], ...]
) -> ControlClient:
    """The client that the options ask for.

    Raises:
        CommandError: an option cannot be used.
    """
    place = find_place(control, os.environ, Path.cwd())
    return ControlClient(place, credentials_from(token, user, headers, os.environ))


def print_json(value: Any) -> None:
    """Print an answer for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
