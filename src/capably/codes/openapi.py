"""Codes of OpenAPI documents that are mocked."""

from capably.codes.code import Code

OPENAPI: dict[str, Code] = {
    "OAS001": Code(
        "This is not an OpenAPI document",
        "`capably mock` serves OpenAPI documents. They are a mapping that starts with `openapi: 3.1.0` and has `info` "
        "and `paths`. Capability documents are run by `capably serve`.",
    ),
    "OAS002": Code(
        "The version of OpenAPI is not served",
        "Documents of OpenAPI 3.0, 3.1 and 3.2 are. Swagger 2 documents can be converted.",
    ),
    "OAS003": Code(
        "A part of an OpenAPI document is missing or of the wrong kind",
        "The part is left out, the rest is served.",
    ),
    "OAS004": Code(
        "A reference of an OpenAPI document leads nowhere",
        "A `$ref` names a place in the same document, `#/components/schemas/Ship`; a security requirement names a "
        "security scheme. Documents in several files are bundled into one first.",
    ),
    "OAS005": Code(
        "A key of an OpenAPI document is not known",
        "It is ignored. Often it is a typing mistake: the nearest known key is named. Keys that start with `x-` are "
        "never reported.",
    ),
    "OAS006": Code(
        "A schema cannot be used",
        "It is no valid JSON Schema (of the form that the OpenAPI version has). Nothing is checked against it.",
    ),
    "OAS007": Code(
        "An example does not fit its schema",
        "It is told all the same, but clients that rely on the schema will stumble over it. An example without a "
        "`value` is not told.",
    ),
    "OAS008": Code(
        "An expression in an example is not known",
        "Examples may hold `{{request.body/FIELD}}`, `{{request.params[NAME]}}`, `{{request.path[0]}}`, "
        "`{{request.headers[NAME]}}`, `{{uuid()}}`, `{{now()}}` and a few more (docs/mock.md). Any other is told as it "
        "is written.",
    ),
}
