"""Every rule speaks when it should, and only then."""

from pathlib import Path
from typing import Any

import pytest

from capably.diagnostics import Diagnostic
from capably.rules import answers, flows, inputs, references, requests, resources, security, servers, skills, variables
from capably.rules.table import RULES, Rule

QUIET = Path(__file__).with_name("quiet.yaml").read_text(encoding="utf-8")

Edit = tuple[str, str]
BASE = "https://up.test"
READS = "- {name: read, call: up.read, inputParameters: [{name: id, type"
CHANGES = "- {name: change, call: up.change, inputParameters: [{name: id, type"
FIRST_PATH = "path: /ships/{id}\n      operations:\n      - name"
FIRST_ROUTE = "    - path: /ships/{id}\n      operations:\n      - {"
FIRST_INPUT = "{name: id, in: path}"
FORWARD = "    - path: /all/{path}\n      forward: {targetNamespace: up}\n"
FORWARD = "    - path: /all/{path}\n      forward: {targetNamespace: up}\n"
RESOURCE = "type: oauth2, resource: 'https://web.test'"
AUTH = "type: bearer, token: '{{env.KEY}}'"

MORE_SERVERS = "  exposes:\n"
SKILL = "  exposes:\n  - {type: skill, namespace: skills, port: 7070, skills: [{name: NAME, description: S.MORE}]}\n"


def skill(name: str = "s", more: str = "") -> Edit:
    return MORE_SERVERS, SKILL.replace("NAME", name).replace("MORE", more)


EXPOSES = "  exposes:\n  - type: rest"
READ_CALL = "{method: GET, name: read, call: up.read, inputParameters: [{name: id, in: path}]}"


def shared(semantics: str, call: str = "read") -> list[Edit]:
    """The REST operation `read` refers to a flow of an aggregate, which calls `up.<call>`."""
    flow = f"{{name: f, semantics: {{{semantics}}}, call: up.{call}, inputParameters: [{{name: id, type: string}}]}}"
    return [
        (EXPOSES, f"  aggregates:\n  - namespace: fleet\n    flows: [{flow}]\n{EXPOSES}"),
        (READ_CALL, READ_CALL.replace("call: up.read", "ref: fleet.f")),
    ]


def stepped(keys: str) -> list[Edit]:
    """The tool `read` has one step, with more keys."""
    return [(READS, READS.replace("call: up.read", f"steps: [{{name: s, type: call, call: up.read{keys}}}]"))]


