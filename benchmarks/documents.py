"""What is measured, as documents: the same API described for capably, for FastMCP and for Toolbox."""

import json
from pathlib import Path
from typing import Any

from upstream import BODY

FIELDS = tuple(f"field{number}" for number in range(10))
"""Fields of the upstream's object that the mapped operation answers with."""


def capability(folder: Path, upstream: int, rest: int, mcp: int, tools: int = 4, *, mark: str = "") -> Path:
    """A capability with so many operations, each exposed by both servers; and a forward.

    ``mark`` ends the names of its servers and of its file.
    """
    mapped, listed = (
        {"name": f"get-{name}", "method": "GET", "path": f"/threads/{{threadId}}/{name}/{{runId}}"}
        for name in ("mapped", "listed")
    )
    operations = [_operation(number) for number in range(tools)] + [mapped, listed]
    one = {
        "type": "object",
        "properties": {name: {"type": "string", "mapping": f"$.{field}"} for name, field in _names()},
    }
    outputs = {"get-mapped": [one], "get-listed": [{"type": "array", "mapping": "$.data", "items": one}]}
    document = {
        "ikanos": "1.0.0-beta5",
        "info": {"display": "Measured", "description": "What benchmarks call."},
        "capability": {
            "consumes": [
                {
                    "namespace": "api",
                    "type": "http",
                    "baseUri": f"http://127.0.0.1:{upstream}",
                    "resources": [
                        {"name": item["name"], "path": item["path"], "operations": [_consumed(item)]}
                        for item in operations
                    ],
                }
            ],
            "exposes": [
                {
                    "type": "rest",
                    "namespace": f"rest{mark}",
                    "port": rest,
                    "resources": [
                        *(_exposed(item, outputs.get(item["name"], [])) for item in operations),
                        {"path": "/threads/{threadId}/flow/{runId}", "operations": [_flow()]},
                        {"path": "/files/{path}", "forward": {"targetNamespace": "api"}},
                    ],
                },
                {
                    "type": "mcp",
                    "namespace": f"mcp{mark}",
                    "port": mcp,
                    "tools": [_tool(item) for item in operations if item["name"] not in outputs],
                },
            ],
        },
    }
    return _written(folder / f"capability{mark}.yaml", document)


def fleet(folder: Path, upstream: int, count: int) -> Path:
    """A folder with so many capabilities, to be served behind one address."""
    place = folder / f"fleet{count}"
    place.mkdir(exist_ok=True)
    for number in range(count):
        capability(place, upstream, 1, 2, mark=str(number))
    return place


def _names() -> list[tuple[str, str]]:
    return [(f"{field}Told", field) for field in FIELDS]


def _operation(number: int) -> dict[str, str]:
    name = "get_run" if number == 0 else f"get_run_{number}"
    resource = "runs" if number == 0 else f"runs{number}"
    return {"name": name, "method": "GET", "path": f"/threads/{{threadId}}/{resource}/{{runId}}"}


def _consumed(item: dict[str, str]) -> dict[str, Any]:
    return {"name": item["name"], "method": item["method"], "inputParameters": _parameters("path")}


def _parameters(place: str) -> list[dict[str, Any]]:
    return [
        {"name": "threadId", "in": place, "type": "string", "description": "The thread."},
        {"name": "runId", "in": place, "type": "string", "description": "The run."},
    ]


def _exposed(item: dict[str, str], outputs: list[dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "method": item["method"],
        "name": item["name"],
        "call": f"api.{item['name']}",
        "with": {"threadId": "rest.threadId", "runId": "rest.runId"},
    }
    if outputs:
        operation["outputParameters"] = outputs
    return {"path": item["path"], "operations": [operation]}


def _flow() -> dict[str, Any]:
    """Five requests: the second, third and fourth need the first, the last needs them."""

    def call(name: str, run: str) -> dict[str, Any]:
        with_ = {"threadId": "{{threadId}}", "runId": run}
        return {"name": name, "type": "call", "call": "api.get_run", "with": with_}

    between = [call(name, f"{{{{first.{field}}}}}") for name, field in (("b", "field1"), ("c", "field2"), ("d", "id"))]
    last = call("last", "{{b.id}}-{{c.id}}-{{d.id}}")
    mappings = [{"target": name, "value": f"$.{name}.status"} for name in ("first", "last")]
    steps = [call("first", "{{runId}}"), *between, last]
    return {"method": "GET", "name": "five", "steps": steps, "mappings": mappings}


def _tool(item: dict[str, str]) -> dict[str, Any]:
    inputs = [{key: value for key, value in each.items() if key != "in"} for each in _parameters("path")]
    return {
        "name": item["name"],
        "description": "One run of a thread.",
        "call": f"api.{item['name']}",
        "with": {"threadId": "tools.threadId", "runId": "tools.runId"},
        "inputParameters": inputs,
    }


def openapi(folder: Path, tools: int = 4) -> Path:
    """The same operations as an OpenAPI document, for FastMCP."""
    paths = {
        item["path"]: {
            "get": {
                "operationId": item["name"],
                "description": "One run of a thread.",
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("threadId", "runId")
                ],
                "responses": {"200": {"description": "The run."}},
            }
        }
        for item in map(_operation, range(tools))
    }
    document = {"openapi": "3.1.0", "info": {"title": "Measured", "version": "1"}, "paths": paths}
    return _written(folder / f"openapi-{tools}.json", document)


def toolbox(folder: Path, upstream: int, tools: int = 4) -> Path:
    """The same operations as Toolbox describes them: several YAML documents, which JSON is as well."""
    source = {
        "kind": "source",
        "name": "api",
        "type": "http",
        "baseUrl": f"http://127.0.0.1:{upstream}",
        "allowPrivateNetworks": True,
    }
    described = [
        {
            "kind": "tool",
            "name": item["name"],
            "type": "http",
            "source": "api",
            "method": "GET",
            "path": item["path"].replace("{", "{{.").replace("}", "}}"),
            "description": "One run of a thread.",
            "pathParams": [
                {"name": name, "type": "string", "description": "An identifier."} for name in ("threadId", "runId")
            ],
        }
        for item in map(_operation, range(tools))
    ]
    file = folder / f"toolbox-{tools}.yaml"
    file.write_text("\n---\n".join(json.dumps(each) for each in [source, *described]), encoding="utf-8")
    return file


def nginx(folder: Path, upstream: int, port: int) -> Path:
    """A proxy with one worker and kept connections, as lean as its documentation shows."""
    file = folder / "nginx.conf"
    file.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_max_temp_file_size 0;
    }}
  }}
}}
""",
        encoding="utf-8",
    )
    return file


def static(folder: Path, port: int) -> Path:
    """An upstream that answers as the other one does, at a tenth of its cost: nginx with one worker.

    What is below ``listed`` is answered with two hundred of the same objects.
    """
    (folder / "listed.json").write_bytes(b'{"data":[%s]}' % b",".join([BODY] * 200))
    file = folder / "static.conf"
    file.write_text(
        f"""daemon off; master_process off; pid {folder}/static.pid; error_log {folder}/static.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 1h; default_type application/json;
  server {{
    listen 127.0.0.1:{port} backlog=8192; root {folder}; open_file_cache max=9;
    location / {{ return 200 '{BODY.decode()}'; }}
    location ~ /listed/ {{ try_files /listed.json =404; }}
  }}
}}
""",
        encoding="utf-8",
    )
    return file


def _written(file: Path, document: object) -> Path:
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return file
