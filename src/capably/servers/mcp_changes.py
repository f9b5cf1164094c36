"""Telling clients that what a server offers has changed, and who wants to be told what.

In the modern era a client asks with ``subscriptions/listen`` and hears what it asked for (MCP 2026-07-28,
Subscriptions); in the legacy era a session hears of changed lists by itself, and of the resources it subscribed to.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from capably.servers.mcp_eras import SUBSCRIPTION_KEY, Context, Era
from capably.servers.mcp_features import ABSENT, Feature, Handler, Listen, Marks
from capably.servers.mcp_messages import (
    INVALID_PARAMS,
    Message,
    ProtocolError,
    encode_notification,
    encode_result,
)


class Change(StrEnum):
    """What can change, by the notification that tells it."""

    TOOLS = "tools/list_changed"
    PROMPTS = "prompts/list_changed"
    RESOURCES = "resources/list_changed"
    RESOURCE = "resources/updated"


LISTS: Final[Mapping[str, Change]] = {
    "tools": Change.TOOLS,
    "prompts": Change.PROMPTS,
    "resources": Change.RESOURCES,
}
"""The changes of lists, by the capability that offers the list."""

_WISHES: Final[Mapping[str, tuple[str, Change]]] = {
    "toolsListChanged": ("tools", Change.TOOLS),
    "promptsListChanged": ("prompts", Change.PROMPTS),
    "resourcesListChanged": ("resources", Change.RESOURCES),
}

_MOST_WATCHED: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """Somebody who wants to know: of which lists, and of which resources; ``meta`` goes with all it is told."""

    lists: Collection[Change]
    watched: Collection[str]
    deliver: Callable[[bytes], None]
    meta: Mapping[str, Any]

    def hear(self, change: Change, uri: str) -> None:
        """Deliver what is wanted."""
        if change is Change.RESOURCE:
            if uri not in self.watched:
                return
        elif change not in self.lists:
            return
        params: dict[str, Any] = {"uri": uri} if change is Change.RESOURCE else {}
        if self.meta:
            params["_meta"] = self.meta
        self.deliver(encode_notification(change.value, params))


class Changes:
    """Who listens to one server."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: dict[Listener, None] = {}

    def join(self, listener: Listener) -> Callable[[], None]:
        """Listen until the function that is returned is called."""
        self._listeners[listener] = None
        return lambda: self._listeners.pop(listener, None)

    @property
    def watched(self) -> frozenset[str]:
        """The addresses of resources that somebody wants to hear of."""
        return frozenset(uri for listener in self._listeners for uri in listener.watched)

    def tell(self, change: Change, uri: str = "") -> None:
        """Tell everybody who wants to know; ``uri`` says which resource changed."""
        for listener in tuple(self._listeners):
            listener.hear(change, uri)


def listening(marks: Marks, capabilities: Mapping[str, Mapping[str, Any]]) -> Feature:
    """The methods by which clients say what they want to be told; ``capabilities`` are what the server declares."""
    if marks.era is Era.MODERN:
        return Feature({"subscriptions/listen": _listen(marks, capabilities)})
    if not capabilities.get("resources", {}).get("subscribe"):
        return ABSENT
    return Feature({"resources/subscribe": _watch(is_wanted=True), "resources/unsubscribe": _watch(is_wanted=False)})


def _listen(marks: Marks, capabilities: Mapping[str, Mapping[str, Any]]) -> Handler:
    def listen(message: Message, _context: Context) -> Listen:
        wishes = message.params.get("notifications")
        if not isinstance(wishes, dict):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `notifications` must be an object")
        granted: dict[str, Any] = {
            wish: True
            for wish, (offer, _change) in _WISHES.items()
            if wishes.get(wish) is True and capabilities.get(offer, {}).get("listChanged")
        }
        watched = _uris(wishes.get("resourceSubscriptions"))
        if watched and capabilities.get("resources", {}).get("subscribe"):
            granted["resourceSubscriptions"] = watched
        meta = {SUBSCRIPTION_KEY: message.id}
        farewell = {"_meta": {**marks.meta, **meta}}
        return Listen(
            request_id=message.id,
            lists=frozenset(_WISHES[wish][1].value for wish in granted if wish in _WISHES),
            watched=frozenset(granted.get("resourceSubscriptions", ())),
            meta=meta,
            greeting=encode_notification("subscriptions/acknowledged", {"notifications": granted, "_meta": meta}),
            farewell=encode_result(message.id, marks.result(farewell)),
        )

    return listen


def _uris(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `resourceSubscriptions` must be a list of URIs")
    if len(value) > _MOST_WATCHED:
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: at most {_MOST_WATCHED:,} resources can be watched")
    return value


def _watch(*, is_wanted: bool) -> Handler:
    def watch(message: Message, context: Context) -> bytes:
        uri = message.params.get("uri")
        if not isinstance(uri, str):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `uri` must be a string")
        if context.session is not None and not is_wanted:
            context.session.watched.discard(uri)
        elif context.session is not None:
            if len(context.session.watched) >= _MOST_WATCHED:
                raise ProtocolError(INVALID_PARAMS, f"Invalid params: at most {_MOST_WATCHED:,} resources are watched")
            context.session.watched.add(uri)
        return b"{}"

    return watch
