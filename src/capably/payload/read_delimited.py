"""CSV, TSV and PSV (RFC 4180, with tab and bar): the first line names the columns, every further line is an object.

Names are trimmed, cells are not, and all are text. Blank lines are skipped; a short row lacks its last keys; the cells
that a long row has behind the last column have no name and are dropped; of columns with one name the last counts.
"""

import csv
import io

from capably.payload.charset import read_text
from capably.payload.contract import Budget, Payload, PayloadError

# The module's limit is 128 KiB a cell. Ours is on the whole body.
csv.field_size_limit(2**31 - 1)


def decode(payload: Payload) -> list[dict[str, str]]:
    """The rows.

    Raises:
        PayloadError: a quoted cell has no end, or text behind it; or there are too many cells.
    """
    lines = io.StringIO(read_text(payload), newline="")
    rows = csv.reader(lines, delimiter=_DELIMITERS[payload.format], strict=True)
    budget = Budget(payload.limits.max_values)
    names: list[str] | None = None
    found = []
    try:
        for row in rows:
            if _is_blank(row):
                continue
            budget.take(len(row) + 1)
            if names is None:
                names = [name.strip() for name in row]
            else:
                found.append(dict(zip(names, row, strict=False)))
    except csv.Error as problem:
        raise PayloadError(f"the body is not {payload.format.upper()} at line {rows.line_num}: {problem}") from None
    return found


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and row[0].isspace())


_DELIMITERS = {"csv": ",", "tsv": "\t", "psv": "|"}
