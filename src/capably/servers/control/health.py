"""Whether the process lives, is ready, and what it is."""

import platform
from datetime import UTC, datetime
from typing import Any

from capably import __version__
from capably.plan.operation import Kind
from capably.servers.control.asked import Answer, Asked, Room, answer
from capably.servers.control.moments import duration, written
from capably.servers.desk import Document, Listener
from capably.telemetry.redaction import shown_url


async def live(_room: Room, asked: Asked) -> Answer:
    """It answers."""
    asked.query()
    return answer({"status": "UP"})


async def ready(room: Room, asked: Asked) -> Answer:
    """Whether every server that was bound runs; not while the process ends.

    A reload that was refused leaves it ready, for what was served before is served still.
    """
    asked.query()
    is_ready = _is_ready(room)
    shown = {"status": "UP" if is_ready else "DEGRADED", "adapters": _adapters(room)}
    if room.desk.is_stopping:
        shown["reason"] = "stopping: open requests may end"
    return answer({**shown, **room.last_reload.shown()}, 200 if is_ready else 503)


async def status(room: Room, asked: Asked) -> Answer:
    """What runs here, since when."""
    asked.query()
    desk, worker = room.desk, room.instruments.settings.get("worker")
    capabilities = [_capability(document) for document in desk.documents]
    return answer(
        {
            "capability": capabilities[0] if capabilities else {},
            "capabilities": capabilities,
            "engine": {
                "name": "capably",
                "version": __version__,
                "python": platform.python_version(),
                "native": False,
            },
            "status": "UP" if _is_ready(room) else "DEGRADED",
            "startedAt": written(desk.started_at),
            "uptime": duration(datetime.now(UTC) - desk.started_at),
            "generation": desk.generation,
            **({"worker": worker} if worker is not None else {}),
            **room.last_reload.shown(),
            "otel": _telemetry(room),
            "adapters": _adapters(room),
        }
    )


def _is_ready(room: Room) -> bool:
    desk = room.desk
    others = [item for item in desk.listeners if item.kind is not Kind.CONTROL]
    return desk.generation > 0 and not desk.is_stopping and all(item.is_started for item in others)


def _adapters(room: Room) -> list[dict[str, Any]]:
    return [_adapter(item) for item in room.desk.listeners]


def _adapter(listener: Listener) -> dict[str, Any]:
    reached = {} if listener.plan.over_stdio else {"port": listener.port}
    state = "started" if listener.is_started else "stopped"
    kind, namespace = listener.kind.value, listener.namespace
    return {"type": kind, "namespace": namespace, **reached, "url": listener.url, "state": state}


def _capability(document: Document) -> dict[str, Any]:
    info = document.capability.info
    version = {"version": info.version} if info is not None and info.version is not None else {}
    return {
        "display": document.plan.title,
        **version,
        "specVersion": document.plan.language,
        "file": document.file,
        "loadedAt": written(document.loaded_at),
        "generation": document.generation,
    }


def _telemetry(room: Room) -> dict[str, Any]:
    telemetry = room.instruments.telemetry
    if telemetry is None or not telemetry.settings.enabled:
        return {"status": "inactive"}
    endpoint = telemetry.redactor.hide(shown_url(telemetry.settings.otlp_endpoint or ""))
    return {"status": "active", **({"exporter": "otlp", "endpoint": endpoint} if endpoint else {})}
