"""Running cases: real servers in front of a scripted upstream, each run with servers and an upstream of its own."""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from capably import document
from capably.app import RefusedError, open_documents, running
from capably.casefile.callers import Came, ToolCall, over_mcp, over_rest
from capably.casefile.comparing import Difference
from capably.casefile.judging import judged
from capably.casefile.reading import Case, reply_of
from capably.casefile.records import CaseFile
from capably.casefile.runs import Run, runs_of
from capably.casefile.upstream import Script, scripted
from capably.diagnostics import Diagnostic, Span, did_you_mean, error
from capably.errors import CommandError
from capably.examine import Examined, examine, examine_with
from capably.plan.operation import Plan
from capably.plan.variables import Given
from capably.settings import Settings

LONGEST_S = 30.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run: what was not as the story says, what the upstream was asked, and the body that came."""

    case: Path
    story: str
    span: Span
    through: str
    differences: tuple[Difference, ...] = ()
    asked: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()
    body: Any = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether everything was as the story says."""
        return not self.differences and not self.problem

    @property
    def name(self) -> str:
        """How it is called: file, story, kind of server."""
        return f"{self.case}: {self.story} ({self.through})"


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a case file: a result for each run, and what is wrong with the file or its document."""

    case: Case
    results: tuple[Result, ...]
    problems: tuple[Diagnostic, ...]
    texts: Mapping[str, str]


async def run_cases(cases: Iterable[Case], sets: Mapping[str, str], wanted: str = "") -> list[Told]:
    """Run the stories of cases, several at once.

    Args:
        cases: what was read.
        sets: values of variables beside those that a case gives; a case's own win.
        wanted: only runs whose name has this text, ignoring case.
    """
    turn = asyncio.Semaphore(AT_ONCE)
    return list(await asyncio.gather(*(_run_case(case, sets, wanted.casefold(), turn) for case in cases)))


async def _run_case(case: Case, sets: Mapping[str, str], wanted: str, turn: asyncio.Semaphore) -> Told:
    texts = {str(case.path): case.text}
    if case.record is None or case.problems:
        return Told(case, (), case.problems, texts)
    with case.document() as path:
        examined = await asyncio.to_thread(examine, path)
        if examined.compiled is None or not examined.is_served:
            return Told(case, (), _as_written(case, examined), {**texts, **examined.texts})
        found = list(_unknown_names(case.record, examined))
        runs = [run for story in case.record.stories for run in runs_of(story, examined.compiled.plan, found)]
        given = Given(sets={**sets, **(case.record.given or {})})
        bases = _bases(examined, given)
        given = replace(given, sets=await _used(path, given.sets, bases))
        table = _Table(case, path, given, examined.compiled.plan, bases, sets)
        chosen = [run for run in runs if wanted in table.result(run).name.casefold()]
        results = await asyncio.gather(*(table.played(run, turn) for run in chosen))
        problems = (*_as_written(case, examined), *found) if found else ()
        return Told(case, tuple(results), problems, {**texts, **examined.texts})


def _as_written(case: Case, examined: Examined) -> tuple[Diagnostic, ...]:
    """The errors of a document, at their places in the case file when it stands there."""
    if case.record is not None and isinstance(case.record.document, document.Scalar):
        return examined.errors
    return tuple(replace(item, span=replace(item.span, file=str(case.path))) for item in examined.errors)


def _names(examined: Examined) -> set[str]:
    """What values can be given for."""
    variables = examined.compiled.variables if examined.compiled is not None else ()
    return {name for variable in variables for name in variable.names}


def _unknown_names(record: CaseFile, examined: Examined) -> Iterator[Diagnostic]:
    """Values that a case gives to variables no document has."""
    names = _names(examined)
    node = record.node.get("given")
    for name in record.given or {}:
        if name not in names and isinstance(node, document.Mapping):
            advice = did_you_mean(name, sorted(names)) or ("the document has no variables",)
            yield error("CAS002", f"no variable has the name `{name}`", node.key_span(name), *advice)


async def _used(path: Path, sets: Mapping[str, str], bases: Mapping[str, str]) -> dict[str, str]:
    """The values that are used when the upstreams are scripted: variables of base URIs are not, then."""
    names = _names(await examine_with(path, Given(upstreams=dict.fromkeys(bases, "http://127.0.0.1")), reveal=False))
    return {name: value for name, value in sets.items() if name in names}


def _bases(examined: Examined, given: Given) -> dict[str, str]:
    """The path of each consumed API's base URI, which the scripted upstream keeps."""
    consumes = examined.capability.consumes if examined.capability is not None else ()
    filled = {
        entry.namespace: re.sub(
            r"\{\{\s*([^{}]+?)\s*\}\}", lambda hole: given.sets.get(hole[1], hole[0]), entry.base_uri.strip()
        )
        for entry in consumes
    }
    return {name: re.sub(r"^(?:https?://)?[^/]*", "", base).rstrip("/") for name, base in filled.items()}


