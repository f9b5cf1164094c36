"""``capably test``: stories about documents, run through the real servers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capably.cli.console import hint, wants_colour
from capably.cli.options import Pair

if TYPE_CHECKING:
    from capably.casefile.running import Told


@click.command(epilog="Exit codes: 0 everything is as the stories say, 1 something is not, 2 used wrongly.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("-k", "wanted", default="", metavar="TEXT", help="Only runs whose file, story or server has this text.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="text for people, json (one object per run and line) for programs, junit (XML) for CI.",
)
@click.option(
    "--update", is_flag=True, help="Write what came as the expected body of stories that differ in nothing else."
)
@click.option("-v", "--verbose", is_flag=True, help="Name the runs that pass, too.")
@click.option(
    "--set",
    "sets",
    type=Pair(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a variable or bind that no case gives. May be repeated.",
)
def test(
    *,
    files: tuple[Path, ...],
    wanted: str,
    output: str,
    update: bool,
    verbose: bool,
    sets: tuple[tuple[str, str], ...],
) -> None:
    """Run the stories of case files, and tell which are not true of their documents.

    A story is a call, what the upstream is asked and replies, and the answer. It goes through REST and through MCP when
    both have the operation: real servers on free ports, in front of an upstream that replies as the story says. FILE
    may be a folder: every .case file below it is run. The environment is not read.

    \b
    Examples:
      capably test fleet.case
      capably test tests/ -k crew
      capably test tests/ --format junit > results.xml
      capably test fleet.case --update && git diff fleet.case
    """
    import time

    from capably.casefile.reading import find_cases, read_case
    from capably.casefile.report import as_json, as_junit, as_text
    from capably.casefile.running import run_cases
    from capably.errors import EXIT_USAGE, CommandError
    from capably.loop import run_quietly

    start = time.perf_counter()
    cases = [read_case(path) for path in find_cases(files)]
    told = run_quietly(run_cases(cases, dict(sets), wanted))
    if wanted and not any(item.results or item.problems for item in told):
        raise CommandError(f"no run has `{wanted}` in its name", exit_code=EXIT_USAGE)
    if update:
        told = [_updated(item) for item in told]
    if output == "json":
        sys.stdout.write(as_json(told))
    elif output == "junit":
        sys.stdout.write(as_junit(told))
    else:
        seconds = time.perf_counter() - start
        sys.stdout.write(as_text(told, seconds, verbose=verbose, colour=wants_colour(sys.stdout)))
    passed = all(result.passed for item in told for result in item.results)
    sys.exit(0 if passed and not any(item.problems for item in told) else 1)


def _updated(told: "Told") -> "Told":
    """Write the bodies that can be written; gives what is left to tell."""
    from capably.casefile.updating import updated, without_settled

    new = updated(told)
    if not new.settled:
        return told
    told.case.path.write_text(new.text, encoding="utf-8", newline="")
    stories = len({result.span for result in new.settled})
    hint(f"{told.case.path}: {stories} {'body' if stories == 1 else 'bodies'} written")
    return without_settled(told, new.settled)
