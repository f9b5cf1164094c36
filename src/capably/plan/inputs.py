"""The inputs of an operation, as a JSON Schema and as a check of what a caller gave.

Both servers use the one list of inputs in the plan, so REST and MCP accept and refuse the same values.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from capably.diagnostics import did_you_mean
from capably.plan.operation import Input, Inputs, Location, Operation
from capably.plan.outcome import Fault, Problem

_WORDS = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def input_schema(inputs: tuple[Input, ...]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an object with these inputs as properties."""
    schema: dict[str, Any] = {"type": "object", "properties": {item.name: dict(item.schema) for item in inputs}}
    schema["additionalProperties"] = False
    required = [item.name for item in inputs if item.required]
    if required:
        schema["required"] = required
    return schema


def accept(operation: Operation, given: Mapping[str, Any], *, from_text: bool = False) -> Inputs:
    """Check the values a caller gave, by input name.

    Args:
        operation: whose inputs they are.
        given: values by input name; an input that was not given has no key.
        from_text: values outside the body arrived as text (path, query, header) and are converted to their type.

    Returns:
        The values, with defaults filled in.

    Raises:
        Fault: status 400, with one problem for each input that is missing or not what it should be.
    """
    accepted: dict[str, Any] = {}
    problems = _unknown(operation, given)
    for item in operation.inputs:
        if item.name not in given:
            if "default" in item.schema:
                accepted[item.name] = item.schema["default"]
            elif item.required:
                problems.append(_problem(item, f"`{item.name}` is required: give {_expected(item)}"))
            continue
        value = given[item.name]
        if from_text and isinstance(value, str) and item.location is not Location.BODY:
            value = _from_text(value, item.type)
        if value is None and not item.required:
            continue
        message = _complaint(item, value)
        if message is None:
            accepted[item.name] = value
        else:
            problems.append(_problem(item, message))
    if problems:
        raise invalid_inputs(problems)
    return accepted


_MOST_STRAYS = 5  # looking for the nearest name costs time, and a caller can send any number of names


def _unknown(operation: Operation, given: Mapping[str, Any]) -> list[Problem]:
    known = [item.name for item in operation.inputs]
    strays = islice((name for name in given if name not in known), _MOST_STRAYS)
    return [
        Problem(name[:40], "argument", f"there is no input `{name[:40]}`: {_advice(name, known)}") for name in strays
    ]


def _advice(name: str, known: list[str]) -> str:
    return next(iter(did_you_mean(name[:40], known)), "this operation takes none")


def invalid_inputs(problems: list[Problem]) -> Fault:
    """The fault for inputs that cannot be used, each told in one sentence."""
    detail = "; ".join(problem.message for problem in problems)
    return Fault(400, "invalid-input", "The request's inputs are not valid", detail, tuple(problems))


def _problem(item: Input, message: str) -> Problem:
    return Problem(item.name, item.location.value, message)


def _expected(item: Input) -> str:
    choices = item.schema.get("enum")
    if choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in choices)
    return _WORDS.get(item.type, "a value")


def _complaint(item: Input, value: Any) -> str | None:
    check = _CHECKS.get(item.type)
    choices = item.schema.get("enum")
    if (check is None or check(value)) and (not choices or value in choices):
        if item.location is Location.PATH and value == "":
            return f"`{item.name}` must not be empty"
        return None
    return f"`{item.name}` must be {_expected(item)}, not {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the string `{value[:40]}`" + ("…" if len(value) > 40 else "")  # noqa: PLR2004 -- enough to recognise
    if value is None:
        return "null"
    names = {bool: str(value).lower(), dict: "an object", list: "a list"}
    return names.get(type(value), str(value))


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _from_text(text: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text) if any(mark in text for mark in ".eE") else int(text)
    except ValueError:
        return text
    if kind == "boolean":
        return _TRUTH.get(text.lower(), text)
    return [text] if kind == "array" else text
