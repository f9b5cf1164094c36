"""A responder that asks an OpenAI-compatible chat-completions endpoint, streaming (Chat Completions API, stream).

Only a request that has given nothing yet is tried again. No redirect is followed: the key goes where it was sent.
Messages of errors never hold the key, nor any user name or password of the endpoint's address.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import time
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp.http_exceptions import LineTooLong

from capably.threads.objects import ErrorCode, Usage
from capably.threads.responder import CallPiece, End, ModelError, Part, Piece, Prompt, Responder

ATTEMPTS = 3
FIRST_PAUSE = 0.5  # seconds, doubled for each further attempt, jittered
LONGEST_PAUSE = 20.0  # seconds; an endpoint that asks for more is not waited for
LONGEST_LINE = 1024 * 1024  # bytes of one event
EXCERPT = 300  # characters of the endpoint's own words in an error

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# Status of the endpoint -> code of `last_error`; the rest is a server_error.
CODES: Mapping[int, ErrorCode] = {
    400: "invalid_prompt",
    413: "invalid_prompt",
    422: "invalid_prompt",
    429: "rate_limit_exceeded",
}
# These are about the operator's settings: the endpoint's words may quote the key, so ours are said instead.
ADVICE = {
    401: "it refuses the key; check the environment variable {key_env}",
    403: "it refuses this key or account; check the environment variable {key_env}",
}


class _Chunk(msgspec.Struct):
    """The part of a streamed chunk, or of a whole completion, that a reply is made of."""

    choices: list[dict[str, Any]] = []
    usage: dict[str, Any] | None = None
    error: Any = None


class ChatCompletions(Responder):
    """Replies by `POST {model_url}/chat/completions`.

    Args:
        model_url: the address up to and without `/chat/completions`.
        model: the model name to send, or None to send the prompt's.
        key: sent as a bearer key, or None for no Authorization header.
        timeout: seconds the endpoint may stay silent.
        key_env: the environment variable the key came from, named in errors.
    """

    def __init__(
        self, model_url: str, model: str | None, key: str | None, timeout: float, key_env: str = "OPENAI_API_KEY"
    ) -> None:
        self._url = model_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._key = key
        self._timeout = timeout
        self._key_env = key_env
        self._session: aiohttp.ClientSession | None = None
        self._origin = _origin(model_url)
        self.label = f"{model or 'the model each assistant names'} at {self._origin}"

    async def __aenter__(self) -> Self:
        silence = aiohttp.ClientTimeout(total=None, connect=min(10.0, self._timeout), sock_read=self._timeout)
        self._session = aiohttp.ClientSession(timeout=silence, read_bufsize=LONGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def reply(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """The reply as the endpoint streams it.

        Raises:
            ModelError: if there is no answer, a refusal, or an answer that breaks off.
        """
        try:
            async with self._ask(self._body(prompt)) as answer:
                events = _events(answer) if answer.content_type == "text/event-stream" else _whole(answer)
                async for part in _parts(events):
                    yield part
        except ModelError as failure:
            raise ModelError(failure.code, self._told(failure.message)) from None
        except TimeoutError:
            raise ModelError("server_error", self._told(f"no answer for {self._timeout:g} seconds")) from None
        except aiohttp.ClientError as failure:
            raise ModelError("server_error", self._told(_reason(failure))) from None

    def _body(self, prompt: Prompt) -> bytes:
        turns = [turn.as_json() for turn in prompt.turns]
        body = {"model": self._model or prompt.model, "messages": turns, **prompt.options}
        return json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    @asynccontextmanager
    async def _ask(self, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """The endpoint's good answer, after as many attempts as it takes and may take."""
        if self._session is None:
            raise RuntimeError("the responder is not open")
        for attempt in range(1, ATTEMPTS + 1):
            request = self._session.post(self._url, data=body, headers=self._headers(), allow_redirects=False)
            async with request as answer:
                if answer.ok and answer.status < HTTPStatus.MULTIPLE_CHOICES:
                    yield answer
                    return
                pause = _pause(answer, attempt)
                if pause is None:
                    raise await _refusal(answer, self._key_env)
            await asyncio.sleep(pause)

    def _told(self, message: str) -> str:
        told = f"The model endpoint {self._origin} gave no reply: {message}"
        return told.replace(self._key, "[key]") if self._key else told


def _origin(url: str) -> str:
    """Scheme, host and port of an address: what may be shown of it."""
    parts = url.partition("://")
    return f"{parts[0]}://{parts[2].partition('/')[0].rpartition('@')[2]}"


