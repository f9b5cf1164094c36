"""The names of spans, attributes and metrics: those of the published versions, with the newer one's prefix ``ikanos``.

One prefix for every document, whatever version it is written for: a dashboard that somebody has goes on working, and
one process can serve documents of both. Names without a prefix are OpenTelemetry's semantic conventions.
"""

from typing import Final

from capably.telemetry.metrics import Instrument, Type

ADAPTER: Final = "ikanos.adapter.type"
OPERATION: Final = "ikanos.operation.id"
CAPABILITY: Final = "ikanos.capability"
NAMESPACE: Final = "ikanos.namespace"
AGGREGATE: Final = "ikanos.aggregate.ref"
STEP_INDEX: Final = "ikanos.step.index"
STEP_NAME: Final = "ikanos.step.name"
STEP_CALL: Final = "ikanos.step.call"
STEP_MATCH: Final = "ikanos.step.match"
SCRIPT_FILE: Final = "ikanos.step.script.file"
SCRIPT_LANGUAGE: Final = "ikanos.step.script.language"

METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS_CODE: Final = "http.response.status_code"
URL: Final = "url.full"
SERVER_ADDRESS: Final = "server.address"
ERROR_TYPE: Final = "error.type"

TOOL: Final = "mcp.tool"
FLOW: Final = "aggregate.flow"

SPANS: Final = (
    (
        "rest.request, mcp.request, skill.request, console.request",
        "SERVER",
        (ADAPTER, OPERATION, CAPABILITY, NAMESPACE, METHOD, ROUTE, STATUS_CODE, ERROR_TYPE),
    ),
    (TOOL, "INTERNAL", (ADAPTER, OPERATION)),
    (FLOW, "INTERNAL", (AGGREGATE,)),
    ("step.call", "INTERNAL", (STEP_INDEX, STEP_NAME, STEP_CALL, NAMESPACE)),
    ("step.lookup", "INTERNAL", (STEP_INDEX, STEP_NAME, STEP_MATCH)),
    ("step.script", "INTERNAL", (STEP_INDEX, STEP_NAME, SCRIPT_FILE, SCRIPT_LANGUAGE)),
    ("step.transform, step.elicit, step.sample, step.roots, step.log", "INTERNAL", (STEP_INDEX, STEP_NAME)),
    ("http.client.<METHOD>", "CLIENT", (METHOD, URL, SERVER_ADDRESS, NAMESPACE, STATUS_CODE, ERROR_TYPE)),
)
"""Every span that is recorded: its name, its kind and the attributes it can have."""

_REQUEST: Final = (ADAPTER, NAMESPACE, OPERATION)

REQUESTS: Final = Instrument(
    "ikanos.request.total", Type.COUNTER, "Requests that were answered.", (*_REQUEST, "status"), "{request}"
)
REQUEST_SECONDS: Final = Instrument(
    "ikanos.request.duration.seconds",
    Type.HISTOGRAM,
    "Time from the first byte of a request to the last of its answer.",
    (*_REQUEST, "status"),
    "s",
)
REQUEST_ERRORS: Final = Instrument(
    "ikanos.request.errors",
    Type.COUNTER,
    "Requests that failed: answered with 5xx, broken off, or a tool that could not be run.",
    (*_REQUEST, ERROR_TYPE),
    "{request}",
)
STEP_SECONDS: Final = Instrument(
    "ikanos.step.duration.seconds", Type.HISTOGRAM, "Time a step of a flow took.", ("step.type", NAMESPACE), "s"
)
CALLS: Final = Instrument(
    "ikanos.http.client.total",
    Type.COUNTER,
    "Calls to upstreams.",
    (METHOD, SERVER_ADDRESS, STATUS_CODE, ERROR_TYPE),
    "{request}",
)
CALL_SECONDS: Final = Instrument(
    "ikanos.http.client.duration.seconds",
    Type.HISTOGRAM,
    "Time from a call to an upstream to the end of its answer; of a stream, to its beginning.",
    (METHOD, SERVER_ADDRESS, STATUS_CODE, ERROR_TYPE),
    "s",
)
CAPABILITIES: Final = Instrument("ikanos.capability.active", Type.GAUGE, "Capabilities that are served.", (CAPABILITY,))

PUBLISHED: Final = (REQUESTS, REQUEST_SECONDS, REQUEST_ERRORS, STEP_SECONDS, CALLS, CALL_SECONDS, CAPABILITIES)
"""Every metric of requests."""

UNKNOWN: Final = "_OTHER"
"""What stands for an operation that no document declares, and for a method no standard knows."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
"""Methods that are told as they are; others are ``_OTHER`` (OpenTelemetry semantic conventions: HTTP)."""


def method_of(written: str) -> str:
    """The method as it is told."""
    return written if written in METHODS else UNKNOWN
