"""What authenticates requests: pairs that are the same for all of them, or a scheme that works on each one."""

from dataclasses import dataclass, field
from typing import TypeAlias

from capably.upstream.auth.certificate import Certificate
from capably.upstream.auth.digest import Digest
from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.auth.signer import Signer

Scheme: TypeAlias = Certificate | Digest | OAuth2 | Signer
"""A scheme that needs the moment of the call: a clock, a challenge, a token or a connection of its own.

All are frozen values; whoever performs calls keeps what changes (see :mod:`capably.upstream.authenticator`). Each
has ``headers``, the names in lower case that it fills, and ``preview(request)``, which gives the request with
stand-ins for what is only known when it is sent.
"""

Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who we are: pairs ready to be added to a request, and the scheme that does the rest."""

    headers: Pairs = field(default=(), repr=False)
    query: Pairs = field(default=(), repr=False)
    cookies: Pairs = field(default=(), repr=False)
    body: Pairs = field(default=(), repr=False)
    scheme: Scheme | None = None

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        """Place and lower-case name of what authentication fills outside of bodies: no caller is asked for it."""
        places = {"header": self.headers, "query": self.query, "cookie": self.cookies}
        pairs = {(place, name.lower()) for place, pairs in places.items() for name, _value in pairs}
        written = self.scheme.headers if self.scheme is not None else ()
        return frozenset(pairs | {("header", name) for name in written})


NO_CREDENTIALS = Credentials()
