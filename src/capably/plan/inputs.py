"""The inputs of an operation, as a JSON Schema and as a check of what a caller gave.

Both servers use the one list of inputs in the plan, so REST and MCP accept and refuse the same values, and both refuse
what the published schema does. One thing is taken that the schema has no word for: null stands for an optional input
that is absent.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from capably.diagnostics import did_you_mean
from capably.plan.operation import Input, Inputs, Location, Operation
from capably.plan.outcome import Fault, Problem
from capably.plan.schema_check import shown, word_for


def input_schema(operation: Operation) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what callers give: the one the document states, else one made of the inputs."""
    if operation.stated_schema is not None:
        return dict(operation.stated_schema)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {item.name: dict(item.schema) for item in operation.inputs},
        "additionalProperties": False,
    }
    required = [item.name for item in operation.inputs if item.required]
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
    accepted = _texts(operation, given)
    if accepted is not None:
        return accepted
    values = _converted(operation, given) if from_text else given
    accepted = {}
    problems = _unknown(operation, given) if operation.stated_check is None else []
    for item in operation.inputs:
        value = values.get(item.name)
        if value is None and (item.name not in values or not item.required):
            if "default" in item.schema and item.name not in values:
                accepted[item.name] = item.schema["default"]
            elif item.required:
                problems.append(_problem(item, f"`{item.name}` is required: give {_expected(item)}"))
            continue
        accepted[item.name] = value
        if operation.stated_check is None:
            problems += _complaints(item, value)
    if operation.stated_check is not None:
        problems = _against_the_stated(operation, {**_without_nulls(operation, values), **accepted})
    if problems:
        raise invalid_inputs(problems)
    return accepted


def _texts(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of a call that gives every input, each a text that may be any; ``None`` for all other calls."""
    if operation.stated_check is not None or len(given) != len(operation.inputs):
        return None
    texts: dict[str, Any] = {}
    for item in operation.inputs:
        value = given.get(item.name)
        if not (value and item.is_any_text and isinstance(value, str)):
            return None
        texts[item.name] = value
    return texts


def _converted(operation: Operation, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values, those that came as text in the type they are declared to have."""
    found = dict(given)
    for item in operation.inputs:
        if item.location is not Location.BODY and item.name in found:
            found[item.name] = read_text(found[item.name], item.type, item.schema)
    return found


def _without_nulls(operation: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without the nulls that stand for optional inputs."""
    optional = {item.name for item in operation.inputs if not item.required}
    return {name: value for name, value in values.items() if value is not None or name not in optional}


def _against_the_stated(operation: Operation, values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong by the schema that the document states as a whole."""
    check = operation.stated_check
    flaws = check.flaws(dict(values)) if check is not None else []
    return [Problem(str(flaw.path[0]) if flaw.path else "", "argument", flaw.message) for flaw in flaws]


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
    return word_for(item.type)


def _complaints(item: Input, value: Any) -> list[Problem]:
    """What is wrong with one value. Most schemas say a type and choices; those are checked here, others compiled."""
    if item.location is Location.PATH and value == "":
        return [_problem(item, f"`{item.name}` must not be empty")]
    if item.check is not None:
        return [_problem(item, flaw.message) for flaw in item.check.flaws(value, item.name)]
    choices = item.schema.get("enum")
    if _is_of_type(item.type, value) and (not choices or value in choices):
        return []
    return [_problem(item, f"`{item.name}` must be {_expected(item)}, not {shown(value)}")]


def _is_of_type(kind: str, value: Any) -> bool:
    if kind in {"number", "integer"}:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (kind == "number" or isinstance(value, int) or value.is_integer())
    expected = _TYPES.get(kind)
    return expected is None or isinstance(value, expected)


_TYPES: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}


_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def read_text(value: Any, kind: str, schema: Mapping[str, Any]) -> Any:
    """A value that came as text, in the type it is declared to have; as it came, when it is not of that type."""
    if kind == "array":
        inner = schema.get("items", {})
        items = value if isinstance(value, list) else [value]
        return [read_text(item, inner.get("type", "string"), inner) for item in items]
    if not isinstance(value, str):
        return value
    try:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return float(value) if any(mark in value for mark in ".eE") else int(value)
    except ValueError:
        return value
    return _TRUTH.get(value.lower(), value) if kind == "boolean" else value
