"""Results for people and for programs: text, JSON (one object a line), JUnit XML."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from xml.sax.saxutils import escape as xml_text
from xml.sax.saxutils import quoteattr

from capably.casefile.running import Result, Told
from capably.diagnostics import Diagnostic
from capably.render.excerpt import escape
from capably.render.text import render_text

_RED, _GREEN, _BOLD, _DIM, _RESET = "\x1b[1;31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
_MOST = 10  # differences of one run: enough to see what is wrong


def as_text(told: Sequence[Told], seconds: float, *, verbose: bool = False, colour: bool = False) -> str:
    """What failed, each with what was expected, what came and where it is written, and a summary.

    Args:
        told: what came of each case file.
        seconds: how long all of it took.
        verbose: name what passed, too.
        colour: whether to use ANSI colours.
    """
    paint = _Paint(on=colour)
    blocks: list[str] = []
    for item in told:
        passed = [f"{paint('pass', _GREEN)}  {_headline([result])}" for result in item.results if result.passed]
        blocks += ["\n".join(passed)] if passed and verbose else []
        blocks += ["\n".join(_failure(results, paint)) for results in _alike(item.results)]
        if item.problems:
            blocks.append(render_text(item.problems, item.texts, colour=colour).rstrip("\n"))
    return "\n\n".join([*blocks, _summary(told, seconds, paint)]) + "\n"


def _alike(results: Sequence[Result]) -> list[list[Result]]:
    """Failed runs; those of one story that failed in the same way through several servers together."""
    groups: dict[object, list[Result]] = {}
    for result in results:
        if not result.passed:
            groups.setdefault((result.span, result.differences, result.problem, result.asked), []).append(result)
    return list(groups.values())


class _Paint:
    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, code: str) -> str:
        return f"{code}{text}{_RESET}" if self.on else text


def _headline(results: Sequence[Result]) -> str:
    through = ", ".join(result.through for result in results)
    return f"{escape(str(results[0].case))}:{results[0].span.line}  {escape(results[0].story)} ({through})"


def _failure(results: Sequence[Result], paint: _Paint) -> Iterator[str]:
    result = results[0]
    yield f"{paint('FAIL', _RED)}  {paint(_headline(results), _BOLD)}"
    for line in result.problem:
        yield f"      {escape(line)}"
    for item in result.differences[:_MOST]:
        place = f"{escape(item.span.file)}:{item.span.line}:{item.span.column}"
        yield f"  {escape(item.what)}  {paint(place, _DIM)}"
        yield f"      expected  {paint(_lines(item.expected), _GREEN)}"
        yield f"      came      {paint(_lines(item.came), _RED)}"
    if len(result.differences) > _MOST:
        yield f"  and {len(result.differences) - _MOST} more differences"
    for line in result.asked:
        yield f"  {paint('the upstream was asked', _DIM)}  {escape(line)}"


def _lines(text: str) -> str:
    """A text of several lines, indented below its first one."""
    return "\n                ".join(escape(line) for line in text.split("\n"))


def _summary(told: Sequence[Told], seconds: float, paint: _Paint) -> str:
    results = list(chain.from_iterable(item.results for item in told))
    stories = len({(result.case, result.span) for result in results})
    failed = sum(not result.passed for result in results)
    problems = sum(len(item.problems) for item in told)
    counts = [f"{len(results) - failed} passed"]
    counts += [f"{failed} failed"] if failed else []
    counts += [_amount(problems, "problem")] if problems else []
    line = f"{_amount(stories, 'story', 'stories')}, {_amount(len(results), 'run')}: {', '.join(counts)}"
    return paint(f"{line} in {seconds:.1f} s", _RED if failed or problems else _GREEN)


def _amount(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def as_json(told: Sequence[Told]) -> str:
    """One object a line: each run, and each problem that kept stories from being run."""
    objects = (one for item in told for one in (*map(_run, item.results), *map(_problem, item.problems)))
    return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in objects)


def _problem(problem: Diagnostic) -> dict[str, object]:
    return {
        "file": problem.span.file,
        "line": problem.span.line,
        "column": problem.span.column,
        "outcome": "problem",
        "code": problem.code,
        "message": problem.message,
        "help": list(problem.help),
    }


def _run(result: Result) -> dict[str, object]:
    return {
        "file": str(result.case),
        "line": result.span.line,
        "story": result.story,
        "through": result.through,
        "outcome": "passed" if result.passed else "failed",
        "seconds": round(result.seconds, 4),
        "problem": list(result.problem),
        "differences": [
            {
                "what": item.what,
                "expected": item.expected,
                "came": item.came,
                "file": item.span.file,
                "line": item.span.line,
                "column": item.span.column,
            }
            for item in result.differences
        ],
        "asked": list(result.asked),
    }


def as_junit(told: Sequence[Told]) -> str:
    """JUnit XML as CI systems read it: a suite for each case file, a case for each run."""
    suites = "".join(_suite(item) for item in told)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="capably">\n{suites}</testsuites>\n'


def _suite(told: Told) -> str:
    failures = sum(not result.passed for result in told.results)
    counts = f'tests="{len(told.results) + len(told.problems)}" failures="{failures}" errors="{len(told.problems)}"'
    name = quoteattr(escape(str(told.case.path)))
    return f"  <testsuite name={name} {counts}>\n{''.join(_cases(told))}  </testsuite>\n"


def _cases(told: Told) -> Iterator[str]:
    paint = _Paint(on=False)
    name = quoteattr(escape(str(told.case.path)))
    for result in told.results:
        title = quoteattr(escape(f"{result.story} ({result.through})"))
        start = f'    <testcase classname={name} name={title} time="{result.seconds:.4f}"'
        if result.passed:
            yield f"{start}/>\n"
            continue
        first, *rest = _failure([result], paint)
        text = xml_text("\n".join(rest))
        yield f"{start}>\n      <failure message={quoteattr(first)}>{text}</failure>\n    </testcase>\n"
    for problem in told.problems:
        message = quoteattr(escape(f"{problem.span}: {problem.message}"))
        text = xml_text("\n".join(escape(line) for line in problem.help))
        start = f"    <testcase classname={name} name={quoteattr(problem.code)}>\n"
        yield f"{start}      <error message={message}>{text}</error>\n    </testcase>\n"