def _reason(failure: aiohttp.ClientError) -> str:
    if isinstance(failure, aiohttp.ClientConnectorError):
        return f"it cannot be reached ({failure.os_error.strerror or 'connection failed'})"
    return f"the connection failed ({type(failure).__name__})"


def _pause(answer: aiohttp.ClientResponse, attempt: int) -> float | None:
    """Seconds to wait before the next attempt, or None to give up."""
    if answer.status not in RETRIED or attempt == ATTEMPTS:
        return None
    asked = _retry_after(answer.headers.get("Retry-After"))
    if asked is None:
        # Jitter spreads the attempts of runs that failed together.
        return FIRST_PAUSE * float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
    return asked if asked <= LONGEST_PAUSE else None


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header in either of its forms, or None (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


async def _refusal(answer: aiohttp.ClientResponse, key_env: str) -> ModelError:
    code = CODES.get(answer.status, "server_error")
    if answer.status < HTTPStatus.BAD_REQUEST:
        return ModelError(code, f"it redirects elsewhere ({answer.status}), which is not followed; check its address")
    advice = ADVICE.get(answer.status, "").format(key_env=key_env)
    said = advice or _excerpt(await answer.content.read(4096))
    return ModelError(code, f"it answers {answer.status}" + (f": {said}" if said else ""))


def _excerpt(body: bytes) -> str:
    """The endpoint's own words, out of whichever error shape it uses, on one line and not too long."""
    text = body.decode(errors="replace")
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = text
    for name in ("error", "message"):
        if isinstance(found, dict):
            found = found.get(name, found)
    line = " ".join(str(found).split())
    return line if len(line) <= EXCERPT else line[:EXCERPT] + "…"


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[_Chunk]:
    """The chunks of an event stream up to `[DONE]`; only `data:` lines matter here."""
    while line := await _line(answer):
        name, _, value = line.strip().partition(b":")
        if name != b"data":
            continue
        if value.strip() == b"[DONE]":
            return
        yield _decode(value)


async def _line(answer: aiohttp.ClientResponse) -> bytes:
    try:
        return await answer.content.readline(max_line_length=LONGEST_LINE)
    except LineTooLong:
        raise ModelError("server_error", "it sent an event of more than 1 MiB") from None


async def _whole(answer: aiohttp.ClientResponse) -> AsyncIterator[_Chunk]:
    """The one completion of an endpoint that does not stream, as if it were a chunk."""
    data = b""
    async for more in answer.content.iter_chunked(64 * 1024):
        data += more
        if len(data) > LONGEST_LINE:
            raise ModelError("server_error", "it sent a completion of more than 1 MiB")
    chunk = _decode(data)
    for choice in chunk.choices:
        choice["delta"] = choice.pop("message", None) or {}
        for place, call in enumerate(choice["delta"].get("tool_calls") or ()):
            call["index"] = place
    yield chunk


def _decode(data: bytes) -> _Chunk:
    try:
        return msgspec.json.decode(data, type=_Chunk)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ModelError("server_error", "what it sent is not a chat completion") from None


async def _parts(chunks: AsyncIterator[_Chunk]) -> AsyncIterator[Part]:
    """Text and calls as they come, then the end, which is known only when the usage chunk after it has been read."""
    reason: str | None = None
    usage: Usage | None = None
    async for chunk in chunks:
        if chunk.error:
            raise ModelError("server_error", _excerpt(json.dumps({"error": chunk.error}).encode()))
        usage = _usage(chunk.usage) or usage
        for choice in chunk.choices[:1]:
            delta = choice.get("delta") or {}
            words = delta.get("content") or delta.get("refusal")
            if isinstance(words, str) and words:
                yield Piece(words)
            for call in delta.get("tool_calls") or ():
                yield _call(call)
            reason = choice.get("finish_reason") or reason
    if reason is None:
        raise ModelError("server_error", "its answer broke off")
    yield End("length" if reason == "length" else "content_filter" if reason == "content_filter" else "stop", usage)


def _call(call: Any) -> CallPiece:
    try:
        function = call.get("function") or {}
        words = [value or "" for value in (call.get("id"), function.get("name"), function.get("arguments"))]
        if not all(isinstance(word, str) for word in words):
            raise TypeError  # noqa: TRY301 - told with the others
        return CallPiece(int(call.get("index") or 0), *words)
    except (AttributeError, TypeError, ValueError):
        raise ModelError("server_error", "what it sent is not a tool call") from None


def _usage(counted: dict[str, Any] | None) -> Usage | None:
    try:
        return Usage.model_validate(counted) if counted else None
    except ValueError:
        return None
