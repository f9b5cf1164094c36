"""``capably explain``: the page of a diagnostic code."""

import sys

import click

from capably.cli.console import bold, wants_colour


@click.command()
@click.argument("code", required=False)
def explain(*, code: str | None) -> None:
    """Explain a diagnostic code; without one, list them all.

    \b
    Example:
      capably explain REF001
    """
    from capably.codes import CODES
    from capably.diagnostics import did_you_mean
    from capably.errors import EXIT_USAGE, CommandError

    if code is None:
        sys.stdout.writelines(f"{name}  {page.title}\n" for name, page in CODES.items())
        return
    page = CODES.get(code.upper())
    if page is None:
        advice = did_you_mean(code.upper(), CODES)
        raise CommandError(f"`{code}` is not a diagnostic code", *advice, exit_code=EXIT_USAGE)
    title = bold(f"{code.upper()}: {page.title}", colour=wants_colour(sys.stdout))
    sys.stdout.write(f"{title}\n\n{page.text}\n")
