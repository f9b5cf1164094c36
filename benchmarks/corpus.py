"""Measures an engine on real documents: how many load, how many of their calls make the right upstream request.

Every document below a folder is examined as `capably serve` would, with a made-up value for each free variable and
secret. Each exposed operation gets sample inputs, and the request it would make is looked at: no brace and no hole
in the URL, the method of the operation that is called, every required parameter in place, a body where one is needed.
Where several operations share the called name, the choice is compared with the evidence of path and description. Each
operation with steps is run to its end against made-up answers: every request its steps make is looked at alike.

    .venv/bin/python benchmarks/corpus.py FOLDER [--wrong N] [--refused N]
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from capably.examine import Examined, examine, examine_with
from capably.expr.names import fold
from capably.load import find_documents
from capably.plan.consumed import Consumed
from capably.plan.description import sample_inputs
from capably.plan.effects import Call, Ended, Start
from capably.plan.interpreter import run_flow
from capably.plan.operation import Operation
from capably.plan.outcome import Fault
from capably.plan.steps import CallTask, Flow
from capably.plan.target import Candidate, candidates
from capably.plan.variables import Given, VariableKind
from capably.upstream.reply import Reply
from capably.upstream.request import Request, RequestError, build_request


@dataclass
class Tally:
    """What was counted."""

    documents: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    flows: Counter[str] = field(default_factory=Counter)
    shared_names: Counter[str] = field(default_factory=Counter)


def with_everything_given(path: Path) -> Examined:
    """The document with a made-up value for everything it wants from outside."""
    first = examine(path)
    if first.compiled is None:
        return first
    variables = first.compiled.variables
    upstreams = {item.name: "https://made-up.example" for item in variables if item.kind is VariableKind.BASE_URI}
    sets = {name: "made-up" for item in variables if item.kind is not VariableKind.BASE_URI for name in item.names}
    return asyncio.run(examine_with(path, Given(sets=sets, upstreams=upstreams)))


def wrongs(candidate: Candidate, request: Request) -> Iterator[str]:
    """What is wrong with a request."""
    parts = urlsplit(request.url)
    if re.search(r"[{}<>]", request.url):
        yield "a brace is left in the URL"
    if not parts.hostname:
        yield "the URL has no host"
    written_double = "//" in candidate.path or "//" in urlsplit(candidate.consumes.base_uri).path
    if "//" in parts.path and not written_double:
        yield "a hole is left in the path"
    if request.method != candidate.operation.method:
        yield "the method is not the called operation's"
    names = {
        "query": {fold(name) for name, _value in parse_qsl(parts.query, keep_blank_values=True)},
        "header": {fold(name) for name, _value in request.headers},
    }
    for parameter in candidate.parameters:
        if not parameter.required:
            continue
        place = names.get(parameter.location)
        if place is not None and fold(parameter.name) not in place:
            yield f"a required {parameter.location} parameter is missing"
        if parameter.location == "body" and request.body is None:
            yield "a required body is missing"


def end(path: str) -> list[str]:
    """A path without a version prefix, folded, for comparing."""
    text = re.sub(r"\{\{?\s*([^{}]+?)\s*\}?\}", r"\1", path.partition("?")[0])
    segments = [fold(segment) for segment in text.strip("/").split("/")]
    return segments[1:] if segments and re.fullmatch(r"v\d+", segments[0]) else segments


def evidence(operation: Operation, chosen: Candidate, named: list[Candidate]) -> str:
    """Whether path and description speak for the choice among operations of one name."""
    if operation.route is not None:
        equal = [item for item in named if end(item.path) == end(operation.route.path)]
        method = [item for item in equal if item.operation.method == operation.method]
        if method:
            return "as the path says" if chosen in method else "against the path"
    said = [item for item in named if (item.operation.description or "") == operation.description]
    if operation.description and said:
        return "as the description says" if chosen in said else "against the description"
    return "without evidence"


def count_calls(path: Path, examined: Examined, tally: Tally) -> None:
    assert examined.capability is not None
    assert examined.compiled is not None
    known = candidates(examined.capability.consumes)
    for server in examined.compiled.plan.servers:
        for operation in server.operations:
            if isinstance(operation.work, Flow):
                count_flow(path, operation, operation.work, known, tally)
            if not isinstance(operation.work, Consumed):
                continue
            target = operation.work.target
            chosen = [item for item in known if item.target == target]
            tally.calls += 1
            named = [item for item in known if same_name(item, chosen[0])]
            against = evidence(operation, chosen[0], named) if len(named) > 1 else ""
            tally.shared_names[against] += 1
            found = list(faults(operation, operation.work, chosen[0])) + (
                [against] if against.startswith("against") else []
            )
            tally.right += not found
            tally.faults.update(found)
            tally.wrong += [f"{path}:{operation.span.line}: {operation.name}: {fault}" for fault in found]


def count_flow(path: Path, operation: Operation, flow: Flow, known: list[Candidate], tally: Tally) -> None:
    """Run a flow; every field it reads of an answer is there, for the answer has what is looked for."""
    answer = made_up_answer(flow)
    turns = run_flow(operation, sample_inputs(operation.inputs))
    waiting: list[Start] = []
    found: list[str] = []
    try:
        turn = next(turns)
        while True:
            waiting += turn.starts
            ended = None
            if waiting:
                start = waiting.pop(0)
                ended = Ended(start.key, {})
                if isinstance(start.effect, Call) and isinstance(start.step.task, CallTask):
                    tally.calls += 1
                    chosen = next(item for item in known if item.target == start.step.task.consumed.target)
                    wrong = list(wrongs(chosen, start.effect.request))
                    tally.right += not wrong
                    found += wrong
                    ended = Ended(start.key, Reply(200, (("content-type", "application/json"),), answer))
            turn = turns.send(ended)
    except StopIteration as end:
        tally.flows["ended in an answer" if not end.value.is_error else "ended in an error"] += 1
    except Fault as fault:
        found.append(f"no answer: {fault.detail}")
        tally.flows["ended in a fault"] += 1
    tally.faults.update(found)
    tally.wrong += [f"{path}:{operation.span.line}: {operation.name}: {fault}" for fault in found]


def made_up_answer(flow: Flow) -> bytes:
    """An object that has a text in every field that the flow's texts name."""
    names = set(re.findall(r"[\w-]+", repr(flow)))
    return json.dumps(dict.fromkeys(sorted(names), "made-up")).encode()


