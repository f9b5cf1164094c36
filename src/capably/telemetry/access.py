"""The access log: one line for each request that was answered."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from capably.telemetry import names
from capably.telemetry.recording import Recording

LOGGER: Final = "capably.access"
_log = logging.getLogger(LOGGER)
_LONGEST: Final = 300


class AccessLog:
    """Writes requests to the log named ``capably.access``, with their fields as ``attributes`` of the record."""

    def write(self, scope: Mapping[str, Any], entry: Recording, status: int, size: int) -> None:
        """Write one line; queries are left out, for they may hold secrets.

        Args:
            scope: the request, as ASGI tells it.
            entry: its span, which has ended.
            status: its HTTP status, 0 when the caller left before there was one.
            size: how many bytes of body were sent.
        """
        if not _log.isEnabledFor(logging.INFO):
            return
        tree = entry.tree
        route = entry.attributes.get(names.ROUTE)
        fields: dict[str, Any] = {
            "method": entry.attributes.get(names.METHOD, names.UNKNOWN),
            "path": (scope.get("root_path", "") + scope["path"])[:_LONGEST],
            **({"route": route} if route else {}),
            "operation": tree.operation,
            "status": status or None,
            "bytes": size,
            "duration_ms": round((entry.ended - entry.began) / 1e6, 3),
            "namespace": entry.attributes.get(names.NAMESPACE, ""),
            **({"client": scope["client"][0]} if scope.get("client") else {}),
            **({"subject": tree.subject} if tree.subject else {}),
        }
        whose = f" for {tree.subject}" if tree.subject else ""
        shown = (fields["method"], fields["path"], status or "-", size, fields["duration_ms"], whose)
        _log.info("%s %s %s %d bytes %s ms%s", *shown, extra={"attributes": fields})
