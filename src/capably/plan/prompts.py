"""The prompts of an MCP server, compiled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from capably.document import Mapping, Node, Scalar, plain
from capably.expr.names import find_name
from capably.expr.source import FromInput, Source, Text, as_text
from capably.expr.template import Hole, cut
from capably.model.contents import Content, Prompt, PromptMessage
from capably.model.decode import decode_record
from capably.model.exposes import ExposesMcp
from capably.plan.content import StatedContent
from capably.plan.contents import ContentCompiler
from capably.plan.prompt import ArgumentPlan, PromptPlan
from capably.plan.read_file import ReadFile

_TEXT: Final = "text/plain"


def compile_prompts(
    server: ExposesMcp, read_file: ReadFile, is_bound: Callable[[str], bool], found: list[Diagnostic]
) -> tuple[PromptPlan, ...]:
    """The prompts of a server that can be served.

    Args:
        server: the server.
        read_file: reads the files that hold prompts.
        is_bound: whether a name is that of a bind, which prompts do not show.
        found: collects what is wrong.
    """
    compiled: dict[str, PromptPlan] = {}
    for stated in server.prompts:
        prompt = _Compiler(stated, read_file, is_bound, found).prompt()
        if prompt is None:
            continue
        earlier = compiled.setdefault(prompt.name, prompt)
        if earlier is not prompt:
            message = f"the prompt `{prompt.name}` stands twice: the first one is served"
            related = [(earlier.span, "the first one")]
            found.append(warning("PRM003", message, prompt.span, "remove or rename one of them", related=related))
    return tuple(compiled.values())


@dataclass(frozen=True, slots=True)
class _Compiler:
    stated: Prompt
    read_file: ReadFile
    is_bound: Callable[[str], bool]
    found: list[Diagnostic]

    def prompt(self) -> PromptPlan | None:
        stated = self.stated
        if bool(stated.template) == (stated.location is not None):
            what = "both `template` and `location`" if stated.template else "neither `template` nor `location`"
            message = f"the prompt `{stated.name}` has {what}"
            self.found.append(error("PRM001", message, stated.node.span, "write its messages, or name its file"))
            return None
        messages = tuple(self.messages())
        if not messages:
            return None
        return PromptPlan(
            name=stated.name,
            title=stated.display or "",
            description=stated.description or "",
            arguments=tuple(self.arguments()),
            messages=messages,
            span=stated.value_span("name"),
            scopes=stated.scopes,
            parts=(stated.node.span,),
        )

    def arguments(self) -> Iterator[ArgumentPlan]:
        for argument in self.stated.arguments:
            choices = plain(argument.enum) if argument.enum is not None else None
            yield ArgumentPlan(
                name=argument.name,
                title=argument.display or "",
                description=argument.description or "",
                required=argument.required is not False,
                choices=tuple(as_text(choice) for choice in choices) if isinstance(choices, list) else (),
                question=argument.elicit or "",
            )

    def messages(self) -> Iterator[tuple[str, StatedContent]]:
        if self.stated.location is not None:
            content = self.file(self.stated.location, self.stated.value_span("location"))
            if content is not None:
                yield "user", content
        for message in self.stated.template:
            content = self.content(message)
            if content is not None:
                yield message.role, content

    def file(self, location: str, span: Span) -> StatedContent | None:
        """A file as one message."""
        try:
            text = self.read_file(location, span).decode("utf-8-sig")
        except OSError as problem:
            self.found.append(error("PRM001", f"the file of a prompt cannot be read: {problem}", span))
        except UnicodeDecodeError:
            self.found.append(error("PRM001", f"`{location}` is not UTF-8 text", span, "save it as UTF-8"))
        else:
            return StatedContent(_TEXT, text=self.filled(text, span))
        return None

    def content(self, message: PromptMessage) -> StatedContent | None:
        node = message.content
        if isinstance(node, Scalar):
            return StatedContent(_TEXT, text=self.filled(node.text, node.span))
        if not isinstance(node, Mapping):
            self.found.append(error("DOC010", "`content` must be a text or a mapping", node.span))
            return None
        stated = decode_record(Content, node, "content", self.found)
        return ContentCompiler(self.node_filled, self.read_file, self.found).content(stated) if stated else None

    def node_filled(self, text: str, node: Node) -> Source:
        return self.filled(text, node.span)

    def filled(self, text: str, span: Span) -> Source:
        """A text with its holes; a hole that no argument fills is text."""
        parts = tuple(piece if isinstance(piece, str) else self.hole(piece, text, span) for piece in cut(text))
        return Text(parts)

    def hole(self, hole: Hole, text: str, span: Span) -> Source | str:
        names = [argument.name for argument in self.stated.arguments]
        name = find_name(hole.name, names).one
        if name is not None:
            return FromInput(name)
        if self.is_bound(hole.name):
            message = f"`{hole.name}` is bound outside of the document, and prompts do not show that"
            advice: tuple[str, ...] = ("write the text itself",)
        else:
            message = f"the prompt `{self.stated.name}` has no argument `{hole.name}`: its place stays as it is"
            advice = did_you_mean(hole.name, names) or (f"add `- name: {hole.name}` to its `arguments`",)
        self.found.append(warning("PRM002", message, span, *advice))
        return text[hole.start : hole.end]