SPEAKS: list[tuple[Rule, list[Edit], str, str]] = [
    (
        references.operation_named_twice,
        [("name: change\n        method", "name: read\n        method")],
        "REF010 18:15",
        "`up` has 2 operations named `read`",
    ),
    (
        references.path_without_place,
        [(FIRST_PATH, FIRST_PATH.replace("/{id}", ""))],
        "REF011 17:34",
        "`id` is a path parameter without a place in the path: the request goes to `/ships/{id}`",
    ),
    (
        variables.variable_not_bound,
        [(BASE, "https://{region}.test")],
        "VAR001 9:14",
        "`region` is bound to nothing: it must be given when the document is served",
    ),
    (variables.variable_not_bound, [(f"baseUri: {BASE}", "baseUri: ''")], "VAR001 9:14", "`up` has no base URI"),
    (
        variables.variable_not_bound,
        [("env.KEY", "OTHER")],
        "VAR001 10:43",
        "`OTHER` is bound to nothing: it must be given when the document is served",
    ),
    (
        variables.location_not_readable,
        [("  keys: {KEY: KEY}", "  keys: {KEY: KEY}\n  location: s3://a/b")],
        "VAR003 5:13",
        "`env` is bound to s3://a/b, which is not read",
    ),
    (
        inputs.inputs_inferred,
        [(READS, "- {name: read, call: up.read, x-not: [{name: id, type")],
        "INP001 34:14",
        "1 operation of `agent` declares no inputs: they are inferred",
    ),
    (
        inputs.inputs_inferred,
        [("inputParameters: [{name: id, type", "x-not: [{name: id, type")],
        "INP001 34:14",
        "2 operations of `agent` declare no inputs: they are inferred",
    ),
    (
        inputs.input_without_use,
        [(READ_CALL, READ_CALL.replace("id, in: path}", "id, in: path}, {name: fields, in: query}"))],
        "INP004 28:29",
        "`fields` of `read` goes nowhere: `up.read` takes no such value",
    ),
    (
        inputs.input_without_use,
        [(FIRST_ROUTE, FIRST_ROUTE.replace("{id}", "{id}/{part}"))],
        "INP004 28:29",
        "`part` of `read` goes nowhere: `up.read` takes no such value",
    ),
    (
        inputs.schema_unusable,
        [(READS, READS.replace("name: id,", "name: id, pattern: '(',"))],
        "INP003 34:60",
        'the schema of `id` cannot be used: "(" is not a "regex"',
    ),
    (
        answers.answer_misstated,
        [(READ_CALL, READ_CALL.replace("call: up.read", "call: up.read, responses: {9XX: {}}"))],
        "OUT009 28:67",
        "`9XX` is no status",
    ),
    (
        servers.nothing_served,
        [("  exposes:\n", "  exposes: []\n  x-exposes:\n")],
        "DOC015 5:1",
        "there is nothing to serve: it exposes no server",
    ),
    (
        servers.nothing_served,
        [("call: up.", "calls: up.")],
        "DOC015 5:1",
        "there is nothing to serve: no server of it has an operation that can be served",
    ),
    (
        servers.nothing_served,
        [("capability:\n", "x-not: {}\n"), ("  consumes:", "consumes:"), ("  exposes:\n", "x-exposes:\n")],
        "DOC015 1:1",
        "there is nothing to serve: it only holds entries for other documents",
    ),
    (
        servers.forward_twice,
        [(FIRST_ROUTE, f"{FORWARD}{FORWARD}{FIRST_ROUTE}")],
        "SRV003 29:7",
        "the forward on /all/{path} is exposed twice: the first one is served",
    ),
    (
        requests.value_not_allowed,
        [(FIRST_INPUT, "{name: id, in: path}, {name: sort, in: query, enum: [asc, desc], default: acs}")],
        "INP002 17:101",
        "`sort` does not allow `acs`",
    ),
    (
        inputs.value_of_another_type,
        [(FIRST_INPUT, "{name: id, in: path}, {name: page, in: query, type: integer, default: one}")],
        "INP002 28:138",
        "`page` is declared integer, and `one` is none",
    ),
    (
        requests.header_without_name,
        [(FIRST_INPUT, "{name: id, in: path}, {name: 'X-Page:', in: header}")],
        "REQ003 17:56",
        "`X-Page:` is no name of a header",
    ),
    (
        requests.header_of_the_connection,
        [(FIRST_INPUT, "{name: id, in: path}, {name: Content-Length, in: header}")],
        "REQ001 17:56",
        "`Content-Length` is written when a request is sent: the parameter has no effect",
    ),
    (
        requests.style_out_of_place,
        [(FIRST_INPUT, "{name: id, in: path}, {name: a, in: header, style: deepObject}")],
        "REQ002 17:78",
        "a header parameter cannot have the style `deepObject`",
    ),
    (
        servers.part_not_served,
        [(BASE, f"{BASE}\n    tunnel: {{type: ziti}}")],
        "DOC013 10:5",
        "`up` is reached through a tunnel, which capably does not open",
    ),
    (
        servers.part_not_served,
        [("type: http", "type: grpc")],
        "DOC013 8:11",
        "`up` is an API of type `grpc`, which capably does not speak: it is sent http",
    ),
    (
        servers.namespace_twice,
        [("namespace: agent", "namespace: web")],
        "SRV002 30:5",
        "two servers have the namespace `web`",
    ),
    (
        servers.port_twice,
        [("port: 9090", "port: 8080")],
        "SRV001 32:11",
        "`agent` and `web` both listen on port 8080",
    ),
    (
        servers.route_twice,
        [("method: PUT, name", "method: GET, name")],
        "SRV003 29:29",
        "GET /ships/{id} is exposed twice: the first one is served",
    ),
    (
        servers.route_twice,
        [(FIRST_ROUTE, f"    - path: /ships/{{imo}}\n      operations: [{{call: up.read}}]\n{FIRST_ROUTE}")],
        "SRV003 30:29",
        "GET /ships/{id} is exposed twice: the first one is served",
    ),
    (
        servers.tool_twice,
        [(CHANGES, CHANGES.replace("name: change", "name: read"))],
        "SRV004 35:14",
        "the tool `read` is exposed twice: the first one is served",
    ),
    (
        servers.unsafe_tool_name,
        [(READS, READS.replace("name: read", "name: read one"))],
        "SRV005 34:14",
        "clients may refuse the tool name `read one`: it is served as `read_one`",
    ),
    (
        servers.unsafe_tool_name,
        [(READS, READS.replace("name: read", f"name: {'a' * 65}"))],
        "SRV005 34:14",
        f"clients may refuse the tool name `{'a' * 65}`: it is served as `{'a' * 55}_635361c4`",
    ),
    (skills.skill_out_of_form, [skill("S")], "SKL004 22:66", "agents may refuse the skill name `S`"),
    (
        skills.skill_out_of_form,
        [skill(more=f", compatibility: {'a' * 501}")],
        "SKL004 22:101",
        "agents may refuse the skill `s`: its `compatibility` has 501 characters",
    ),
    (
        skills.skill_twice,
        [skill(more="}, {name: s, description: S.")],
        "SKL005 22:94",
        "the skill `s` is exposed twice: the first one is served",
    ),
    (
        skills.skill_files_absent,
        [skill(more=", location: /absent/folder")],
        "SKL006 22:96",
        "the folder of the skill `s` does not exist: /absent/folder",
    ),
    (
        resources.location_absent,
        [("    tools:\n", "    resources: [{name: r, uri: 'a://b', location: nowhere}]\n    tools:\n")],
        "RES004 33:32",
        "the location of the resource `r` does not exist",
    ),
    (
        security.secret_in_the_document,
        [("'{{env.KEY}}'", "abc")],
        "SEC001 10:43",
        "the token is written in the document, where everybody can read it",
    ),
    (
        security.secret_in_the_document,
        [(AUTH, "type: basic, username: a, password: b")],
        "SEC001 10:58",
        "the password is written in the document, where everybody can read it",
    ),
    (
        security.credentials_over_plain_http,
        [(BASE, "http://up.test")],
        "SEC002 9:14",
        "credentials for `up` are sent over plain http",
    ),
    (
        security.tokens_over_plain_http,
        [(AUTH, f"{AUTH}, tokenEndpoint: 'http://up.test/token'")],
        "SEC004 10:73",
        "the authorization server is asked over plain http: http://up.test/token",
    ),
    (
        security.open_to_the_network,
        [("port: 8080", "port: 8080\n    address: 0.0.0.0")],
        "SEC003 25:14",
        "`web` listens on 0.0.0.0 without authentication",
    ),
    (
        security.open_to_the_network,
        [("port: 8080", "port: 8080\n    address: '::'")],
        "SEC003 25:14",
        "`web` listens on :: without authentication",
    ),
    (
        security.open_to_the_network,
        [("port: 8080", "port: 8080\n    address: '::'\n    authentication: {type: none}")],
        "SEC003 25:14",
        "`web` listens on :: without authentication",
    ),
    (
        security.secret_in_the_document,
        [("port: 8080", "port: 8080\n    authentication: {type: bearer, token: abc}")],
        "SEC001 25:43",
        "the token is written in the document, where everybody can read it",
    ),
    (
        security.secret_in_the_document,
        [("{method: GET, name: read", "{method: GET, authentication: {type: bearer, token: abc}, name: read")],
        "SEC001 28:61",
        "the token is written in the document, where everybody can read it",
    ),
    (
        security.tokens_over_plain_http,
        [("port: 8080", f"port: 8080\n    authentication: {{{RESOURCE}, authorizationServerUri: 'http://id.test'}}")],
        "SEC004 25:90",
        "the authorization server is asked over plain http: http://id.test",
    ),
    (
        security.authentication_over_stdio,
        [("port: 9090", "transport: stdio\n    authentication: {type: bearer, token: '{{env.KEY}}'}")],
        "SEC005 33:5",
        "over stdio callers are not authenticated: whoever starts the server may use it",
    ),
    (
        flows.semantics_at_odds,
        shared("safe: false"),
        "FLW009 31:18",
        "`fleet.f` changes something, but it is exposed as GET",
    ),
    (
        flows.semantics_at_odds,
        shared("safe: true", "change"),
        "FLW009 23:41",
        "`fleet.f` is said to be safe, but it makes a PUT request",
    ),
    (
        flows.extension_used,
        stepped(", condition: 'true'"),
        "FLW010 34:65",
        "`condition` is an extension of capably: no published version of the language has it",
    ),
    (
        flows.extension_used,
        [(READS, READS.replace("call: up.read", "confirm: true, call: up.read"))],
        "FLW010 34:20",
        "`confirm` is an extension of capably: no published version of the language has it",
    ),
]

