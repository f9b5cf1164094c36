"""What a script leaves in ``result``: JSON, as its sandbox wrote it, read back within limits."""

import json
from typing import Any

from capably.scripts.failure import Failure, ScriptError

MAX_BYTES = 4 * 2**20
"""The most a result holds, as JSON."""
MAX_DEPTH = 100
"""How deep objects and lists may nest."""


def read_result(text: str) -> Any:
    """The value a sandbox wrote. Integers stay integers, of any size.

    Raises:
        ScriptError: it is too large, too deep, or holds a number that JSON has no word for.
    """
    if len(text) > MAX_BYTES:
        raise too_large(len(text))
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise too_deep() from None
    except ValueError as problem:  # a number of too many digits
        raise ScriptError(Failure.RESULT, f"`result` cannot be told as JSON: {problem}") from None
    _check_depth(value)
    return _well_formed(value) if "\\u" in text else value


def _well_formed(value: Any) -> Any:
    """The value without lone halves of surrogate pairs, which UTF-8 cannot tell."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def too_large(size: int) -> ScriptError:
    """The error of a result that holds too much."""
    message = f"`result` is too large: {size:,} bytes as JSON, where {MAX_BYTES:,} are allowed"
    return ScriptError(Failure.RESULT, message)


def too_deep() -> ScriptError:
    """The error of a result that nests too deep, as one that holds itself does."""
    return ScriptError(Failure.RESULT, f"`result` nests deeper than {MAX_DEPTH} levels: does it hold itself?")


def _refuse_constant(name: str) -> Any:
    raise ScriptError(Failure.RESULT, f"`result` holds {name}, which is no JSON number")


def _check_depth(value: Any) -> None:
    """Level by level, so that depth costs no stack."""
    level, depth = [value], 0
    while level:
        boxes = [item for item in level if type(item) in _BOXES]
        depth += bool(boxes)
        if depth > MAX_DEPTH:
            raise too_deep()
        level = [item for box in boxes for item in (box.values() if type(box) is dict else box)]


_BOXES = frozenset({dict, list})
