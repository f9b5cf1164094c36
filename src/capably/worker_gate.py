"""How a worker knows that it is another worker that asks: by a secret that the supervisor hands to all of them."""

import hashlib
import hmac
from typing import Final

from capably.plan.gate import SecretGate

_HEADER: Final = "capably-worker"


def worker_gate(state_key: str) -> SecretGate:
    """What a worker asks of the first one."""
    return SecretGate("header", _HEADER, "", "", proof(state_key)[1].encode(), "the first worker")


def proof(state_key: str) -> tuple[str, str]:
    """The header by which the first worker proves who it is."""
    return _HEADER, hmac.new(state_key.encode(), b"control", hashlib.sha256).hexdigest()