def same_name(one: Candidate, other: Candidate) -> bool:
    return (one.consumes.namespace, one.operation.name) == (other.consumes.namespace, other.operation.name)


def faults(operation: Operation, work: Consumed, candidate: Candidate) -> Iterator[str]:
    try:
        request = build_request(work.request, sample_inputs(operation.inputs))
    except RequestError as problem:
        yield f"no request: {problem}"
        return
    yield from wrongs(candidate, request)


def measure(paths: list[Path]) -> Tally:
    tally = Tally()
    for number, path in enumerate(paths, 1):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {len(paths)}")
        examined = with_everything_given(path)
        errors = [item for item in examined.diagnostics if item.is_error]
        outcome = "served whole" if not errors else "served in part" if examined.is_served else "refused"
        tally.documents[outcome] += 1
        if errors:
            tally.refusals.update({f"{item.code} {re.sub(r'`[^`]*`', '`…`', item.message)}": 1 for item in errors})
            tally.refused.append(f"{errors[0].span}: {errors[0].code} {errors[0].message}")
        if examined.is_served:
            count_calls(path, examined, tally)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+", help="folders or files with documents")
    parser.add_argument("--wrong", type=int, default=20, metavar="N", help="list so many wrong requests (20)")
    parser.add_argument("--refused", type=int, default=20, metavar="N", help="list so many refused documents (20)")
    options = parser.parse_args()
    paths = [path for folder in options.folder for path in find_documents(folder) if path.suffix != ".json"]
    start = time.perf_counter()
    tally = measure(paths)
    seconds = time.perf_counter() - start
    print(f"{len(paths)} documents in {seconds:.1f} s: {dict(tally.documents)}")
    for reason, times in tally.refusals.most_common():
        print(f"  refused {times:5}  {reason}")
    share = 100 * tally.right / tally.calls if tally.calls else 0
    print(f"{tally.calls} calls in served documents, {tally.right} right ({share:.2f} %)")
    for fault, times in tally.faults.most_common():
        print(f"  wrong {times:5}  {fault}")
    print(f"{sum(tally.flows.values())} operations with steps: {dict(tally.flows)}")
    print("operations that share a name:", {key: value for key, value in tally.shared_names.items() if key})
    print("\n".join([*tally.refused[: options.refused], *tally.wrong[: options.wrong]]))


if __name__ == "__main__":
    main()
