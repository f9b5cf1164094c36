"""Script steps become scripts when their document is loaded: found, read and understood, or told what is wrong."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from capably.diagnostics import Diagnostic, Span, error, warning
from capably.imports import local_path
from capably.model.capability import Capability
from capably.model.exposes import ExposesMcp, ExposesRest
from capably.model.flows import StepRecord
from capably.plan.steps import Script, SourceFile
from capably.scripts.failure import ScriptError
from capably.scripts.files import ScriptFileError, read_script
from capably.scripts.governance import LANGUAGES, Governance, language_of, unknown_language

_ENGINES = {"javascript": ("wasmtime", "quickjs_rs"), "python": ("pydantic_monty",)}


def load_scripts(capability: Capability, governance: Governance, found: list[Diagnostic]) -> dict[Span, Script]:
    """The scripts of a document, by the place of their steps. What is wrong is added to ``found``."""
    loader = _Loader(governance)
    loaded = ((step.node.span, loader.load(step, found)) for step in _script_steps(capability))
    return {span: script for span, script in loaded if script is not None}


def script_files(capability: Capability, governance: Governance) -> Iterator[Path]:
    """Where the files of its scripts are, or would be."""
    loader = _Loader(governance)
    for step in _script_steps(capability):
        folder = loader.folder(step, [])
        if folder is not None:
            yield from (folder / name for name in (step.file, *step.dependencies) if name)


def _script_steps(capability: Capability) -> Iterator[StepRecord]:
    for steps in _flows(capability):
        for step in steps if isinstance(steps, tuple) else ():
            if isinstance(step, StepRecord) and (step.type == "script" or (step.type is None and step.file)):
                yield step


def _flows(capability: Capability) -> Iterator[object]:
    for aggregate in capability.aggregates:
        yield from (flow.steps for flow in aggregate.flows)
    for server in capability.exposes:
        if isinstance(server, ExposesRest):
            yield from (operation.steps for resource in server.resources for operation in resource.operations)
        if isinstance(server, ExposesMcp):
            yield from (tool.steps for tool in server.tools)


class _Loader:
    """Loads the scripts of one document; a file that several steps name is understood once."""

    def __init__(self, governance: Governance) -> None:
        self._governance = governance
        self._checked: dict[tuple[str, SourceFile], ScriptError | None] = {}

    def load(self, record: StepRecord, found: list[Diagnostic]) -> Script | None:
        name = record.name or record.file or ""
        if self._governance.off_by:
            message = f"script step `{name}` is not run: scripts are switched off by {self._governance.off_by}"
            found.append(error("SCR001", message, record.value_span("type"), "the operation is left out"))
            return None
        language = self._language(record, name, found)
        files = self._files(record, name, found)
        if language is None or files is None:
            return None
        if any(importlib.util.find_spec(module) is None for module in _ENGINES[language]):
            message = f"script step `{name}` cannot be run: the sandbox for {language} is not installed"
            found.append(error("SCR002", message, record.value_span("type"), "pip install 'capably[scripts]'"))
            return None
        problems = [problem for file in files if (problem := self._check(language, file)) is not None]
        found += [error("SCR004", f"{problem}", _span_of(record, problem)) for problem in problems]
        if problems:
            return None
        paused_by = self._governance.paused_by
        if paused_by:
            message = f"script step `{name}` is not run: scripts are switched off by {paused_by}"
            advice = "calls of it fail until an operator switches scripts on: see `capably explain SCR001`"
            found.append(warning("SCR001", message, record.value_span("type"), advice))
        *dependencies, main = files
        return Script(language, main, tuple(dependencies), self._governance.limits, name, paused_by)

    def _language(self, record: StepRecord, name: str, found: list[Diagnostic]) -> str | None:
        written = record.language or self._governance.default_language
        span = record.value_span("language")
        if written is None:
            message = f"script step `{name}` has no `language`"
            advice = "add `language: javascript` or `python`, or `management.scripting.defaultLanguage`"
            found.append(error("SCR002", message, span, advice))
            return None
        language = language_of(written)
        if language == "groovy":
            message = f"script step `{name}` is Groovy, which is not run: it has no sandbox that holds"
            advice = "write it in JavaScript: `context` and `result` are the same there; see docs/scripts.md"
            found.append(error("SCR002", message, span, advice))
            return None
        if language not in LANGUAGES:
            found.append(unknown_language(written, span))
            return None
        if language not in self._governance.languages:
            allowed = ", ".join(self._governance.languages) or "none"
            message = f"script step `{name}` uses {language}, which is not allowed (allowed: {allowed})"
            advice = "see `allowedLanguages` of `management.scripting`, and `--script-languages`"
            found.append(error("SCR002", message, span, advice))
            return None
        return language

    def _files(self, record: StepRecord, name: str, found: list[Diagnostic]) -> list[SourceFile] | None:
        """The files in the order they run, ``None`` when one of them cannot be read."""
        if record.file is None:
            message = f"script step `{name}` has no `file`"
            found.append(error("SCR003", message, record.value_span("type"), "name the script's file"))
            return None
        folder = self.folder(record, found)
        if folder is None:
            return None
        places = [(text, record.value_span("dependencies")) for text in record.dependencies]
        files = [_read(folder, text, span, found) for text, span in (*places, (record.file, record.value_span("file")))]
        read = [file for file in files if file is not None]
        return read if len(read) == len(files) else None

    def folder(self, record: StepRecord, found: list[Diagnostic]) -> Path | None:
        """Where the files of a step are."""
        span = record.value_span("location")
        written, document = record.location, Path(span.file)
        if written is None and self._governance.location is not None:
            written, document = self._governance.location
        folder = document.parent if written is None else local_path(written, document)
        if folder is None:
            advice = "write `file:///folder`, or a folder relative to the document"
            found.append(error("SCR003", f"`{written}` is no folder of this machine", span, advice))
        return folder

    def _check(self, language: str, file: SourceFile) -> ScriptError | None:
        key = (language, file)
        if key not in self._checked:
            self._checked[key] = _check(language, file)
        return self._checked[key]


def _read(folder: Path, name: str, span: Span, found: list[Diagnostic]) -> SourceFile | None:
    try:
        return read_script(folder, name)
    except ScriptFileError as problem:
        found.append(error("SCR003", str(problem), span, *problem.advice))
        return None


def _check(language: str, file: SourceFile) -> ScriptError | None:
    """What is wrong with a file, by the engine that will run it; the engines are an extra, and slow to import."""
    if language == "javascript":
        from capably.scripts import javascript  # noqa: PLC0415

        return javascript.check(file)
    from capably.scripts import python  # noqa: PLC0415

    return python.check(file)


def _span_of(record: StepRecord, problem: ScriptError) -> Span:
    return record.value_span("file" if problem.file == record.file else "dependencies")
