"""A client's side of MCP, as far as looking around needs it: greeting in either era, requests, and whole lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from capably import __version__
from capably.errors import CommandError
from capably.servers.mcp_eras import CAPABILITIES_KEY, LEGACY_VERSIONS, MODERN_VERSIONS, VERSION_KEY

_CLIENT: Final = {"name": "capably-inspect", "version": __version__}
_MOST_PAGES: Final = 1000

METHOD_NOT_FOUND: Final = -32601


class Carrier(Protocol):
    """Carries messages to one server."""

    async def exchange(self, message: Mapping[str, Any], version: str | None) -> Mapping[str, Any] | None:
        """Send a message and give the response to it, ``None`` when it is a notification.

        Args:
            message: a JSON-RPC message.
            version: the revision it is written in, ``None`` before one is agreed on.

        Raises:
            CommandError: there is no server, it refuses everything, or it does not speak JSON-RPC.
        """
        ...


class ServerError(Exception):
    """An error that a server answers."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        """Keep what it says."""
        super().__init__(str(error.get("message", "")))
        self.code = error.get("code")


@dataclass(frozen=True, slots=True)
class Greeting:
    """How a server introduced itself, and the revision that is spoken with it."""

    version: str
    result: Mapping[str, Any]

    @property
    def is_modern(self) -> bool:
        """Whether each request says the revision itself."""
        return self.version in MODERN_VERSIONS


class Conversation:
    """A conversation with one server, which begins with :meth:`greet`."""

    def __init__(self, carrier: Carrier) -> None:
        """Keep what carries the messages."""
        self._carrier = carrier
        self._asked = 0
        self._greeting: Greeting | None = None

    async def greet(self) -> Greeting:
        """Begin, in the modern era if the server knows it (MCP 2026-07-28, Versioning: Backward Compatibility).

        Raises:
            CommandError: the server cannot be reached, or speaks no revision that is known here.
        """
        modern = MODERN_VERSIONS[0]
        try:
            result = await self._ask("server/discover", {}, modern)
        except ServerError:
            return await self._initialize()
        if modern not in result.get("supportedVersions", [modern]):
            return await self._initialize()
        self._greeting = Greeting(modern, result)
        return self._greeting

    async def listed(self, method: str, key: str) -> list[dict[str, Any]]:
        """All pages of a list; empty when the server does not have it."""
        entries: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        version = self._greeting.version if self._greeting is not None else None
        for _ in range(_MOST_PAGES):
            try:
                result = await self._ask(method, params, version)
            except ServerError as problem:
                if problem.code == METHOD_NOT_FOUND:
                    return []
                raise CommandError(f"the server refuses {method}: {problem}") from None
            found = result.get(key)
            if not isinstance(found, list):
                raise CommandError(f"the server's answer to {method} has no list `{key}`")
            entries += [entry for entry in found if isinstance(entry, dict)]
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                return entries
            params = {"cursor": cursor}
        raise CommandError(f"{method} does not end after {_MOST_PAGES:,} pages")

    async def _initialize(self) -> Greeting:
        wanted = {"protocolVersion": LEGACY_VERSIONS[0], "capabilities": {}, "clientInfo": _CLIENT}
        try:
            result = await self._ask("initialize", wanted, None)
        except ServerError as problem:
            advice = f"revisions known here: {', '.join((*MODERN_VERSIONS, *LEGACY_VERSIONS))}"
            raise CommandError(f"the server does not begin a conversation: {problem}", advice) from None
        self._greeting = Greeting(str(result.get("protocolVersion", LEGACY_VERSIONS[0])), result)
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self._carrier.exchange(initialized, self._greeting.version)
        return self._greeting

    async def _ask(self, method: str, params: dict[str, Any], version: str | None) -> Mapping[str, Any]:
        self._asked += 1
        if version in MODERN_VERSIONS:
            params = {**params, "_meta": {VERSION_KEY: version, CAPABILITIES_KEY: {}, _CLIENT_KEY: _CLIENT}}
        message = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        response = await self._carrier.exchange(message, version)
        error = response.get("error") if response is not None else {"message": "it gives no response"}
        if isinstance(error, dict):
            raise ServerError(error)
        result = response.get("result") if response is not None else None
        if not isinstance(result, dict):
            raise CommandError(f"the server's answer to {method} is no result", "is this an MCP server?")
        return result


_CLIENT_KEY: Final = "io.modelcontextprotocol/clientInfo"
