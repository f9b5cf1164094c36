"""The reference page: one file that loads nothing from elsewhere and renders the OpenAPI document."""

import base64
import hashlib

_SCRIPT = """
const el = (tag, text, ...children) => {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
};
const name = (schema) => (schema.$ref || "").split("/").pop();
const kind = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return name(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const some = schema.anyOf || schema.oneOf;
  if (some) return some.map(kind).join(" | ");
  if (schema.type === "array") return kind(schema.items) + "[]";
  return schema.type || "any";
};
const fields = (schema) => {
  const table = el("table");
  const required = new Set(schema.required || []);
  for (const [field, value] of Object.entries(schema.properties || {})) {
    const mark = required.has(field) ? "required" : "";
    table.append(el("tr", "", el("th", field), el("td", kind(value)), el("td", mark)));
  }
  return table;
};
fetch("openapi.json").then((answer) => answer.json()).then((api) => {
  const main = document.querySelector("main");
  main.append(el("h1", api.info.title), el("p", api.info.description));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const box = el("details", "", el("summary", "", el("b", method.toUpperCase()), el("code", path)));
      box.append(el("p", operation.description || operation.summary));
      for (const given of operation.parameters || []) {
        box.append(el("p", given.name + " (" + given.in + "): " + kind(given.schema)));
      }
      const body = operation.requestBody?.content?.["application/json"]?.schema;
      if (body) box.append(el("p", "Body: " + kind(body)));
      const good = operation.responses?.["200"]?.content?.["application/json"]?.schema;
      if (good) box.append(el("p", "Gives: " + kind(good)));
      main.append(box);
    }
  }
  main.append(el("h2", "Objects"));
  for (const [title, schema] of Object.entries(api.components.schemas)) {
    const box = el("details", "", el("summary", "", el("code", title)));
    if (schema.description) box.append(el("p", schema.description));
    box.append(fields(schema));
    main.append(box);
  }
});
"""
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
details { border-top: 1px solid #8884; padding: .4rem 0; }
summary { cursor: pointer; }
summary b { display: inline-block; width: 5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .1rem 1rem .1rem 0; font-family: ui-monospace, monospace; font-weight: normal; }
"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>capably threads</title>'
    '<meta name="viewport" content="width=device-width">'
    f"<style>{_STYLE}</style></head><body><main></main><script>{_SCRIPT}</script></body></html>"
)
