"""Every diagnostic code is explained, and there is a smallest document for each that is told it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from capably.capabilities import THREADS_RUNS
from capably.casefile.reading import read_case
from capably.casefile.running import run_cases
from capably.codes import CODES
from capably.diagnostics import Diagnostic
from capably.examine import Examined, examine_with
from capably.mock.serving import open_file
from capably.plan.variables import Given

HEAD = "ikanos: 1.0.0-beta4\n"


def document(*tools: Any, consumed: Any = None, path: str = "/x", more: Any = None, **api: Any) -> str:
    """A document whose tools call `up.op`; what is given is laid over the simplest parts."""
    operation = {"name": "op", **(consumed or {})}
    resources = [{"name": "r", "path": path, "operations": [operation]}]
    consumes = {"namespace": "up", "baseUri": "https://up.test", "resources": resources, **api}
    listed = [{"name": f"t{number}", "call": "up.op", **tool} for number, tool in enumerate(tools or [{}])]
    exposes = [{"type": "mcp", "namespace": "a", "port": 1, "tools": listed}, *(more or [])]
    return json.dumps({"ikanos": "1.0.0-beta4", "capability": {"consumes": [consumes], "exposes": exposes}})


def query(*names: str, **more: Any) -> dict[str, Any]:
    return {"inputParameters": [{"name": name, "in": "query", **more} for name in names]}


def auth(**block: str) -> str:
    return document(authentication=block)


def server(**more: Any) -> dict[str, Any]:
    return {"type": "mcp", "namespace": "b", "port": 2, "tools": [{"name": "t", "call": "up.op"}], **more}


def shown(**more: Any) -> str:
    return document(more=[server(**more)])


def importing(**entry: str) -> str:
    return json.dumps({"ikanos": "1.0.0-beta4", "capability": {"consumes": [entry], "exposes": []}})


def bound(location: str) -> str:
    written = json.loads(document(consumed={"inputParameters": [{"name": "a", "in": "query", "value": "{{b.KEY}}"}]}))
    return json.dumps({**written, "binds": [{"namespace": "b", "keys": {"KEY": "KEY"}, "location": location}]})


def forwarding(forward: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rest", "namespace": "w", "port": 3, "resources": [{"path": "/{path}", "forward": forward}]}


def crossing(**cors: Any) -> dict[str, Any]:
    operations = [{"method": "GET", "call": "up.op"}]
    return {"type": "rest", "port": 3, "cors": cors, "resources": [{"path": "/x", "operations": operations}]}


def skill(*tools: dict[str, Any], **more: Any) -> str:
    told = {"name": "s", "description": "S.", "tools": [{"name": "t", **tool} for tool in tools], **more}
    return document(more=[{"type": "skill", "namespace": "k", "port": 3, "skills": [told]}])


def openapi(**operation: Any) -> str:
    return json.dumps({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"get": operation}}})


def json_content(**medium: Any) -> dict[str, Any]:
    return {"content": {"application/json": medium}}


def scripted(scripting: dict[str, Any] | None = None, **step: Any) -> str:
    step = {"name": "s", "type": "script", "language": "javascript", "file": "good.js", **step}
    control = {"type": "control", "port": 9, "management": {"scripting": scripting or {}}}
    return document({"name": "t", "call": None, "steps": [step]}, more=[control])


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"call": None, "steps": list(steps), **more}


def aggregated(*flows: dict[str, Any]) -> str:
    whole = json.loads(document({"call": None, "ref": "shared.f"}))
    whole["capability"]["aggregates"] = [{"namespace": "shared", "flows": list(flows)}]
    operations = whole["capability"]["consumes"][0]["resources"][0]["operations"]
    operations.append({"name": "change", "method": "POST"})
    return json.dumps(whole)


HOST = [{"name": "host", "in": "path"}]
TWO: dict[str, Any] = {"resources": [{"path": f"/{name}", "operations": [{"name": "op"}]} for name in "ab"]}

TOLD: dict[str, str | bytes] = {
    "DOC001": b"\xff",
    "DOC002": "a: [",
    "DOC003": "a: 1\na: 2\n",
    "DOC004": "openapi: 3.1.0",
    "DOC005": f"{HEAD}---\na: 1\n",
    "DOC006": "[" * 300,
    "DOC007": "ikanos: 7",
    "DOC010": f"{HEAD}info: {{display: []}}\n",
    "DOC011": f"{HEAD}capability: {{exposes: [{{port: 1}}]}}\n",
    "DOC012": f"{HEAD}capabilty: {{}}\n",
    "DOC013": f"{HEAD}capability: {{exposes: [{{type: webhook}}]}}\n",
    "DOC014": document(more=[server(authentication={"type": "kerberos"})]),
    "DOC015": f"{HEAD}capability: {{}}\n",
    "DOC016": "naftiko: 0.5\nexternalRefs: []\n",
    "REF001": document({"call": "up.other"}),
    "REF002": document({"call": "down.op"}),
    "REF003": document({}, {}, {}, **TWO),
    "BOD003": document(consumed={"method": "POST", "body": {"type": "multipart", "data": [{"name": "a"}]}}),
    "FLW001": document({"call": None, "steps": [{"name": "a", "type": "call"}]}),
    "FLW002": document(flow({"name": "one", "call": "up.op", "with": {"x": "$.onee.id"}})),
    "FLW003": document(flow({"name": "one", "call": "up.op", "with": {"x": "$.one.id"}})),
    "FLW004": document(flow({"name": "one", "call": "up.op"}, {"name": "one", "call": "up.op"})),
    "FLW005": document({"steps": [{"name": "one", "type": "call", "call": "up.op"}]}),
    "FLW006": document(flow({"name": "one", "call": "up.op", "condition": "1 >"})),
    "FLW007": document({"call": None, "ref": "a.b"}),
    "FLW008": aggregated({"name": "f", "call": "up.op"}, {"name": "f", "call": "up.op"}),
    "FLW009": aggregated({"name": "f", "call": "up.change", "semantics": {"safe": True}}),
    "FLW010": document(flow({"name": "one", "call": "up.op", "onError": "continue"})),
    "FLW011": document(
        flow(
            {"name": "one", "call": "up.op"},
            mappings=[{"target": "a", "value": "$.one.a"}],
            outputParameters=[{"name": "b", "type": "string"}],
        )
    ),
    "FWD001": document(more=[forwarding({"targetNamespace": "upp"})]),
    "FWD002": document(more=[forwarding({"targetNamespace": "up", "trustedHeaders": ["Connection"]})]),
    "FWD003": document(
        more=[forwarding({"targetNamespace": "up"})], baseUri="https://{host}.test", inputParameters=HOST
    ),
    "INP002": document(consumed=query("a", enum=["b"], default="c")),
    "REQ001": document(consumed={"inputParameters": [{"name": "Content-Length", "in": "header"}]}),
    "REQ002": document(consumed={"inputParameters": [{"name": "a", "in": "header", "style": "deepObject"}]}),
    "REQ003": document(consumed={"inputParameters": [{"name": "X Trace", "in": "header"}]}),
    "REF011": document({}, consumed={"inputParameters": [{"name": "id", "in": "path"}]}),
    "REF004": document({"with": {"aB": 1}}, consumed=query("a-b", "a_b")),
    "REF005": document({"with": {"id": "tool.id"}}, consumed=query("id")),
    "REF006": document({"call": "UP.op"}),
    "REF007": document({"with": {"other": 1}}),
    "REF008": document({"with": {}}, path="/{id}"),
    "REF009": document(
        {"inputParameters": [{"name": "colour"}], "with": {"colour": "tools.color"}}, consumed=query("colour")
    ),
    "REF010": document(**TWO),
    "VAR001": document(baseUri="https://{region}"),
    "VAR002": document(baseUri="ftp://up.test"),
    "VAR003": bound("s3://bucket/key"),
    "VAR004": bound("./absent.yaml"),
    "IMP001": importing(**{"import": "up"}),
    "IMP002": importing(**{"import": "up", "from": "./absent.yaml"}),
    "IMP003": importing(**{"import": "up", "from": "./a.yaml"}),
    "IMP004": importing(**{"import": "up", "from": "./broken.yaml"}),
    "IMP005": importing(**{"import": "up", "from": "./b.yaml"}),
    "INP001": document(path="/{id}"),
    "BOD001": document(consumed={"body": {"type": "smoke", "data": 1}}),
    "BOD002": document(consumed={"body": {"type": "json"}}),
    "OUT001": document({"outputParameters": [{"mapping": "$."}]}),
    "OUT002": document({"outputParameters": [{"mapping": "$["}]}),
    "OUT003": document({"outputParameters": [{"properties": []}]}),
    "OUT004": document({"outputParameters": [{"type": "number", "value": "many"}]}),
    "OUT005": document(consumed={"outputRawFormat": "jsn"}),
    "OUT006": document(consumed={"outputRawFormat": "avro", "outputSchema": "absent.avsc"}),
    "OUT007": document(consumed={"outputRawFormat": "binary", "maxBinarySize": "much"}),
    "OUT008": document({"outputParameters": [{"name": "Content-Length", "in": "header", "mapping": "$.a"}]}),
    "OUT009": document(
        more=[
            {
                "type": "rest",
                "namespace": "w",
                "port": 3,
                "resources": [
                    {"path": "/x", "operations": [{"method": "GET", "call": "up.op", "responses": {"20X": {}}}]}
                ],
            }
        ]
    ),
    "AUT001": auth(type="handshake"),
    "AUT002": auth(type="bearer"),
    "AUT003": auth(type="apikey", key="a", value="{{B}}", placement="margin"),
    "AUT004": auth(type="bearer", token="a\x07b"),
    "AUT005": auth(type="oauth2", grantType="dance"),
    "AUT006": auth(type="oauth2", tokenEndpoint="ftp://up.test"),
    "AUT007": auth(type="certificate", certificate="./absent.pem"),
    "AUT008": document({"scopes": ["ships:read"]}),
    "SRV001": document(more=[server(port=1)]),
    "SRV002": document(more=[server(namespace="a")]),
    "SRV003": document(
        more=[
            {
                "type": "rest",
                "port": 2,
                "resources": [{"path": "/a", "operations": [{"call": "up.op"}, {"call": "up.op"}]}],
            }
        ]
    ),
    "SRV004": document({"name": "t"}, {"name": "t"}),
    "INP003": document({"inputParameters": [{"name": "id", "type": "string", "pattern": "("}]}),
    "INP004": document({"inputParameters": [{"name": "id", "type": "string"}]}),
    "CNT001": shown(tools=[{"name": "t", "content": [{}]}]),
    "RES001": shown(
        resources=[{"uri": "a://b", "text": "c", "data": ""}, {"uri": "a://b", "text": "c", "location": "d"}]
    ),
    "RES002": shown(resources=[{"uri": "a://{b}{c}", "text": "d"}]),
    "RES003": shown(resources=[{"uri": "a://b", "text": "c"}, {"uri": "a://b", "text": "d"}]),
    "RES004": shown(resources=[{"uri": "a://b", "location": "nowhere"}]),
    "PRM001": shown(prompts=[{"name": "p"}]),
    "PRM002": shown(prompts=[{"name": "p", "template": [{"content": "{{a}}"}]}]),
    "PRM003": shown(prompts=[{"name": "p", "template": [{"content": "a"}]}] * 2),
    "SRV005": document({"name": "no good"}),
    "SRV006": document(more=[crossing(origins=["https://a.test/path"])]),
    "SRV007": document(more=[crossing(origins=["*"])]),
    "SKL001": skill({}),
    "SKL002": skill({"from": {"sourceNamespace": "b", "action": "t"}}),
    "SKL003": skill({"instruction": "a.md"}),
    "SKL004": skill(name="S"),
    "SKL005": document(
        more=[{"type": "skill", "namespace": "k", "port": 3, "skills": [{"name": "s", "description": "S."}] * 2}]
    ),
    "SKL006": skill(location="./absent"),
    "SCR001": scripted({"enabled": False}),
    "SCR002": scripted(language="groovy"),
    "SCR003": scripted(file="absent.js"),
    "SCR004": scripted(file="bad.js"),
    "SCR005": scripted({"timeout": 0}),
    "CTL001": document(more=[{"type": "control", "port": 2}, {"type": "control", "port": 3}]),
    "CTL002": document(more=[{"type": "control", "port": 2, "address": "0.0.0.0"}]),  # noqa: S104 -- the finding
    "SEC001": auth(type="bearer", token="abc"),
    "SEC002": document(baseUri="http://up.test", authentication={"type": "bearer", "token": "{{B}}"}),
    "SEC003": document(more=[server(address="0.0.0.0")]),  # noqa: S104 -- the finding
    "SEC004": auth(type="oauth2", tokenEndpoint="http://up.test/token"),
    "SEC005": document(more=[server(transport="stdio", authentication={"type": "bearer", "token": "{{B}}"})]),
    "OAS001": "ikanos: 1.0.0-beta4\n",
    "OAS002": "swagger: '2.0'\n",
    "OAS003": openapi(responses=[]),
    "OAS004": openapi(requestBody={"$ref": "#/components/requestBodies/B"}),
    "OAS005": openapi(respones={}),
    "OAS006": openapi(requestBody=json_content(schema={"type": "strng"})),
    "OAS007": openapi(responses={"200": {"description": "", **json_content(schema={"type": "string"}, example=1)}}),
    "OAS008": openapi(responses={"200": {"description": "", **json_content(example="{{spell()}}")}}),
}


# What is told of case files.
TOLD_OF_CASES = {
    "CAS001": "stories: []",
    "CAS002": json.dumps({"document": json.loads(document()), "stories": [{"name": "a", "call": "nothing"}]}),
}


def examined(folder: Path, data: str | bytes) -> Examined:
    (folder / "b.yaml").write_text("ikanos: 1.0.0-beta4\nconsumes: [{namespace: other}]\n", encoding="utf-8")
    (folder / "broken.yaml").write_text("a: [\n", encoding="utf-8")
    (folder / "good.js").write_text("result = 1", encoding="utf-8")
    (folder / "bad.js").write_text("result = (", encoding="utf-8")
    file = folder / "a.yaml"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return asyncio.run(examine_with(file, Given()))


def findings(folder: Path, code: str) -> tuple[Diagnostic, ...]:
    if not code.startswith("OAS"):
        return examined(folder, TOLD[code]).diagnostics
    file = folder / "api.yaml"
    file.write_text(str(TOLD[code]), encoding="utf-8")
    return open_file(file).diagnostics


def test_every_code_has_a_document_that_is_told_it() -> None:
    assert set(TOLD) | set(TOLD_OF_CASES) == set(CODES)


@pytest.mark.parametrize("code", TOLD)
def test_a_document_is_told_the_code(tmp_path: Path, code: str) -> None:
    found = [item for item in findings(tmp_path, code) if item.code == code]
    assert found, "nothing of this code is told"
    for item in found:
        assert item.span.line >= 1
        assert item.message
        assert not item.message.endswith("."), "headlines are no sentences with a full stop"


@pytest.mark.parametrize("code", TOLD_OF_CASES)
def test_a_case_file_is_told_the_code(tmp_path: Path, code: str) -> None:
    file = tmp_path / "a.case"
    file.write_text(TOLD_OF_CASES[code], encoding="utf-8")
    (told,) = asyncio.run(run_cases([read_case(file)], {}))
    assert code in {item.code for item in told.problems}


def test_the_simplest_document_is_told_nothing(tmp_path: Path) -> None:
    assert examined(tmp_path, document()).diagnostics == ()


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_title_and_an_explanation(code: str) -> None:
    page = CODES[code]
    assert re.fullmatch(r"[A-Z]{3}[0-9]{3}", code)
    assert page.title[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ`"
    assert not page.title.endswith(".")
    assert len(page.text) > 30


def test_codes_are_listed_by_family_and_number() -> None:
    families = list(dict.fromkeys(code[:3] for code in CODES))
    assert list(CODES) == sorted(CODES, key=lambda code: (families.index(code[:3]), code))


def test_the_bundled_document_is_told_only_codes_that_are_explained() -> None:
    found = asyncio.run(examine_with(THREADS_RUNS, Given())).diagnostics
    assert {item.code for item in found} <= set(CODES)
