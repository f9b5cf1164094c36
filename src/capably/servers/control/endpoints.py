"""Every path of the control server: how it is asked for, the key of the document that allows it, and who answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from capably.plan import control as keys
from capably.plan.control import Control
from capably.plan.outcome import Fault
from capably.servers.control import configuration, health, logs, metrics, reloading, scripting, traces
from capably.servers.control.asked import Handler

NAME: Final = "{name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a path; a last part ``{name}`` takes any one part."""

    method: str
    path: str
    key: str
    handler: Handler


ENDPOINTS: Final = (
    Endpoint("GET", "/health/live", keys.HEALTH, health.live),
    Endpoint("GET", "/health/ready", keys.HEALTH, health.ready),
    Endpoint("GET", "/status", keys.INFO, health.status),
    Endpoint("GET", "/metrics", keys.METRICS, metrics.shown),
    Endpoint("GET", "/traces", keys.TRACES, traces.recent),
    Endpoint("GET", "/traces/{name}", keys.TRACES, traces.one),
    Endpoint("GET", "/logs", keys.LOGS, logs.recent),
    Endpoint("GET", "/logs/stream", keys.LOG_STREAM, logs.stream),
    Endpoint("PUT", "/logs/{name}", keys.LOG_LEVELS, logs.changed),
    Endpoint("DELETE", "/logs/{name}", keys.LOG_LEVELS, logs.reset),
    Endpoint("GET", "/scripting", keys.SCRIPTING, scripting.shown),
    Endpoint("PUT", "/scripting", keys.SCRIPTING, scripting.changed),
    Endpoint("GET", "/config", keys.CONFIG, configuration.shown),
    Endpoint("POST", "/config/validate", keys.VALIDATE, reloading.validate),
    Endpoint("POST", "/config/reload", keys.RELOAD, reloading.reload),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The endpoints of a path that this server has, and the part of the path that is a name."""

    endpoints: tuple[Endpoint, ...]
    name: str = ""

    @property
    def methods(self) -> str:
        """The methods that are answered, as the `Allow` header lists them."""
        methods = [method for item in self.endpoints for method in _with_head(item.method)]
        return ", ".join(dict.fromkeys((*methods, "OPTIONS")))

    def endpoint(self, method: str) -> Endpoint:
        """The endpoint of a method; HEAD is answered as GET is, without its body.

        Raises:
            Fault: status 405, there is none.
        """
        for item in self.endpoints:
            if method in _with_head(item.method):
                return item
        headers = (("allow", self.methods),)
        detail = f"this path answers to {self.methods}, not to {method[:20]}"
        raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=headers)


def find(path: str, control: Control, endpoints: Sequence[Endpoint] = ENDPOINTS) -> Found:
    """The endpoints of a path.

    Raises:
        Fault: status 404, there is no such path; the detail names the key that would allow it, if one would.
    """
    here = [item for item in endpoints if item.path == path]
    name = ""
    if not here:
        above, _, name = path.rpartition("/")
        here = [item for item in endpoints if name and item.path == f"{above}/{NAME}"]
    if not here:
        raise Fault(404, "no-route", "Nothing has this path", f"there is {', '.join(_paths(control, endpoints))}")
    allowed = tuple(item for item in here if item.key in control.allows)
    if not allowed:
        raise not_enabled(path, here[0].key)
    return Found(allowed, unquote(name))


def not_enabled(path: str, key: str) -> Fault:
    """The fault for a path that a key of the document would allow."""
    detail = f"the document does not allow {path[:100]}: set `{key}` of its control server"
    return Fault(404, "not-enabled", "This part of the control server is off", detail)


def _with_head(method: str) -> tuple[str, ...]:
    return (method, "HEAD") if method == "GET" else (method,)


def _paths(control: Control, endpoints: Sequence[Endpoint]) -> list[str]:
    paths = [item.path.replace(NAME, "NAME") for item in endpoints if item.key in control.allows]
    return list(dict.fromkeys(paths)) or ["nothing here that this server's document allows"]
