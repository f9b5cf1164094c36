// The first page: what is served, how it fares, and how clients are connected.

import { drawCharts } from "./charts.js";
import { copyButton, fill, h, wide } from "./dom.js";
import { method } from "./offers.js";
import { clientPanel } from "./recipes.js";
import { callAddress, lineAddress, store } from "./store.js";
import { asks, badges, breakable, count, moment } from "./words.js";

export function drawOverview(place) {
  const { overview } = store;
  const charts = h("div");
  const several = overview.documents.length > 1;
  fill(place, several ? h("h1", {}, count(overview.documents.length, "capability").replace("ys", "ies")) : null,
    overview.documents.map((document, at) => [head(document, several), at === 0 && !several ? charts : null, body(document)]));
  if (several) place.querySelector("h1").after(charts);
  return drawCharts(charts, overview.records);
}

function head(document, several) {
  const { error, warning, note } = document.counts;
  const file = `#/document/${encodeURIComponent(document.file)}`;
  return h("header", { class: several ? "block" : "" },
    h(several ? "h2" : "h1", {}, document.title),
    document.description ? h("p", { class: "lead" }, document.description) : null,
    h("p", { class: "facts" },
      h("a", { href: file, class: "mono" }, document.file.split("/").pop()),
      h("span", {}, "loaded ", moment(document.loaded_at)),
      document.language ? h("span", {}, `language ${document.language}`) : null,
      error ? h("a", { href: file }, count(error, "error")) : null,
      warning ? h("a", { href: file }, count(warning, "warning")) : null,
      note ? h("a", { href: file }, count(note, "note")) : null));
}

function body(document) {
  return [
    document.servers.map((server) => block(server)),
    Object.keys(document.upstreams).length ? upstreams(document) : null,
  ];
}

function block(server) {
  const told = asks(server.asks);
  return h("section", { class: "block", "aria-labelledby": `server-${server.namespace}` },
    h("div", { class: "spread" },
      h("h2", { class: "row", id: `server-${server.namespace}` }, h("span", { class: "kind" }, server.kind), server.namespace,
        server.is_started ? null : h("span", { class: "badge bad" }, "not started")),
      h("p", { class: "row" }, h("code", {}, server.endpoint),
        server.over_stdio ? null : copyButton(() => server.endpoint, "Copy URL"),
        server.docs ? h("a", { href: server.docs, target: "_blank", rel: "noopener" }, "Reference") : null)),
    server.description ? h("p", { class: "lead" }, server.description) : null,
    told ? h("p", { class: "soft" }, `Callers need ${told}.`) : null,
    server.operations.length ? operations(server) : null,
    others(server),
    clientPanel(server));
}

function operations(server) {
  const noun = server.kind === "mcp" ? "Tool" : "Operation";
  return wide(`${noun}s of ${server.namespace}`, h("table", { class: "offer-table" },
    h("thead", {}, h("tr", {}, [noun, "What it does", "Effects"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, server.operations.map((operation) => h("tr", {},
      h("th", { scope: "row" }, h("a", { class: operation.method ? "call" : "mono", href: callAddress(server, operation) },
        operation.method ? [method(operation.method), h("span", { class: "path" }, breakable(operation.path))] : operation.served_as)),
      h("td", {}, operation.description || operation.title || h("span", { class: "soft" }, "not described")),
      h("td", {}, h("span", { class: "row tight" }, badges(operation))))))));
}

const COLUMNS = [
  ["forwards", "Passed on", (item) => [h("code", {}, item.path), item.description, `to ${item.target}`]],
  ["resources", "Resources", (item) => [h("code", {}, item.uri), item.description || item.title, item.mime_type || item.source]],
  ["prompts", "Prompts", (item) => [h("code", {}, item.name), item.description || item.title, item.arguments.join(", ")]],
  ["skills", "Skills", (item) => [h("code", {}, item.name), item.description, item.tools.map((tool) => tool.name).join(", ")]],
];

/** What a server has beside operations. */
function others(server) {
  return COLUMNS.filter(([key]) => server[key].length).map(([key, title, cells]) => wide(`${title} of ${server.namespace}`,
    h("table", { class: "offer-table" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, title), h("th", { scope: "col" }, "What it is"), h("th", { scope: "col" }, "More"))),
      h("tbody", {}, server[key].map((item) => {
        const [name, told, more] = cells(item);
        return h("tr", {}, h("th", { scope: "row" }, h("a", { href: lineAddress(server.file, item.line) }, name)),
          h("td", {}, told), h("td", { class: "soft" }, more));
      })))));
}

function upstreams(document) {
  return h("section", { class: "block" }, h("h2", {}, "Upstreams"), wide(`Upstreams of ${document.title}`, h("table", { class: "upstreams" },
    h("tbody", {}, Object.entries(document.upstreams).map(([name, url]) => h("tr", {},
      h("th", { scope: "row", class: "mono" }, name), h("td", { class: "mono" }, url)))))));
}
