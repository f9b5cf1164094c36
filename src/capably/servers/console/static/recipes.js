// How others call it: a curl command made from what the form holds, and configurations for MCP clients.

import { codeBox } from "./code.js";
import { fill, fresh, h } from "./dom.js";
import { store } from "./store.js";

/** A text as one word of a POSIX shell. */
export function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The curl command that calls an operation with these values; what is missing stands in capitals. */
export function curl(server, operation, values) {
  return operation.method ? restCurl(server, operation, values) : toolCurl(server, operation, values);
}

const placeholder = (name) => name.replace(/([a-z\d])([A-Z])/g, "$1_$2").replace(/\W+/g, "_").toUpperCase();
const asText = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

function restCurl(server, operation, values) {
  const { inputs } = operation;
  const at = (place) => inputs.filter((input) => input.in === place && (input.name in values || input.required));
  let path = operation.path;
  for (const input of inputs.filter((item) => item.in === "path")) {
    const value = input.name in values ? encodeURIComponent(asText(values[input.name])) : placeholder(input.name);
    path = path.replace(`{${input.wire_name}}`, () => value);
  }
  const query = at("query").flatMap((input) => [values[input.name] ?? placeholder(input.name)].flat()
    .map((value) => `${encodeURIComponent(input.wire_name)}=${encodeURIComponent(asText(value))}`)).join("&");
  const words = ["curl"];
  const body = restBody(at("body"), values);
  if (operation.method !== (body === null ? "GET" : "POST")) words.push("-X", operation.method);
  words.push(quoted(`${server.url}${path}${query ? `?${query}` : ""}`));
  for (const input of at("header")) words.push("-H", quoted(`${input.wire_name}: ${asText(values[input.name] ?? placeholder(input.name))}`));
  const cookies = at("cookie").map((input) => `${input.wire_name}=${asText(values[input.name] ?? placeholder(input.name))}`);
  if (cookies.length) words.push("-b", quoted(cookies.join("; ")));
  words.push(...credentials(operation.asks, server.url));
  if (body !== null) words.push("--json", quoted(JSON.stringify(body)));
  return wrapped(words);
}

function restBody(inputs, values) {
  const whole = inputs.find((input) => input.whole_body);
  if (whole) return values[whole.name] ?? {};
  if (!inputs.length) return null;
  return Object.fromEntries(inputs.map((input) => [input.wire_name, values[input.name] ?? placeholder(input.name)]));
}

function toolCurl(server, operation, values) {
  const args = { ...Object.fromEntries(operation.inputs.filter((input) => input.required).map((input) => [input.name, placeholder(input.name)])), ...values };
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: operation.served_as, arguments: args } };
  return wrapped(["curl", quoted(server.endpoint), ...credentials(server.asks, server.url), "--json", quoted(JSON.stringify(message))]);
}

function credentials({ scheme, place, name }) {
  if (scheme === "bearer" || scheme === "oauth2") return ["-H", '"Authorization: Bearer $TOKEN"'];
  if (scheme === "basic") return ["-u", '"$USER:$PASSWORD"'];
  if (scheme === "digest") return ["--digest", "-u", '"$USER:$PASSWORD"'];
  if (scheme !== "apikey") return [];
  return place === "query" ? ["--url-query", `"${name}=$KEY"`] : ["-H", `"${name}: $KEY"`];
}

/** The words on lines of a bearable length. */
function wrapped(words) {
  const parts = [];
  for (const word of words) {
    if (parts.length && !word.startsWith("-") && parts.at(-1).startsWith("-") && !parts.at(-1).includes(" ")) parts.push(`${parts.pop()} ${word}`);
    else parts.push(word);
  }
  const one = parts.join(" ");
  if (one.length < 90) return one;
  return `${parts[0]} ${parts[1]}${parts.slice(2).map((part) => ` \\\n  ${part}`).join("")}`;
}

// MCP clients

function serverEntry(server) {
  const { scheme, place, name } = server.asks;
  const headers = scheme === "bearer" || scheme === "oauth2" ? { Authorization: "Bearer ${TOKEN}" }
    : scheme === "apikey" && place === "header" ? { [name]: "${KEY}" } : null;
  return { type: "http", url: server.endpoint, ...(headers ? { headers } : {}) };
}

function stdioEntry(server) {
  const env = Object.fromEntries(server.document.needs.map((name) => [name, "..."]));
  return { command: "capably", args: ["serve", "--stdio", server.namespace, server.document.path], ...(Object.keys(env).length ? { env } : {}) };
}