STAYS_SILENT: list[tuple[Rule, list[Edit]]] = [
    (
        answers.answer_misstated,
        [(READ_CALL, READ_CALL.replace("call: up.read", "call: up.read, responses: {2xx: {}, 404: {}}"))],
    ),
    (references.operation_named_twice, [("name: change\n        method", "name: Read\n        method")]),
    (references.path_without_place, [(FIRST_PATH, FIRST_PATH.replace("{id}", "{ID}"))]),
    (variables.variable_not_bound, [("env.KEY", "KEY")]),
    (variables.variable_not_bound, [("env.KEY", "env.OTHER")]),
    (variables.location_not_readable, [("  keys:", "  location: secrets.yaml\n  keys:")]),
    (variables.location_not_readable, [("  keys:", "  location: file:///secrets.yaml\n  keys:")]),
    (inputs.inputs_inferred, []),
    (inputs.input_without_use, stepped("")),
    (
        inputs.input_without_use,
        [
            (
                "method: GET\n        inputParameters: [",
                "method: GET\n        inputParameters: [{name: fields, in: query}, ",
            ),
            (READ_CALL, READ_CALL.replace("id, in: path}", "id, in: path}, {name: fields, in: query}")),
        ],
    ),
    (
        requests.value_not_allowed,
        [(BASE, f"{BASE}\n    inputParameters: [{{name: a, in: query, type: array, value: ['1', 2], enum: [1, 2]}}]")],
    ),
    (
        requests.value_not_allowed,
        [(BASE, f"{BASE}\n    inputParameters: [{{name: a, in: query, value: '{{{{env.KEY}}}}', enum: [1, 2]}}]")],
    ),
    (
        inputs.value_of_another_type,
        [(FIRST_INPUT, "{name: id, in: path}, {name: page, in: query, type: integer, default: '1'}")],
    ),
    (requests.header_without_name, [(FIRST_INPUT, "{name: id, in: path}, {name: X-Page, in: header}")]),
    (
        requests.header_of_the_connection,
        [(BASE, f"{BASE}\n    inputParameters: [{{name: Host, in: query, value: 1}}]")],
    ),
    (
        requests.style_out_of_place,
        [(BASE, f"{BASE}\n    inputParameters: [{{name: a, in: query, value: 1, style: deepObject}}]")],
    ),
    (servers.forward_twice, [(FIRST_ROUTE, f"{FORWARD}{FORWARD.replace('/all', '/other')}{FIRST_ROUTE}")]),
    (servers.nothing_served, [("call: up.change", "calls: up.change")]),
    (flows.semantics_at_odds, shared("safe: true, idempotent: true")),
    (flows.semantics_at_odds, shared("idempotent: true", "change")),
    (flows.extension_used, stepped("")),
    (servers.part_not_served, []),
    (servers.part_not_served, [("type: http", "type: HTTP")]),
    (servers.part_not_served, [(FIRST_ROUTE, f"{FORWARD}{FIRST_ROUTE}")]),
    (servers.forward_twice, [(FIRST_ROUTE, f"{FORWARD}{FIRST_ROUTE}")]),
    (requests.value_not_allowed, [(FIRST_INPUT, "{name: id, in: path}, {name: s, in: query, enum: [a, b], value: a}")]),
    (requests.header_of_the_connection, [(FIRST_INPUT, "{name: id, in: path}, {name: Accept, in: header}")]),
    (requests.style_out_of_place, [(FIRST_INPUT, "{name: id, in: path, style: simple}")]),
    (servers.namespace_twice, [("namespace: agent", "namespace: Web")]),
    (servers.namespace_twice, [("namespace: web", "namespace: up")]),
    (servers.port_twice, [("port: 8080", "port: 0"), ("port: 9090", "port: 0")]),
    (
        servers.route_twice,
        [(FIRST_ROUTE, f"    - path: /ships/{{id}}.json\n      operations: [{{call: up.read}}]\n{FIRST_ROUTE}")],
    ),
    (servers.tool_twice, [(CHANGES, CHANGES.replace("name: change", "name: Read"))]),
    (inputs.schema_unusable, [(READS, READS.replace("name: id,", "name: id, pattern: '[a-z]+',"))]),
    (
        resources.location_absent,
        [("    tools:\n", "    resources: [{name: r, uri: 'a://b', location: .}]\n    tools:\n")],
    ),
    (servers.unsafe_tool_name, [(READS, READS.replace("name: read", f"name: {'a' * 64}"))]),
    (skills.skill_out_of_form, [skill(f"a-1-{'b' * 60}")]),
    (skills.skill_twice, [skill(more="}, {name: t, description: S.")]),
    (skills.skill_files_absent, [skill()]),
    (skills.skill_files_absent, [skill(more=", location: .")]),
    (security.secret_in_the_document, [(AUTH, "type: none")]),
    (security.secret_in_the_document, [("{{env.KEY}}", "Token {{KEY}}")]),
    (security.credentials_over_plain_http, [(BASE, "http://localhost:1")]),
    (security.credentials_over_plain_http, [(BASE, "http://127.0.0.1")]),
    (security.credentials_over_plain_http, [(BASE, "http://[::1]:80")]),
    (security.credentials_over_plain_http, [(BASE, "http://api.localhost")]),
    (security.credentials_over_plain_http, [(BASE, "http://{host}")]),
    (
        security.credentials_over_plain_http,
        [(BASE, "http://up.test"), (f"    authentication: {{{AUTH}}}\n", "")],
    ),
    (security.tokens_over_plain_http, [(AUTH, f"{AUTH}, tokenEndpoint: 'https://up.test/token'")]),
    (security.tokens_over_plain_http, [(AUTH, f"{AUTH}, tokenUrl: 'http://localhost:8/token'")]),
    (security.open_to_the_network, [("port: 8080", "port: 8080\n    address: localhost")]),
    (security.open_to_the_network, [("port: 8080", "port: 8080\n    address: '[::1]'")]),
    (security.open_to_the_network, [("port: 8080", f"port: 8080\n    address: '::'\n    authentication: {{{AUTH}}}")]),
    (security.authentication_over_stdio, [("port: 9090", "transport: stdio")]),
    (security.authentication_over_stdio, [("port: 9090", f"port: 9090\n    authentication: {{{AUTH}}}")]),
]


