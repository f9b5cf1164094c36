"""How requests are authenticated: an authentication block becomes credentials.

Everything here is pure. What is the same for every request (bearer, basic, API keys) becomes pairs that are folded
into the request template when a document is loaded. The rest are frozen values with pure functions, performed by
:mod:`capably.upstream.authenticator`: signatures need a clock, digest a challenge, OAuth 2 a token, certificates a
connection of their own.
"""

from capably.upstream.auth.block import Reveal
from capably.upstream.auth.credentials import NO_CREDENTIALS, Credentials, Scheme
from capably.upstream.auth.table import compile_credentials

__all__ = ["NO_CREDENTIALS", "Credentials", "Reveal", "Scheme", "compile_credentials"]