@dataclass(frozen=True, slots=True)
class _Table:
    """What the runs of a case share."""

    case: Case
    document: Path
    given: Given
    plan: Plan
    bases: Mapping[str, str]
    secrets: Mapping[str, str]

    def result(self, run: Run) -> Result:
        story = run.story
        return Result(self.case.path, story.name, story.value_span("name"), run.server.kind.value)

    async def played(self, run: Run, turn: asyncio.Semaphore) -> Result:
        async with turn:
            start = time.perf_counter()
            exchanges = [(exchange, reply_of(exchange, [])) for exchange in run.story.upstream]
            script = Script(run.story.value_span("name"), exchanges)
            found: tuple[Difference, ...] = ()
            problem: tuple[str, ...] = ()
            came: Came | None = None
            try:
                async with asyncio.timeout(LONGEST_S):
                    came = await self.answer(run, script)
                found = (*script.outcome(), *judged(run.story, came))
            except (CommandError, TimeoutError, aiohttp.ClientError) as reason:
                problem = _told(reason)
            seconds = time.perf_counter() - start
            found, asked = tuple(map(self.without_secrets, found)), tuple(map(self.hidden, script.asked))
            body = came.body if came is not None else None
            result = replace(self.result(run), differences=found, asked=asked, problem=problem)
            return replace(result, body=body, seconds=seconds)

    def without_secrets(self, found: Difference) -> Difference:
        return replace(found, expected=self.hidden(found.expected), came=self.hidden(found.came))

    def hidden(self, text: str) -> str:
        """A text without the values from the command line, which may be real secrets; those of a case are made up."""
        for name, value in self.secrets.items():
            text = text.replace(value, f"<{name}>")
        return text

    async def answer(self, run: Run, script: Script) -> Came:
        async with AsyncExitStack() as stack:
            addresses = await stack.enter_async_context(scripted(script, self.bases))
            upstreams = {name: address + self.bases[name] for name, address in addresses.items()}
            settings = Settings(
                given=replace(self.given, upstreams=upstreams),
                ports={server.namespace: 0 for server in self.plan.servers},
                host="127.0.0.1",
                drain_s=1.0,
            )
            opened = await open_documents([self.document], settings)
            documents = [_with_one_server(item, run.server.namespace) for item in opened]
            (listener,) = await stack.enter_async_context(running(documents, settings))
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=True))
            if isinstance(run.asks, ToolCall):
                headers = run.story.headers or {}
                return await over_mcp(session, f"{listener.url}/mcp", run.asks, headers)
            return await over_rest(session, listener.url, run.asks)


def _with_one_server(examined: Examined, namespace: str) -> Examined:
    """The document with one server, over HTTP: one over stdio would take the standard output of whoever tests."""
    if examined.compiled is None:
        return examined
    plan = examined.compiled.plan
    servers = tuple(replace(item, over_stdio=False) for item in plan.servers if item.namespace == namespace)
    return replace(examined, compiled=replace(examined.compiled, plan=replace(plan, servers=servers, control=None)))


def _told(problem: Exception) -> tuple[str, ...]:
    """Why a run gave no answer, in lines."""
    if isinstance(problem, RefusedError):
        return (problem.message, *(f"{item.span}: {item.message}" for each in problem.examined for item in each.errors))
    if isinstance(problem, CommandError):
        return (problem.message, *problem.help_lines)
    if isinstance(problem, TimeoutError):
        return (f"no answer came within {LONGEST_S:g} seconds",)
    return (f"the server broke off: {problem}",)
