"""Case files are read: YAML, with the same diagnostics as documents. Whatever is not understood is an error."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from capably.casefile.records import CaseFile, Exchange, Reply, Story
from capably.diagnostics import Diagnostic, Severity, Span, error
from capably.document import Mapping, Node, Scalar, parse_document
from capably.errors import EXIT_USAGE, CommandError
from capably.model.decode import decode_record
from capably.render.excerpt import split_lines

SUFFIX = ".case"


@dataclass(frozen=True, slots=True)
class Case:
    """A case file. ``record`` is ``None`` when nothing of it can be used; ``problems`` say what is wrong with it."""

    path: Path
    text: str
    record: CaseFile | None
    problems: tuple[Diagnostic, ...]

    @contextmanager
    def document(self) -> Iterator[Path]:
        """The file of the document; one that is written in the case file is put into a file for the time being."""
        stated = self.record.document if self.record is not None else None
        if isinstance(stated, Scalar):
            yield self.path.parent / stated.text
            return
        with tempfile.TemporaryDirectory(prefix="capably-") as folder:
            path = Path(folder) / f"{self.path.stem}.yaml"
            path.write_text(_cut_out(self.text, stated) if stated is not None else "", encoding="utf-8")
            yield path


def _cut_out(text: str, node: Node) -> str:
    """The text of a node on the lines it has in its file, so that what is said of it names the right places."""
    span = node.span
    block = split_lines(text)[span.line - 1 : span.end_line]
    block[0] = " " * (span.column - 1) + block[0][span.column - 1 :]
    if len(block) == span.end_line - span.line + 1:  # else the node ends where the file does
        block[-1] = block[-1][: span.end_column - 1]
    return "\n" * (span.line - 1) + "\n".join(block) + "\n"


def find_cases(paths: Sequence[Path]) -> list[Path]:
    """Case files: those that are named, and those below the folders that are named.

    Raises:
        CommandError: a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        below = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not below:
            raise CommandError(f"{path} holds no {SUFFIX} file", exit_code=EXIT_USAGE)
        found += below
    return list(dict.fromkeys(found))


def read_case(path: Path) -> Case:
    """Read a case file. What is wrong with it is in ``problems``; nothing is raised."""
    start = Span(str(path), 1, 1, 1, 1)
    try:
        data = path.read_bytes()
    except OSError as problem:
        message = f"the file cannot be read: {problem.strerror or type(problem).__name__}"
        return Case(path, "", None, (error("DOC001", message, start, "check the path"),))
    parsed, found = parse_document(str(path), data)
    if parsed is None:
        return Case(path, data.decode("utf-8", "replace"), None, tuple(found))
    if not isinstance(parsed.root, Mapping):
        message = "this is not a case file: it holds no mapping"
        return Case(path, parsed.text, None, (error("CAS001", message, start, "write `document:` and `stories:`"),))
    record = decode_record(CaseFile, parsed.root, "the case file", found)
    problems = [replace(item, severity=Severity.ERROR) for item in found]
    if record is not None:
        problems += _problems(record)
    return Case(path, parsed.text, record, tuple(problems))


def _problems(record: CaseFile) -> Iterator[Diagnostic]:
    if record.document is None:
        advice = "add `document: ./file.yaml`, or the document itself below it"
        yield error("CAS001", "the case file names no document", record.node.span, advice)
    if not record.stories:
        yield error("CAS001", "the case file tells no story", record.node.span, "add `stories:` with `name` and `call`")
    for story in record.stories:
        yield from _contradictions(story)
        for exchange in story.upstream:
            found: list[Diagnostic] = []
            reply_of(exchange, found)
            yield from (replace(item, severity=Severity.ERROR) for item in found)


def _contradictions(story: Story) -> Iterator[Diagnostic]:
    span = story.value_span("name")
    if (story.call is None) == (story.request is None):
        how = "neither `call` nor `request`" if story.call is None else "both `call` and `request`"
        yield error("CAS001", f"the story has {how}", span, "write one of them")
    for key in ("with", "tool") if story.request is not None else ("body",):
        if key in story.node.entries:
            other = "call" if story.request is not None else "request"
            yield error("CAS001", f"`{key}` belongs to `{other}`", story.key_span(key), "remove it")
    records: tuple[Story | Exchange, ...] = (story, *story.upstream)
    for record in records:
        if record.request is not None and not _is_line(record.request):
            advice = "write it as `GET /path` or `GET /path?a=b`"
            yield error("CAS001", f"`{record.request}` is no request", record.value_span("request"), advice)


def _is_line(written: str) -> bool:
    method, _space, target = written.partition(" ")
    return method.isascii() and method.isalpha() and target.strip().startswith("/")


def reply_of(exchange: Exchange, found: list[Diagnostic]) -> Reply:
    """The reply of an exchange: a status alone, or a mapping; 200 without a body when it says nothing."""
    node = exchange.reply
    empty = Reply(node=exchange.node)
    if node is None:
        return empty
    if isinstance(node, Scalar):
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return replace(empty, status=node.value)
        found.append(error("CAS001", f"`{node.text}` is no status", node.span, "write a number, or a mapping"))
        return empty
    return decode_record(Reply, node, "reply", found) or empty
