"""Every diagnostic code: what it says, why it matters, what to do. ``capably explain`` and the reference page show it.

Codes are stable: a code keeps its meaning, and one that is withdrawn is not used again. Families: DOC the document,
REF references, VAR variables, IMP imports, INP inputs, REQ requests, BOD bodies, FWD forwards, OUT outputs, FLW flows,
AUT authentication, SRV servers, SKL skills, SEC security, OAS OpenAPI documents that are mocked, CAS case files,
SCR scripts, CNT content, RES resources, PRM prompts.
"""

from capably.codes.access import ACCESS
from capably.codes.cases import CASES
from capably.codes.code import Code
from capably.codes.control import CONTROL
from capably.codes.flows import FLOWS
from capably.codes.offers import OFFERS
from capably.codes.openapi import OPENAPI
from capably.codes.scripts import SCRIPTS

__all__ = ["CODES", "Code"]

CODES: dict[str, Code] = {
    "DOC001": Code(
        "The file cannot be read",
        "The file does not exist, may not be opened, or is not UTF-8 text. Check the path and the permissions.",
    ),
    "DOC002": Code(
        "This is not valid YAML",
        "The text cannot be parsed, so nothing of it is read. The usual causes are a template that is not quoted and a "
        "colon inside a plain value:\n\n"
        "    token: {{env.KEY}}       # a mapping inside a mapping\n"
        "    description: Note: this  # two colons\n\n"
        "Quote such values:\n\n"
        "    token: '{{env.KEY}}'\n"
        "    description: 'Note: this'",
    ),
    "DOC003": Code(
        "A key stands twice in one mapping",
        "YAML keeps one of the two and drops the other without a word. Keep one, or rename one.",
    ),
    "DOC004": Code(
        "This is not a capability document",
        "A capability document is a mapping that states the version of its language:\n\n"
        "    ikanos: 1.0.0-beta4\n"
        "    capability:\n"
        "      consumes: [...]\n"
        "      exposes: [...]\n\n"
        "Documents written before the language was renamed start with `naftiko: 1.0.0-alpha2`.",
    ),
    "DOC005": Code(
        "The file holds more than one YAML document",
        "A `---` line starts a second document, which would be ignored. Move it to a file of its own.",
    ),
    "DOC006": Code(
        "The document is too large",
        "Size (16 MiB), depth (200 levels) and growth by anchors are capped, so that a document cannot exhaust the "
        "machine that reads it.",
    ),
    "DOC007": Code(
        "The version of the language is not known",
        "`naftiko:` takes 0.4, 0.5 and 1.0.0-alpha1 to 1.0.0-alpha3; `ikanos:` takes 1.0.0-alpha3 to 1.0.0-beta5.",
    ),
    "DOC010": Code(
        "A value is of the wrong kind",
        "The key needs text, a number, a list or a mapping, and something else stands there. A section without content "
        "usually lost its indentation.",
    ),
    "DOC011": Code(
        "A required key is missing",
        "The part cannot be used without it and is left out.",
    ),
    "DOC012": Code(
        "A key is not known",
        "It is ignored. Often it is a typing mistake: the nearest known key is named. Keys that start with `x-` are "
        "yours and never reported.",
    ),
    "DOC013": Code(
        "A part of the document is not served",
        "The document says something that this version does not run. That part is left out, the rest is served.",
    ),
    "DOC014": Code(
        "A server asks for callers to be authenticated in a way that is not known here",
        "Callers are authenticated with bearer, basic, apikey, digest or oauth2. A server that its author wanted "
        "closed is not opened, and neither is one whose `authentication` is empty, misspelt or stated twice: use one "
        "of these, or remove the block to serve it to everybody, on loopback. See docs/authorization.md.",
    ),
    "DOC015": Code(
        "There is nothing to serve",
        "No server of the document has an operation that can be served. The other findings may say why.",
    ),
    "DOC016": Code(
        "`externalRefs` is read as `binds`",
        "Versions 0.4 and 0.5 wrote binds as `externalRefs`, with `name` for `namespace` and `uri` for `location`.",
    ),
    "REF001": Code(
        "A call names an operation that does not exist",
        "`call: namespace.operation` must name an operation of a `consumes` entry. Names are compared exactly, then "
        "ignoring case, then ignoring case, `-` and `_`.",
    ),
    "REF002": Code(
        "A call names a namespace that is not consumed",
        "The word before the first dot of `call` is the `namespace` of a `consumes` entry.",
    ),
    "REF003": Code(
        "A call may mean several operations",
        "Several operations have the name, and neither the keys of `with`, nor method and path, nor the description, "
        "nor their order tells which is meant. Name the resource as well: `namespace.resource.operation`.",
    ),
    "REF004": Code(
        "A name may mean several inputs or parameters",
        "Two names differ only in case, `-` or `_`, and neither is written exactly so.",
    ),
    "REF005": Code(
        "A value in `with` looks like a reference, but names no input",
        "In `with`, `rest.X`, `tools.X`, `mcp.X` and `<this server's namespace>.X` mean the caller's input X; anything "
        "else is a constant. A dotted word with another head is usually a slip, so it is reported: as an error when it "
        "is close to a reference, else as a warning, and then it is sent as it is written. So is a template whose "
        "braces are not closed.",
    ),
    "REF006": Code(
        "A name was matched loosely",
        "The names differ in case, `-` or `_`, or are joined by slashes instead of dots. They are taken to be the "
        "same; write them alike so that no reader has to guess.",
    ),
    "REF007": Code(
        "A key of `with` goes nowhere",
        "The called operation has no such parameter and none of its templates reads it, so the value is not sent.",
    ),
    "REF008": Code(
        "`with` leaves out something the call needs",
        "A required parameter or a path placeholder gets no value. Callers are asked for it under its own name.",
    ),
    "REF009": Code(
        "An input is not declared",
        "The operation declares inputs, and `with` refers to another one with a similar name. It is added as an input.",
    ),
    "REF010": Code(
        "Operations of one namespace share a name",
        "`call: namespace.name` could mean any of them. Which one is meant is decided by the keys of `with`, then by "
        "method and path, then by description, then by order; `capably plan` shows the rule that decided.",
    ),
    "REF011": Code(
        "A path parameter has no place in the path",
        "A parameter with `in: path` has no placeholder in the path of its operation. It is taken to be the end of the "
        "path: `/ships` with the path parameter `id` is `/ships/{id}`. Write the placeholder where it belongs.",
    ),
    "VAR001": Code(
        "A value must be given from outside",
        "A template names something that is neither a bind nor a parameter. When the document is served its value is "
        "taken from `--set NAME=VALUE`, else from the environment variable of that name, exactly or in upper case. An "
        "empty `baseUri` is given with `--upstream NAMESPACE=URL`.",
    ),
    "VAR002": Code(
        "The base URI cannot be used",
        "After variables are filled in it must be an http or https URL with a host, without credentials or fragment.",
    ),
    "VAR003": Code(
        "A bind names a place that is not read",
        "Values of binds come from the environment, from a file (`location: file:///./secrets.yaml`, YAML, JSON or "
        ".env, relative to the document) or from Vault (`location: vault://secret/fleet`). Give the keys of other "
        "stores in the environment, or with `--set`.",
    ),
    "VAR004": Code(
        "The values of a bind cannot be read",
        "The file does not exist or does not hold names and values, or the secret store does not give the secret. "
        "Files are relative to the document. `check` and `plan` read no values and do without.",
    ),
    "IMP001": Code(
        "An import is not complete",
        "An import names a namespace and the file that has it:\n\n"
        "    consumes:\n"
        "    - import: registry\n"
        "      from: ./shared/registry.yaml   # `location:` in older versions\n"
        "      as: fleet                      # optional: its namespace here",
    ),
    "IMP002": Code(
        "An imported file is not there",
        "Paths are relative to the file that imports. Only local files are imported, never addresses on the network.",
    ),
    "IMP003": Code(
        "A file imports itself",
        "Directly, or through the files it imports.",
    ),
    "IMP004": Code(
        "An imported file has errors",
        "They are shown as notes; `capably check` on that file shows them in full.",
    ),
    "IMP005": Code(
        "An imported namespace does not exist",
        "The other file has no entry with that namespace in the same section, at its root or under `capability`.",
    ),
    "INP001": Code(
        "Inputs are inferred",
        "The operations declare no `inputParameters`. Their inputs are taken from the placeholders of the path, from "
        "the references in `with` and from what the called operation needs; `capably plan` shows the result. Declared "
        "inputs give callers better descriptions.",
    ),
    "INP002": Code(
        "A value is not one of those a parameter allows",
        "The document states `enum` for the parameter and a value that is not in it, or a type that the value is not "
        "of. The value is sent all the same, and the API will most likely refuse it.",
    ),
    "INP003": Code(
        "The schema of an input cannot be used",
        "What the document says of the input is no JSON Schema (2020-12): a pattern that is no regular expression "
        "(ECMA-262), a type that does not exist, a reference that leads nowhere or out of the document. Nothing could "
        "be checked against it, so the operation is left out.",
    ),
    "INP004": Code(
        "An input goes nowhere",
        "Callers are asked for a value that no path, parameter or body of the called operation takes, nor the answer: "
        "often its name differs from the one there, or `authentication` sends it already.",
    ),
    "REQ001": Code(
        "A header belongs to the connection",
        "Headers such as Content-Length, Transfer-Encoding, Host and Connection frame a message or concern one "
        "connection (RFC 9110, section 7.6.1). They are written when a request is sent; a parameter cannot set them.",
    ),
    "REQ002": Code(
        "A style does not fit the place of its parameter",
        "OpenAPI 3.1 knows form, spaceDelimited, pipeDelimited and deepObject in a query, simple, label and matrix in "
        "a path, simple in a header and form in a cookie.",
    ),
    "REQ003": Code(
        "A name that no header can have",
        "Names of headers are letters, digits and `-`, without blanks and colons (RFC 9110, section 5.1). What would "
        "send one that is none is left out.",
    ),
    "BOD001": Code(
        "A request body is of a type that cannot be sent",
        "Bodies are json, form (formUrlEncoded), multipart (multipartForm), text, xml, sparql, yaml, binary or "
        "graphql. A media type such as `application/vnd.ships+json` says it too.",
    ),
    "BOD002": Code(
        "A request body has no data",
        "A body with `type` needs `data` beside it.",
    ),
    "BOD003": Code(
        "A part of a multipart body is not complete",
        "A part has a name and a value, and may have a file name and a media type:\n\n"
        "    data:\n"
        "    - {name: note, value: '{{tools.note}}'}\n"
        "    - {name: photo, value: '{{tools.photo}}', filename: photo.png, contentType: image/png}",
    ),
    "FWD001": Code(
        "A forward leads to a namespace that is not consumed",
        "`targetNamespace` is the `namespace` of a `consumes` entry.",
    ),
    "FWD002": Code(
        "A trusted header is not passed on",
        "Headers that frame a message or concern one connection end at each server, and what a caller proves itself "
        "to this server with is not meant for another one.",
    ),
    "FWD003": Code(
        "A forward cannot ask for a value",
        "Every request to the API needs a value that the document does not state, and a forward has no inputs of its "
        "own. Give the parameter a `value`, or put a placeholder of its name into the path of the resource.",
    ),
    "OUT001": Code(
        "`$.` is read as `$`",
        "`$.` is not a JSONPath (RFC 9535). It is taken to mean the whole answer, which is written `$`.",
    ),
    "OUT002": Code(
        "A JSONPath cannot be used",
        "Paths are JSONPath (RFC 9535): `$.data[0].id`, `$['a name']`, `$.list[-1]`, `$.items[*].id`, `$.list[0:2]`, "
        "`$..id`, `$.items[?(@.kind == 'ship' && @.size > 3)]`. A path with a wildcard, slice, union, filter or `..` "
        "gives a list. Filters also know `=~ /re/`, `in`, `nin`, `subsetof`, `anyof`, `noneof`, `contains`, `size` "
        "and `empty`; behind a path may stand `.length()`, `.size()`, `.keys()`, `.first()`, `.last()`, `.min()`, "
        "`.max()`, `.sum()`, `.avg()` or `.stddev()`.",
    ),
    "OUT003": Code(
        "`properties` is not a mapping",
        "The properties of an object output are a mapping from name to output.",
    ),
    "OUT004": Code(
        "A fixed value is not of its declared type",
        "The `value` or `const` of an output cannot be told as its `type`: `value: many` with `type: number`. Numbers "
        "in text are numbers, `true` and `false` in text are booleans; change one of the two.",
    ),
    "OUT005": Code(
        "A format of answers is not known",
        "`outputRawFormat` is json (when absent), xml, yaml, csv, tsv, psv, avro, protobuf, html, markdown, text or "
        "binary.",
    ),
    "OUT006": Code(
        "A schema of answers cannot be used",
        "`outputSchema` names the schema's file for avro and protobuf, relative to the document. For html it is the "
        "CSS selector of the tables, for markdown the start of the headings. Other formats take none.",
    ),
    "OUT007": Code(
        "A size cannot be read",
        "`maxBinarySize` is a number with a unit: `512KiB`, `10MiB` (when absent), `1GiB`; bytes without one.",
    ),
    "OUT008": Code(
        "An output cannot be a header of the answer",
        "An output with `in: header` is told as the header of its `name`, which must be one: letters, digits and `-`. "
        "Headers that frame the message or that the server writes itself (Content-Type, Vary, those of `cors`) cannot "
        "be stated. The output is left out.",
    ),
    "OUT009": Code(
        "What is stated of an answer cannot be so",
        "`responses` maps a status (`200`, `2XX`) to a `description` and its `content`: media types, each with "
        "`binary: true` or the `schema` of its value. `responseBinary` is short for one answer of bytes. What is no "
        "status, media type or schema is left aside, and bytes need an upstream whose answers are not read: one "
        "without `outputRawFormat`, or with `binary`.",
    ),
    "SRV001": Code(
        "Two servers listen on one port",
        "Only one of them could start. Change a port, or give another with `--port NAMESPACE=PORT`.",
    ),
    "SRV002": Code(
        "Two servers have the same namespace",
        "Options such as `--port` name a server by its namespace, so each needs its own.",
    ),
    "SRV003": Code(
        "A method and path are exposed twice",
        "Only the first operation can be reached.",
    ),
    "SRV004": Code(
        "A tool is exposed twice",
        "Only the first tool of a name can be called.",
    ),
    "SRV005": Code(
        "Clients may refuse a tool's name",
        "Many MCP clients and model providers accept 1 to 64 letters, digits, `_` and `-` only. The tool is served "
        "under a name made of these, which stays the same while the document does, with the written name as its title; "
        "`capably plan --format json` tells both.",
    ),
    "SRV006": Code(
        "Which web pages may call cannot be kept as stated",
        "`cors` of a REST server names origins as browsers write them: scheme, host and port, no path. What is none is "
        "left out, so fewer pages may call, never more. `credentials: true` cannot go with `*`: any page could act as "
        "its visitor (Fetch standard, section 3.2.5). Then no page may call. See docs/rest.md.",
    ),
    "SRV007": Code(
        "Every web page may call a server that asks nobody",
        "With `origins: ['*']` any page that somebody on this machine, or in this network, opens can call the server "
        "and read its answers, which use the credentials of the upstream API. Name the origins, or add "
        "`authentication`.",
    ),
    "SKL001": Code(
        "It is not clear what a tool of a skill is",
        "A tool of a skill either stands for an operation of a REST or MCP server of the same document, or names a "
        "file of the skill that says how the work is done. It needs exactly one of the two; else it is left out:\n\n"
        "    tools:\n"
        "    - name: list-ships\n"
        "      from: {sourceNamespace: fleet-tools, action: list-ships}\n"
        "    - name: plan-a-voyage\n"
        "      instruction: planning.md",
    ),
    "SKL002": Code(
        "A tool of a skill stands for nothing",
        "`from` names a server of the same document by its namespace, and an operation or tool of it by its `name`. "
        "Agents would be sent to something that does not exist, so the tool is left out.",
    ),
    "SKL003": Code(
        "The files of a skill cannot be found",
        "`location` names a folder of this machine: `file:///folder`, or a path relative to the document. "
        "`instruction` names a file below it. A name that leads out of the folder is refused.",
    ),
    "SKL004": Code(
        "Agents may refuse a skill",
        "The Agent Skills format asks for a name of 1 to 64 lower-case letters, digits and single hyphens, a "
        "description of at most 1,024 characters and a `compatibility` of at most 500. The skill is served as it is.",
    ),
    "SKL005": Code(
        "A skill is exposed twice",
        "Skills of one server are found by their name, so the second one can never be reached.",
    ),
    "SKL006": Code(
        "Files of a skill are not there",
        "The folder that `location` names does not exist or cannot be shown, or it has no file of the name an "
        "`instruction` states. The skill is served without them; files that come later are found.",
    ),
    **ACCESS,
    **OPENAPI,
    **CASES,
    **SCRIPTS,
    **FLOWS,
    **OFFERS,
    **CONTROL,
}
