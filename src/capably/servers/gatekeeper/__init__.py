"""Who gets in: the gates of a plan, kept.

:class:`Gatekeeper` asks callers for what a gate says and remembers what must be remembered for it: keys of
authorization servers, tokens that were found good, nonces of digest.
"""

from capably.servers.gatekeeper.keeper import Fetch, Gatekeeper
from capably.servers.gatekeeper.metadata import with_metadata

__all__ = ["Fetch", "Gatekeeper", "with_metadata"]
