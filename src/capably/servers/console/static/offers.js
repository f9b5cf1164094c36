// The list at the left: every server with its operations and tools, and a filter.

import { fill, h, roving } from "./dom.js";
import { callAddress, servers } from "./store.js";
import { breakable } from "./words.js";

let wanted = "";
let current = null;

export function drawOffers(place) {
  const filter = h("input", { type: "search", placeholder: "Filter  /", "aria-label": "Filter operations and tools",
    value: wanted, input: (event) => { wanted = event.target.value; show(); }, keydown: (event) => {
      if (event.key === "ArrowDown") { event.preventDefault(); list.querySelector("a")?.focus(); }
    } });
  const list = h("div");
  const show = () => {
    fill(list, servers().map(part));
    if (!list.querySelector("a")) fill(list, h("p", { class: "soft" }, "Nothing has that in its name."));
    else roving(list, "a");
    markOffer(current);
  };
  const had = document.activeElement === place.querySelector("input");
  fill(place, filter, list);
  show();
  if (had) filter.focus();
}

function part(server) {
  const found = server.operations.filter((operation) => matches(server, operation));
  if (!found.length) return null;
  return [
    h("h2", {}, h("span", { class: "kind" }, server.kind), h("span", {}, server.namespace)),
    h("ul", {}, found.map((operation) => h("li", {}, link(server, operation)))),
  ];
}

function matches(server, operation) {
  const text = `${operation.key} ${operation.name} ${operation.description} ${server.namespace}`.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function link(server, operation) {
  const about = { href: callAddress(server, operation), "data-server": server.namespace, "data-key": operation.key,
    title: operation.description || null };
  if (!operation.method) return h("a", { ...about, class: "tool" }, h("span", { class: "path" }, breakable(operation.served_as)));
  return h("a", about, method(operation.method), h("span", { class: "path" }, breakable(operation.path)));
}

/** An HTTP method as a word of its own. */
export function method(name) {
  return h("span", { class: "method", "data-method": name }, name);
}

/** Marks the operation whose page is open: [namespace, key], or null. */
export function markOffer(address) {
  current = address;
  for (const item of document.querySelectorAll("#offers a")) {
    const isIt = address !== null && item.dataset.server === address[0] && item.dataset.key === address[1];
    if (isIt) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
}
