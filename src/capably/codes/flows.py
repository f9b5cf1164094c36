"""Codes of operations with steps, and of the flows of aggregates."""

from capably.codes.code import Code

FLOWS: dict[str, Code] = {
    "FLW001": Code(
        "A step is not complete",
        "A step needs a `type`, and each type its keys:\n\n"
        "    call       call\n"
        "    lookup     index, match, lookupValue\n"
        "    script     file, and a language\n"
        "    transform  value\n"
        "    elicit     message\n"
        "    sample     message\n\n"
        "A step without `type` is taken to be what its keys say. `onError: fallback` needs `fallback`.",
    ),
    "FLW002": Code(
        "No step has this name",
        "A path such as `$.get-ship.name` and a template such as `{{get-ship.name}}` start with the name of a step. "
        "Inside `forEach` the element at hand is `item`, or what `as` calls it.",
    ),
    "FLW003": Code(
        "A step reads a result that is not there yet",
        "A step can read the steps written before it, not itself and none that comes later. Move the step that is read "
        "to the front.",
    ),
    "FLW004": Code(
        "Two steps have one name",
        "Results are found by the names of their steps, so a name may stand once in an operation.",
    ),
    "FLW005": Code(
        "An operation says twice what it does",
        "Of `ref`, `steps` and `call` the first one decides what is done; the others are left aside. An operation with "
        "`ref` answers what the flow's `outputParameters` say, its own count when the flow has none.",
    ),
    "FLW006": Code(
        "A condition, a loop or a deadline cannot be read",
        "`condition` compares paths, templates, inputs and constants:\n\n"
        "    condition: $.get-ship.status == 'ACTIVE' and not rest.quick\n\n"
        "`forEach` is a list, or a mapping with `in`, `as`, `index`, `concurrency` and `max`. `deadline` is a duration "
        "such as `500ms`, `30s` or `2m`. `schema` of an `elicit` step is a JSON Schema.",
    ),
    "FLW007": Code(
        "No flow has this name",
        "`ref` names a flow of an aggregate as `namespace.flow`. Aggregates stand under `capability.aggregates`, or "
        "are imported there.",
    ),
    "FLW008": Code(
        "Two flows have one name",
        "A `ref` could mean either. The first one is used; rename one of them.",
    ),
    "FLW009": Code(
        "What a flow means to the world does not fit",
        "`semantics` says what running a flow means. `safe: true` is at odds with a step that changes something (POST, "
        "PUT, PATCH, DELETE), and `safe: false` with a REST operation that is a GET, which clients and caches repeat "
        "as they like (RFC 9110, section 9.2.1).",
    ),
    "FLW010": Code(
        "This key is an extension of capably",
        "No published version of the language has it; other engines ignore it, or refuse the document.",
    ),
    "FLW011": Code(
        "A mapping fills a field that no output declares",
        "The field is answered as it is, without a declared type. Add it to `outputParameters`.",
    ),
}
