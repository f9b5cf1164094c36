"""Rows of HTML and Markdown tables as objects, named by the table's headings."""

from capably.payload.contract import Budget


def shape_rows(headings: list[str], rows: list[list[str]], budget: Budget) -> list[dict[str, str]]:
    """One object a row: missing cells are ``""``, further ones are dropped, of equal headings the last counts.

    Raises:
        PayloadError: there are more cells than the budget has room for.
    """
    budget.take(len(rows) * (len(headings) + 1))
    width = len(headings)
    return [dict(zip(headings, row[:width] + [""] * (width - len(row)), strict=True)) for row in rows]