const jsonOf = (value) => JSON.stringify(value, null, 2);

/** By client: blocks of [what it is, text]. */
function clients(server) {
  const http = server.over_stdio ? null : serverEntry(server);
  const stdio = stdioEntry(server);
  const name = server.namespace;
  const header = http?.headers ? Object.entries(http.headers).map(([key, value]) => ` --header "${key}: ${value}"`).join("") : "";
  const env = Object.keys(stdio.env ?? {}).map((key) => ` --env ${key}=...`).join("");
  const both = (key, stdioExtra = {}) => [
    http ? ["Over HTTP, while this process runs", jsonOf({ [key]: { [name]: http } }), "json"] : null,
    ["Over stdio: the client starts it", jsonOf({ [key]: { [name]: { ...stdioExtra, ...stdio } } }), "json"]].filter(Boolean);
  return {
    "Claude Code": [
      http ? ["Over HTTP, while this process runs", `claude mcp add --transport http ${quoted(name)} ${http.url}${header}`, ""] : null,
      ["Over stdio: the client starts it", `claude mcp add ${quoted(name)}${env} -- capably ${stdio.args.map(quoted).join(" ")}`, ""]].filter(Boolean),
    "Claude Desktop": [["claude_desktop_config.json", jsonOf({ mcpServers: { [name]: stdio } }), "json"]],
    "VS Code": both("servers", { type: "stdio" }).map(([told, text, kind]) => [`${told} (.vscode/mcp.json)`, text, kind]),
    JSON: both("mcpServers"),
  };
}

/** How MCP clients are connected to a server, folded away; nothing for servers of other kinds. */
export function clientPanel(server) {
  if (server.kind !== "mcp") return null;
  const whole = { ...server, document: store.overview.documents.find((item) => item.servers.includes(server)) ?? server.document };
  const place = h("div");
  const details = h("details", { toggle: () => { if (details.open && !place.firstChild) tabs(place, blocksOf(whole)); } },
    h("summary", {}, "Connect an MCP client"), place);
  return h("div", { class: "connect" }, details);
}

function blocksOf(server) {
  return Object.entries(clients(server)).map(([name, blocks]) => [name, () => blocks.map(([told, text, kind]) => [
    h("p", { class: "soft" }, told), codeBox(text, kind, { label: `${name}: ${told}` })])]);
}

let chosen = "curl"; // the tab that is open stays open when the form changes

/** The panel beside the form: curl, and for tools the clients. */
export function callPanel(place, server, operation, values) {
  const panels = [];
  if (!server.over_stdio) panels.push(["curl", () => codeBox(curl(server, operation, values), "", { label: "curl command" })]);
  if (server.kind === "mcp") panels.push(...blocksOf(server));
  const had = place.contains(document.activeElement) ? document.activeElement.textContent : "";
  tabs(place, panels, chosen, (name) => { chosen = name; });
  if (had) [...place.querySelectorAll("[role=tab]")].find((tab) => tab.textContent === had)?.focus();
}

/** Tabs (WAI-ARIA, manual activation not needed: a panel is made when it is shown). */
export function tabs(place, panels, first = panels[0][0], onChoice = () => {}) {
  const id = fresh("tabs");
  const panel = h("div", { id: `${id}-panel`, role: "tabpanel" });
  const buttons = panels.map(([name], at) => h("button", { type: "button", role: "tab", id: `${id}-${at}`, "aria-controls": `${id}-panel`,
    click: () => show(at), keydown: (event) => move(event, at) }, name));
  const show = (at) => {
    for (const [number, button] of buttons.entries()) {
      button.setAttribute("aria-selected", String(number === at));
      button.tabIndex = number === at ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `${id}-${at}`);
    fill(panel, panels[at][1]());
  };
  const move = (event, at) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: panels.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + panels.length) % panels.length;
    show(next);
    onChoice(panels[next][0]);
    buttons[next].focus();
  };
  for (const [at, button] of buttons.entries()) button.addEventListener("click", () => onChoice(panels[at][0]));
  fill(place, panels.length > 1 ? h("div", { class: "tabs", role: "tablist", "aria-label": "Ways to call it" }, buttons) : null, panel);
  const start = Math.max(0, panels.findIndex(([name]) => name === first));
  if (panels.length > 1) show(start);
  else { panel.removeAttribute("role"); fill(panel, panels[0]?.[1]() ?? h("p", { class: "soft" }, "Only the client that starts it can call it.")); }
}
