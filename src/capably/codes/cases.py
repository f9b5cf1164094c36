"""Codes of what is wrong with case files."""

from capably.codes.code import Code

CASES: dict[str, Code] = {
    "CAS001": Code(
        "A case file cannot be understood",
        "A case file holds `document`, a path or the document itself, and `stories`, each with a `name`, a `call` or a "
        "`request`, the exchanges with the `upstream` and the `answer`:\n\n"
        "    document: ./fleet.yaml\n"
        "    given: {REGISTRY_TOKEN: made-up}\n"
        "    stories:\n"
        "    - name: a ship is found by its number\n"
        "      call: get-ship\n"
        "      with: {imo: IMO-9321483}\n"
        "      upstream:\n"
        "      - request: GET /ships/IMO-9321483\n"
        "        reply: {body: {name: Northern Star}}\n"
        "      answer: {body: {name: Northern Star}}",
    ),
    "CAS002": Code(
        "A story cannot be run",
        "It names an operation, a tool, a server or an input that the document does not serve, or leaves out an input "
        "that is part of a path. `capably plan` shows what is served; an operation with an error is not.",
    ),
}
