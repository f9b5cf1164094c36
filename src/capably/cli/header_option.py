"""Headers on the command line."""

import click


def header_pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """``Name: value``; a header that is none is not told back, since it may hold a secret."""
    headers = []
    for value in values:
        name, colon, text = value.partition(":")
        if not colon or not name.strip() or not (name.strip() + text).isprintable():
            raise click.BadParameter("write it as 'Name: value'")
        headers.append((name.strip(), text.strip()))
    return tuple(headers)
