"""HTTP APIs that a capability consumes."""

from dataclasses import dataclass

from capably.document import Mapping, Node, Scalar
from capably.model.auth import Authentication
from capably.model.fields import OURS, Record, key
from capably.model.values import Output, Parameter

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumedOperation(Record):
    """One request that the API understands."""

    name: str = key("name", "The name that `call` uses.", required=True)
    method: str = key("method", "The HTTP method.", default="GET", one_of=METHODS)
    path: str | None = key(
        "path", "A path below the resource's, or the whole path when it starts with `/`.", since=OURS
    )
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it does.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    inputs: tuple[Parameter, ...] = key("inputParameters", "What the request needs.", default=())
    outputs: tuple[Output, ...] = key("outputParameters", "What the answer holds.", default=())
    output_raw_format: str | None = key("outputRawFormat", "The format of the answer (json by default).")
    output_schema: str | None = key("outputSchema", "A schema file, a CSS selector or a heading, by format.")
    output_media_type: str | None = key("outputMediaType", "The media type of a binary answer.", since="1.0.0-beta1")
    max_binary_size: str | None = key("maxBinarySize", "The largest binary answer, such as 10MiB.", since="1.0.0-beta1")
    body: Node | None = key("body", "The request body: text, or a mapping with `type` and `data`.")
    authentication: Authentication | None = key("authentication", "Replaces the entry's authentication.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumedResource(Record):
    """A path with its operations."""

    name: str | None = key("name", "The resource's name.")
    path: str = key("path", "The path below the base URI.", default="")
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it is.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    inputs: tuple[Parameter, ...] = key("inputParameters", "Parameters of every operation below.", default=())
    operations: tuple[ConsumedOperation, ...] = key("operations", "What can be asked of it.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumes(Record):
    """One HTTP API."""

    namespace: str = key("namespace", "The name that `call` starts with.", required=True)
    type: str | None = key("type", "The kind of API: http.")
    base_uri: str = key("baseUri", "Where the API is. Empty: given from outside.", default="")
    display: str | None = key("display", "A title for people.", since=OURS)
    description: str | None = key("description", "What the API is.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    inputs: tuple[Parameter, ...] = key("inputParameters", "Parameters of every request.", default=())
    authentication: Authentication | None = key("authentication", "How requests are authenticated.")
    resources: tuple[ConsumedResource, ...] = key("resources", "The API's paths.", default=())
    tunnel: Node | None = key("tunnel", "A private network the API is reached through.", since="1.0.0-alpha3")

    @property
    def needs_tunnel(self) -> bool:
        """Whether it is out of reach without its tunnel: unless ``fallback: direct`` says otherwise."""
        if not isinstance(self.tunnel, Mapping):
            return False
        fallback = self.tunnel.get("fallback")
        return not (isinstance(fallback, Scalar) and fallback.text.lower() == "direct")
