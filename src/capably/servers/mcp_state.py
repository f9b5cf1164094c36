"""What a server that remembers nothing gives its client to keep: ``requestState``, sealed.

A call that needs input ends with all it has learned so far; the client brings it back with the answers. It is an
attacker's to change, so it is encrypted and signed, it expires, and it holds only for the call it was made for: same
method, same parameters, same caller (MCP 2026-07-28, Multi Round-Trip Requests: Server Requirements).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_NOT_PART: Final = frozenset({"_meta", "inputResponses", "requestState"})

MAX_STATE_BYTES: Final = 1024 * 1024
"""How much a call may give its client to keep."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier rounds of a call gave: the journal of its steps, and the client's answers by question."""

    journal: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)


class Seal:
    """Seals what clients keep.

    Args:
        keys: Fernet keys (32 bytes as URL-safe Base64); the first one seals, any of them opens, so that keys can be
            changed without breaking calls. Servers that answer for each other need the same. Without any, one is made
            up that holds until the process ends.
        lifetime_s: how long a state can be brought back.
    """

    def __init__(self, keys: Sequence[str] = (), lifetime_s: int = 3600) -> None:
        """Prepare; ciphers are loaded when they are first needed."""
        self._keys = tuple(keys)
        self._lifetime_s = lifetime_s
        self._loaded: MultiFernet | None = None

    def check(self) -> None:
        """Check the keys.

        Raises:
            ValueError: one of them is no Fernet key.
        """
        if self._keys:
            self._fernet()

    def close(self, message: Message, principal: str, memory: Memory) -> str:
        """The state for a call that has to come again.

        Raises:
            ValueError: it has grown too large to be handed around.
        """
        held = msgspec.json.encode([_digest(message, principal), memory.journal, memory.answers])
        if len(held) > MAX_STATE_BYTES:
            raise ValueError(f"{len(held):,} bytes are more than the {MAX_STATE_BYTES:,} a state may hold")
        return self._fernet().encrypt(held).decode()

    def open(self, message: Message, principal: str, state: object) -> Memory:
        """What a state holds.

        Raises:
            ProtocolError: it is not what this server gave for this call and this caller, or it has expired.
        """
        if not isinstance(state, str):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `requestState` must be a string")
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- loaded when a state comes back

        try:
            # Base64 has more than one spelling of the same bytes, and only one of them is what was given out.
            if urlsafe_b64encode(urlsafe_b64decode(state)).decode() != state:
                raise _REFUSED
            held = self._fernet().decrypt(state, ttl=self._lifetime_s)
        except (InvalidToken, ValueError):
            raise _REFUSED from None
        bound, journal, answers = msgspec.json.decode(held)
        if bound != _digest(message, principal):
            raise _REFUSED
        return Memory(journal, answers)

    def _fernet(self) -> "MultiFernet":
        if self._loaded is None:
            from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 -- most servers never ask anything

            keys: Sequence[str | bytes] = self._keys or (Fernet.generate_key(),)
            self._loaded = MultiFernet([Fernet(key) for key in keys])
        return self._loaded


_REFUSED: Final = ProtocolError(
    INVALID_PARAMS,
    "Invalid params: `requestState` is not what this server gave for this call, or it has expired: call again without",
)


def _digest(message: Message, principal: str) -> str:
    """What a call and its caller are told apart by."""
    params = {name: value for name, value in message.params.items() if name not in _NOT_PART}
    said = msgspec.json.encode([message.method, params, principal], order="deterministic")
    return hashlib.sha256(said).hexdigest()