def edited(edits: list[Edit]) -> str:
    text = QUIET
    for old, new in edits:
        assert old in text, f"the document has no {old!r}"
        text = text.replace(old, new)
    return text


def said(rule: Rule, reading: Any) -> list[Diagnostic]:
    return list(rule(reading.examined.capability, reading.examined.compiled))


def test_the_quiet_document_is_faultless(language: Any) -> None:
    assert language.read(QUIET).findings == []


def test_every_rule_is_heard_and_is_seen_to_be_silent() -> None:
    assert {rule for rule, *_ in SPEAKS} == set(RULES)
    assert {rule for rule, *_ in STAYS_SILENT} == set(RULES)


@pytest.mark.parametrize(("rule", "edits", "place", "message"), SPEAKS)
def test_a_rule_speaks(language: Any, rule: Rule, edits: list[Edit], place: str, message: str) -> None:
    reading = language.read(edited(edits))
    first, *_others = said(rule, reading)
    assert f"{first.code} {first.span.line}:{first.span.column}" == place
    assert first.message == message
    assert first.help
    assert message in [item.message for item in reading.examined.diagnostics]


@pytest.mark.parametrize(("rule", "edits"), STAYS_SILENT)
def test_a_rule_stays_silent(language: Any, rule: Rule, edits: list[Edit]) -> None:
    assert said(rule, language.read(edited(edits))) == []


def test_an_operation_s_own_secret_is_seen_too(language: Any) -> None:
    block = "authentication: {type: apikey, key: A, value: abc}"
    reading = language.read(edited([("      - name: read\n", f"      - name: read\n        {block}\n")]))
    spoken = said(security.secret_in_the_document, reading)
    assert [item.message for item in spoken] == ["the value is written in the document, where everybody can read it"]
