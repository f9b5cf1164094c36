"""Codes of what MCP servers show: content, resources and prompts."""

from capably.codes.code import Code

OFFERS: dict[str, Code] = {
    "CNT001": Code(
        "A piece of content cannot be told",
        "A piece of content is exactly one of `text`, `data` (Base64) and `location` (a file). Bytes are shown as an "
        "image or a sound when `mimeType` says so; any other bytes need a `uri`, which makes them an embedded "
        "resource. A tool whose answer is stated as `content` calls nothing.",
    ),
    "RES001": Code(
        "A resource has several contents",
        "A resource is exactly one of: what a `call`, `steps` or a `ref` answers, a file or a folder (`location`), "
        "or what the document states itself (`text`, `data`, or outputs with a `value`). Keep one of them.",
    ),
    "RES002": Code(
        "A resource has an address or a location that cannot be served",
        "An address such as `data://users/{id}/profile` has placeholders for one segment each, every one with a name "
        "of its own and something between them. A `location` is a folder or a file of this machine, `file:///folder` "
        "or a path relative to the document; its files stand below the address, which has no placeholders then.",
    ),
    "RES003": Code(
        "Two resources have the same address",
        "A client could only ever read one of them. The first one is served.",
    ),
    "RES004": Code(
        "The location of a resource is not there",
        "The resource is served without content until the file or folder is there: it is looked at with each request.",
    ),
    "PRM001": Code(
        "A prompt has no messages",
        "A prompt states its messages as `template`, or names a file of UTF-8 text as `location`, which becomes its "
        "only message. It needs exactly one of the two.",
    ),
    "PRM002": Code(
        "A prompt names something it is not given",
        "`{{name}}` in a prompt stands for one of its `arguments`. Any other name stays in the text as it is written.",
    ),
    "PRM003": Code(
        "Two prompts of a server have the same name",
        "A client could only ever get one of them. The first one is served.",
    ),
}
