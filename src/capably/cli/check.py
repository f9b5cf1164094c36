"""``capably check``: what is wrong with documents, and where."""

import sys
from pathlib import Path

import click

from capably.cli.console import wants_colour
from capably.cli.options import documents_below


@click.command(epilog="Exit codes: 0 no errors, 1 errors (or warnings with --strict), 2 used wrongly.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="text for people, json (one object per document and line) for programs, sarif for code scanning.",
)
def check(*, files: tuple[Path, ...], strict: bool, output: str) -> None:
    """Tell what is wrong with capability documents, and where.

    FILE may be a directory: every YAML and JSON file below it is checked. Serving a document begins with the same
    checks, so a document without errors starts.

    \b
    Examples:
      capably check fleet.yaml
      capably check --strict --format sarif capabilities/ > findings.sarif
      capably explain REF001
    """
    from capably.codes import CODES
    from capably.examine import examine
    from capably.render.ndjson import render_ndjson
    from capably.render.sarif import render_sarif
    from capably.render.text import render_text

    examined = [examine(path) for path in documents_below(files)]
    texts = {file: text for item in examined for file, text in item.texts.items()}
    found = [diagnostic for item in examined for diagnostic in item.diagnostics]
    if output == "json":
        result = "".join(render_ndjson(item.file, item.diagnostics) for item in examined)
    elif output == "sarif":
        result = render_sarif(found, texts, {code: (page.title, page.text) for code, page in CODES.items()})
    else:
        result = render_text(found, texts, colour=wants_colour(sys.stdout))
    sys.stdout.write(result)
    sys.exit(1 if any(item.is_error or strict for item in found) else 0)
