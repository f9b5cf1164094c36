"""Which media types the answers of an operation can take, as far as the document decides it.

What is JSON can be told as YAML and XML too, and as CSV where it is a list of flat objects. What an upstream answers in
another format, and bytes, are told as they come.
"""

from collections.abc import Mapping
from typing import Any, Final

from capably.plan.consumed import Consumed
from capably.plan.operation import Operation

JSON: Final = "application/json"
YAML: Final = "application/yaml"
XML: Final = "application/xml"
CSV: Final = "text/csv"
ANYTHING: Final = "*/*"


def media_types(operation: Operation) -> tuple[str, ...]:
    """What callers can ask for, the one they get unasked first."""
    work = operation.work
    if isinstance(work, Consumed) and work.raw_format.is_binary:
        return work.raw_format.stated_types or (ANYTHING,)
    if isinstance(work, Consumed) and not operation.answer.is_declared and not work.raw_format.is_json:
        return (ANYTHING,)
    schema = operation.output.schema if operation.output is not None else {}
    return (JSON, YAML, XML, CSV) if may_be_table(schema) else (JSON, YAML, XML)


def may_be_table(schema: Mapping[str, Any]) -> bool:
    """Whether what the schema describes can be a list of flat objects; of an empty schema nobody knows."""
    if "anyOf" in schema:
        return any(may_be_table(each) for each in schema["anyOf"])
    if "type" not in schema:
        return "const" not in schema
    items = schema.get("items", {})
    if "array" not in schema["type"]:
        return False
    if "type" not in items:
        return True
    return "object" in items["type"] and all(_is_flat(each) for each in items.get("properties", {}).values())


def _is_flat(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", "string")
    return not {"object", "array"} & set([kinds] if isinstance(kinds, str) else kinds)
