"""Resources: ``resources/list``, ``resources/templates/list`` and ``resources/read``.

What operations answer is run like a tool. Files and folders are looked at with each request, so what changes on disk is
seen at once; only names that a walk of a folder finds can be read (:mod:`capably.folder`).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from capably.plan.inputs import accept
from capably.plan.operation import ResourcePlan, ServerPlan
from capably.plan.outcome import Fault, Outcome
from capably.servers.gatekeeper.challenges import allow
from capably.servers.mcp_eras import Context, Era
from capably.servers.mcp_features import ABSENT, Feature, Marks, Work
from capably.servers.mcp_files import FileError, StaticFile, files_of, read_file
from capably.servers.mcp_media import Media, media_of
from capably.servers.mcp_messages import INTERNAL_ERROR, INVALID_PARAMS, Message, ProtocolError, shown
from capably.servers.mcp_pages import listing, pages_of
from capably.servers.mcp_results import refusal
from capably.servers.mcp_views import Entry, by_caller

RESOURCE_NOT_FOUND: Final = -32002
"""What revisions before 2026-07-28 answer for an address that is nothing (2025-11-25, Resources: Error Handling)."""


def resources(server: ServerPlan, marks: Marks) -> Feature:
    """The resources of a server, in the order of the document, files by name."""
    if not server.resources:
        return ABSENT
    offer = _Offer(server, marks)
    templates = [Entry(item.scopes, _entry(item)) for item in server.resources if item.template is not None]
    listed = listing("resourceTemplates", templates, marks)
    methods = {
        "resources/list": offer.list,
        "resources/templates/list": listed.handler,
        "resources/read": offer.read,
    }
    capabilities = {"resources": {"subscribe": True, "listChanged": True}}
    return Feature(methods, capabilities, {"resources": offer.everything + listed.everything})


def _entry(resource: ResourcePlan) -> dict[str, Any]:
    """One entry of a list (MCP 2025-06-18 and later, Schema: Resource, ResourceTemplate)."""
    key = "uri" if resource.template is None else "uriTemplate"
    said = {"title": resource.title, "description": resource.description, "mimeType": resource.mime_type}
    return {key: resource.uri, "name": resource.name, **{name: text for name, text in said.items() if text}}


def _file_entry(resource: ResourcePlan, file: StaticFile) -> dict[str, Any]:
    entry = {**_entry(resource), "uri": file.uri, "mimeType": file.media_type, "size": file.size}
    if file.name:
        entry["name"] = file.name
        entry.pop("title", None)  # it is the folder's
    return entry


class _Offer:
    """What one server has to read, in one era."""

    def __init__(self, server: ServerPlan, marks: Marks) -> None:
        self._gate = server.gate
        self._marks = marks
        direct = [resource for resource in server.resources if resource.template is None]
        self._files = [resource for resource in direct if resource.path is not None]
        self._direct = {resource.uri: resource for resource in direct if resource.path is None}
        self._templates = [resource for resource in server.resources if resource.template is not None]
        entries = [Entry(resource.scopes, _entry(resource)) for resource in direct if resource.path is None]
        fixed = listing("resources", entries, marks)
        self._fixed, self.everything = fixed.handler, fixed.everything
        self._seen = by_caller(entries, list)

    def list(self, message: Message, context: Context) -> bytes:
        """The addresses that a caller may read, without those of templates."""
        if not self._files:
            answer = self._fixed(message, context)
            assert isinstance(answer, bytes)  # noqa: S101 -- a listing is always written
            return answer
        entries = list(self._seen(context.principal))
        for resource in self._files:
            if context.principal.may(resource.scopes):
                entries += [_file_entry(resource, file) for file in files_of(resource)]
        return pages_of("resources", entries, self._marks).page(message.params.get("cursor"))

    def read(self, message: Message, context: Context) -> bytes | Work:
        """What stands at an address."""
        uri = message.params.get("uri")
        if not isinstance(uri, str):
            raise ProtocolError(INVALID_PARAMS, "Invalid params: `uri` must be a string")
        resource, values = self._at(uri)
        if resource is None:
            raise self._not_found(uri)
        allow(self._gate, context.principal, resource.scopes)
        reading = _Reading(self, resource, uri)
        if resource.operation is None:
            return self._read_file(reading)
        try:
            inputs = accept(resource.operation, values)
        except Fault as fault:
            raise ProtocolError(INVALID_PARAMS, f"Invalid params: {fault.detail}", data={"uri": uri}) from None
        return Work(resource.operation, inputs, reading.tell, reading.tell_fault)

    def contents(self, uri: str, media: Media, body: bytes, *, is_binary: bool = False) -> bytes:
        """The result of a read: a text, or bytes as Base64 (MCP 2025-06-18 and later, Resources: Resource Contents)."""
        content: dict[str, Any] = {"uri": uri, "mimeType": media.name}
        if is_binary or not media.is_text:
            content["blob"] = base64.b64encode(body).decode()
        else:
            content["text"] = media.decode(body)
        return self._marks.listing({"contents": [content]})

    def _at(self, uri: str) -> tuple[ResourcePlan | None, Mapping[str, str]]:
        direct = self._direct.get(uri)
        if direct is not None:
            return direct, {}
        for resource in self._templates:
            values = resource.template.match(uri) if resource.template is not None else None
            if values is not None and resource.operation is not None:
                by_wire_name = {item.wire_name: item.name for item in resource.operation.inputs}
                return resource, {by_wire_name.get(name, name): value for name, value in values.items()}
        below = (file for file in self._files if uri == file.uri or uri.startswith(f"{file.uri.rstrip('/')}/"))
        return max(below, key=lambda file: len(file.uri), default=None), {}

    def _read_file(self, reading: "_Reading") -> bytes:
        resource, uri = reading.resource, reading.uri
        try:
            found = read_file(resource, uri)
        except FileError as problem:
            raise ProtocolError(INTERNAL_ERROR, f"The resource cannot be read: {problem}", data={"uri": uri}) from None
        if found is None:
            raise self._not_found(uri)
        media_type, body = found
        return self.contents(uri, media_of(media_type, body), body, is_binary=resource.is_binary)

    def _not_found(self, uri: str) -> ProtocolError:
        code = INVALID_PARAMS if self._marks.era is Era.MODERN else RESOURCE_NOT_FOUND
        return ProtocolError(code, f"Resource not found: {shown(uri)}", data={"uri": uri})

    def refused(self, uri: str, status: int, message: str) -> ProtocolError:
        """The error for a read that gave no content."""
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return self._not_found(uri)
        code = INVALID_PARAMS if status == HTTPStatus.BAD_REQUEST else INTERNAL_ERROR
        return ProtocolError(code, message, data={"uri": uri})


@dataclass(frozen=True, slots=True)
class _Reading:
    """One read of a resource."""

    offer: _Offer
    resource: ResourcePlan
    uri: str

    def tell(self, outcome: Outcome) -> bytes:
        """The result of an operation that ended."""
        if outcome.is_error:
            raise self.offer.refused(self.uri, outcome.status, refusal(outcome))
        stated = self.resource.mime_type or None
        body, media_type = outcome.body, stated or outcome.media_type
        if outcome.pieces:
            (piece,) = outcome.pieces
            body = piece.data if piece.data is not None else (piece.text or "").encode()
            media_type = stated or piece.media_type
        return self.offer.contents(self.uri, media_of(media_type, body), body, is_binary=self.resource.is_binary)

    def tell_fault(self, fault: Fault) -> bytes:
        """There is no result without an outcome.

        Raises:
            ProtocolError: always.
        """
        raise self.offer.refused(self.uri, fault.status, f"{fault.title}: {fault.detail}")
