"""The console: one web page about the process, which a control server shows (docs/console.md).

The page is static; what it shows comes as JSON from below ``/console/``. It loads nothing from elsewhere, and its
policy forbids that.
"""

from capably.servers.console.app import Console

__all__ = ["Console"]
