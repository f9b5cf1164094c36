"""The reference page of a REST server, made from its OpenAPI document: plain HTML without scripts.

It asks nothing of anybody: no fonts, no styles, no scripts of other origins, which the policy it is sent with forbids.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final, TypeAlias
from urllib.parse import quote

Object: TypeAlias = Mapping[str, Any]

_STYLE: Final = """
:root{color-scheme:light dark;--page:#fbfbf8;--text:#1b1d19;--quiet:#5b5f55;--line:#dfe0d8;--code:#f3f3ee;
--link:#0b6b4b;--bad:#a8241c}
@media(prefers-color-scheme:dark){:root{--page:#141613;--text:#e7e9e2;--quiet:#a2a799;--line:#30342d;--code:#0f110e;
--link:#62cb9f;--bad:#ff9085}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:2rem 1.25rem 4rem;background:var(--page);color:var(--text);
font:.9375rem/1.55 system-ui,sans-serif}
a{color:var(--link);text-underline-offset:.18em;text-decoration-thickness:1px}
a:focus-visible,summary:focus-visible,pre:focus-visible,.wide:focus-visible{outline:2px solid var(--link);
outline-offset:2px;border-radius:3px}
main:focus{outline:none}
p{margin:.4rem 0}
h1{margin:0;font-size:1.7rem;line-height:1.2;letter-spacing:-.012em}
h2{margin:0 0 .5rem;font-size:1.1rem;overflow-wrap:anywhere}
h3{margin:1.25rem 0 .25rem;font-size:.85rem;color:var(--quiet)}
section{margin-top:2.25rem;padding-top:1.5rem;border-top:1px solid var(--line)}
.quiet{color:var(--quiet)}
nav{margin-top:1.5rem}
nav ul{margin:0;padding:0;list-style:none}
nav li{padding:.2rem 0;overflow-wrap:anywhere}
nav a{color:var(--text);text-decoration:none}
nav a:hover code{text-decoration:underline}
.method{display:inline-block;min-width:4.2em;color:var(--link);font:650 .85em ui-monospace,monospace}
.method.get,.method.head{color:var(--quiet)}
.method.delete{color:var(--bad)}
.need{margin-left:.5em;font-size:.85em;color:var(--bad);font-weight:400}
code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.92em}
pre{margin:.4rem 0;padding:.7rem .85rem;overflow:auto;background:var(--code);
border:1px solid var(--line);border-radius:6px}
summary{min-height:1.75rem;padding:.15rem 0;cursor:pointer;color:var(--link)}
.wide{overflow-x:auto}
table{width:100%;border-collapse:collapse}
th,td{padding:.4rem 1rem .4rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:baseline}
tbody tr:last-child>*{border-bottom:0}
thead th{font-size:.85rem;font-weight:550;color:var(--quiet)}
tbody th{font-weight:400}
th:nth-child(1){width:30%}
th:nth-child(2),th:nth-child(3){width:15%}
.skip{position:absolute;left:-100rem}
.skip:focus{left:1rem;top:1rem;padding:.3rem .7rem;background:var(--page)}
"""

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""


def reference_page(document: Object) -> str:
    """The page of an OpenAPI document of ours."""
    info = document["info"]
    operations = [
        (method.upper(), path, told)
        for path, item in document["paths"].items()
        for method, told in item.items()
        if isinstance(told, dict)
    ]
    forwards = [(path, item["description"]) for path, item in document["paths"].items() if "description" in item]
    sections = "".join(_section(document, *each) for each in operations)
    title = escape(info["title"])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#operations">Skip to the operations</a>\n'
        f"<header>\n<h1>{title}</h1>\n{_paragraph(info.get('description'))}"
        f'<p class="quiet">Version {escape(info["version"])}. As OpenAPI {escape(document["openapi"])}: '
        '<a href="openapi.json">openapi.json</a>, <a href="openapi.yaml">openapi.yaml</a>.</p>\n'
        f"{_callers(document)}</header>\n"
        f'<nav aria-label="Operations">\n<ul>\n{"".join(_entry(*each) for each in operations)}</ul>\n</nav>\n'
        f'<main id="operations" tabindex="-1">\n{sections}{_forwards(forwards)}</main>\n</body>\n</html>\n'
    )


def _paragraph(text: str | None) -> str:
    return f"<p>{escape(text)}</p>\n" if text else ""


def _anchor(told: Object) -> str:
    return quote(told["operationId"], safe="")


def _entry(method: str, path: str, told: Object) -> str:
    name = f' <span class="quiet">{escape(told["summary"])}</span>' if "summary" in told else ""
    return (
        f'<li><a href="#{escape(quote(_anchor(told)))}">{_method(method)} <code>{escape(path)}</code></a>{name}</li>\n'
    )


def _method(name: str) -> str:
    return f'<span class="method {name.lower()}">{name}</span>'


def _callers(document: Object) -> str:
    """Whom the server asks for what."""
    schemes = document["components"].get("securitySchemes")
    if not schemes:
        return ""
    items = "".join(
        f"<li><code>{escape(name)}</code>: {escape(_scheme(told))}</li>\n" for name, told in schemes.items()
    )
    return f"<h2>Callers prove who they are</h2>\n<ul>\n{items}</ul>\n"


def _scheme(told: Object) -> str:
    if told["type"] == "apiKey":
        return f"an API key in the {told['in']} `{told['name']}`"
    return str(told.get("description") or f"HTTP {told['scheme']} authentication")


def _section(document: Object, method: str, path: str, told: Object) -> str:
    return (
        f'<section id="{escape(_anchor(told))}">\n'
        f"<h2>{_method(method)} <code>{escape(path)}</code></h2>\n"
        f"{_paragraph(told.get('summary'))}{_paragraph(told.get('description'))}"
        f"{_asked(document, told)}{_inputs(method, path, told)}"
        f"{_example(method, path, told)}{_answers(told)}</section>\n"
    )


def _asked(document: Object, told: Object) -> str:
    asked = told.get("security", document.get("security", []))
    words = [f"{name} ({', '.join(scopes)})" if scopes else name for each in asked for name, scopes in each.items()]
    return f'<p class="quiet">Needs {escape(", ".join(words))}.</p>\n' if words else ""


def _inputs(method: str, path: str, told: Object) -> str:
    rows = "".join(_rows(told))
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Input", "In", "Type", "Meaning"))
    return (
        '<h3>Inputs</h3>\n<div class="wide" role="region" tabindex="0" '
        f'aria-label="Inputs of {method} {escape(path)}"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )


def _rows(told: Object) -> Iterator[str]:
    for item in told.get("parameters", ()):
        yield _row(
            item["name"], item["in"], item["schema"], item.get("description", ""), is_required="required" in item
        )
    body = told.get("requestBody")
    if body is None:
        return
    schema = body["content"]["application/json"]["schema"]
    if "properties" not in schema:
        yield _row("body", "body", schema, body.get("description", ""), is_required="required" in body)
        return
    for name, each in schema["properties"].items():
        is_required = name in schema.get("required", ())
        yield _row(name, "body", each, each.get("description", ""), is_required=is_required)


def _row(name: str, place: str, schema: Object, meaning: str, *, is_required: bool) -> str:
    need = '<span class="need">required</span>' if is_required else ""
    rest = {key: value for key, value in schema.items() if key not in {"type", "description", "title"}}
    more = f" <code>{escape(json.dumps(rest, ensure_ascii=False))}</code>" if rest else ""
    return (
        f'<tr><th scope="row"><code>{escape(name)}</code>{need}</th><td>{place}</td>'
        f"<td>{escape(_kind(schema))}</td><td>{escape(meaning)}{more}</td></tr>\n"
    )


def _kind(schema: Object) -> str:
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")  # curl takes braces for alternatives


def _example(method: str, path: str, told: Object) -> str:
    """A call of it by curl, with the inputs it cannot do without."""
    query = [item["name"] for item in told.get("parameters", ()) if item["in"] == "query" and "required" in item]
    target = _PLACEHOLDER.sub(lambda match: match[1].upper(), path) + (
        "?" + "&".join(f"{quote(name)}=VALUE" for name in query) if query else ""
    )
    parts = ["curl", *(["-X", method] if method != "GET" else []), f"'$SERVER{target}'".replace("'", '"')]
    body = told.get("requestBody")
    if body is not None:
        schema = body["content"]["application/json"]["schema"]
        sample = {
            name: _sample(schema["properties"][name])
            for name in schema.get("required", ())
            if name in schema.get("properties", {})
        }
        written = json.dumps(sample, ensure_ascii=False).replace("'", r"'\''")
        parts += ["--json", f"'{written}'"]
    return f'<h3>Call</h3>\n<pre tabindex="0"><code>{escape(" ".join(parts))}</code></pre>\n'


_SAMPLES: Final[Mapping[str, Any]] = {"string": "VALUE", "integer": 1, "number": 1.5, "boolean": True, "array": []}


def _sample(schema: Object) -> Any:
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    kind = schema.get("type", "object")
    return _SAMPLES.get(kind, {}) if isinstance(kind, str) else {}


def _answers(told: Object) -> str:
    kinds: dict[str, Object] = {}
    for status, answer in told["responses"].items():
        if status.startswith("2"):
            kinds |= {kind: entry for kind, entry in answer.get("content", {}).items() if kind not in kinds}
    shown = ", ".join(f"<code>{escape(kind)}</code>" for kind in kinds if kind != "*/*") or "as the upstream answers"
    schema = next((entry["schema"] for entry in kinds.values() if entry.get("schema")), None)
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False)) if schema else ""
    details = f'<details><summary>Its schema</summary><pre tabindex="0"><code>{text}</code></pre></details>\n'
    return f"<h3>Answer</h3>\n<p>{shown}</p>\n{details if schema else ''}"


def _forwards(forwards: list[tuple[str, str]]) -> str:
    if not forwards:
        return ""
    items = "".join(f"<li><code>{escape(path)}</code>: {escape(told)}</li>\n" for path, told in forwards)
    return f"<section>\n<h2>Passed on</h2>\n<ul>\n{items}</ul>\n</section>\n"
