"""Stated pieces of content, compiled."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from capably.diagnostics import Diagnostic, Span, error
from capably.document import Node
from capably.expr.source import Constant, Source
from capably.model.contents import Content
from capably.plan.content import StatedContent
from capably.plan.read_file import ReadFile

CompileText: TypeAlias = Callable[[str, Node], Source]
"""Compiles a template that stands in a node."""

_TEXT: Final = "text/plain"
_PERCEIVED: Final = ("image/", "audio/")
"""Media types whose bytes a model can be shown without an address."""


@dataclass(frozen=True, slots=True)
class ContentCompiler:
    """Compiles pieces of content; what is wrong is added to ``found``."""

    compile_text: CompileText
    read_file: ReadFile
    found: list[Diagnostic]

    def contents(self, stated: tuple[Content, ...]) -> tuple[StatedContent, ...]:
        """The pieces that can be told."""
        compiled = (self.content(item) for item in stated)
        return tuple(item for item in compiled if item is not None)

    def content(self, stated: Content) -> StatedContent | None:
        """One piece, ``None`` when it cannot be told."""
        written = [name for name in ("text", "data", "location") if getattr(stated, name) is not None]
        if len(written) != 1:
            what = " and ".join(f"`{name}`" for name in written) or "neither `text` nor `data` nor `location`"
            message = f"a piece of content has {what}"
            self._refuse(message, stated.node.span, "write exactly one of `text`, `data` and `location`")
            return None
        media_type = (stated.mime_type or "").strip()
        uri = self._text(stated, "uri") if stated.uri is not None else None
        if stated.text is not None:
            return StatedContent(media_type or _TEXT, text=self._text(stated, "text"), uri=uri)
        data = self._bytes(stated)
        if data is None:
            return None
        if media_type.startswith("text/"):
            return StatedContent(media_type, text=Constant(data.decode("utf-8", "replace")), uri=uri)
        if not media_type.startswith(_PERCEIVED) and uri is None:
            message = f"bytes of {media_type or 'no media type'} can only be told as a resource"
            advice = "add `uri:`, or a `mimeType` such as image/png or audio/wav"
            self._refuse(message, stated.node.span, advice)
            return None
        return StatedContent(media_type or "application/octet-stream", data=data, uri=uri)

    def _bytes(self, stated: Content) -> bytes | None:
        if stated.data is not None:
            return self.base64(stated.data, stated.value_span("data"))
        span = stated.value_span("location")
        try:
            return self.read_file(stated.location or "", span)
        except OSError as problem:
            self._refuse(f"the file of a piece of content cannot be read: {problem}", span, "check its path")
            return None

    def base64(self, text: str, span: Span) -> bytes | None:
        """The bytes that a text is Base64 of (RFC 4648, section 4), ``None`` when it is none."""
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as problem:
            self._refuse(f"`data` is not Base64: {problem}", span, "write bytes as Base64, or a text as `text`")
            return None

    def _text(self, stated: Content, key: str) -> Source:
        node = stated.node.get(key)
        return self.compile_text(getattr(stated, key), node if node is not None else stated.node)

    def _refuse(self, message: str, span: Span, advice: str) -> None:
        self.found.append(error("CNT001", message, span, advice))
