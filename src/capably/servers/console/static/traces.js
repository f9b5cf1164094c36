// The traces of late, and one of them as a waterfall: how long each part took, and when.

import { get } from "./api.js";
import { drawCharts } from "./charts.js";
import { fill, h, s, wide } from "./dom.js";
import { method } from "./offers.js";
import { onPulse, store } from "./store.js";
import { count, duration, moment } from "./words.js";

export function drawTraces(place, [id]) {
  return id ? drawOne(place, id) : drawAll(place);
}

let wanted = "";
let onlyFailed = false;

function drawAll(place) {
  const charts = h("div");
  const list = h("div", { class: "block" });
  let traces = null;
  const failed = h("input", { type: "checkbox", id: "failed", checked: onlyFailed, change: () => { onlyFailed = failed.checked; show(); } });
  fill(place, h("h1", {}, "Traces"), charts,
    h("div", { class: "row block" },
      h("input", { type: "search", placeholder: "Operation contains", "aria-label": "Operation contains", value: wanted, input: (event) => { wanted = event.target.value; show(); } }),
      h("label", { for: "failed", class: "row" }, failed, "only failed")), list);
  const show = () => {
    if (traces === null) {
      fill(list, h("p", { class: "empty" }, "Calls are not recorded here: traces need telemetry."));
      return;
    }
    const shown = traces.filter((trace) => trace.operation.toLowerCase().includes(wanted.toLowerCase()) && !(onlyFailed && trace.status !== "ERROR"));
    fill(list, shown.length ? table(shown) : h("p", { class: "empty" }, traces.length ? "No trace is like that." : "No calls yet. Try an operation, or call one from outside: it appears here."));
  };
  let newest = "";
  const look = async () => {
    try {
      const told = await get("traces.json");
      const mark = JSON.stringify(told.traces?.[0] ?? told.traces);
      if (mark === newest && traces !== null) return;
      newest = mark;
      traces = told.traces;
      const focused = document.activeElement?.closest?.("tr")?.dataset.id;
      show();
      if (focused) list.querySelector(`tr[data-id="${CSS.escape(focused)}"] a`)?.focus();
    } catch {
      // The pulse says that nobody answers.
    }
  };
  look();
  const ends = [onPulse(look), drawCharts(charts, store.overview.records)];
  return () => ends.forEach((end) => end());
}

function table(traces) {
  const longest = Math.max(...traces.map((trace) => trace.ms));
  return wide("Traces", h("table", { class: "traces" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), h("th", { scope: "col" }, "Operation"), h("th", { scope: "col" }, "Status"),
      h("th", { scope: "col", class: "number" }, "Spans"), h("th", { scope: "col", class: "number" }, "Took"), h("th", { scope: "col" }, h("span", { class: "unseen" }, "Length")))),
    h("tbody", {}, traces.map((trace) => h("tr", { "data-id": trace.id },
      h("td", { class: "soft" }, moment(trace.at)),
      h("th", { scope: "row" }, h("a", { href: `#/traces/${trace.id}`, class: "mono" }, named(trace.operation))),
      h("td", {}, badge(trace.status)),
      h("td", { class: "number" }, String(trace.span_count)),
      h("td", { class: "number" }, duration(trace.ms)),
      h("td", { class: "length" }, bar(0, trace.ms / longest, trace.status)))))));
}

/** An operation as traces name it: that of a REST server is its path and method. */
function named(operation) {
  const [, path, verb] = /^(\/\S*) ([A-Z]+)$/.exec(operation) ?? [];
  return path ? [method(verb), " ", path] : operation;
}

function badge(status) {
  return status === "ERROR" ? h("span", { class: "badge bad" }, "failed") : h("span", { class: "badge good" }, "ok");
}

function bar(from, share, status) {
  return s("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "track", x: 0, y: 0, width: 1000, height: 10 }),
    s("rect", { class: status === "ERROR" ? "failed" : "", x: (from * 1000).toFixed(1), y: 0, width: Math.max(4, share * 1000).toFixed(1), height: 10 }));
}

function drawOne(place, id) {
  let isLeft = false;
  fill(place, h("h1", {}, "Trace"), h("p", { class: "soft" }, "Loading…"));
  get(`traces/${encodeURIComponent(id)}.json`).then((trace) => {
    if (!isLeft) draw(place, trace);
  }, (problem) => fill(place, h("h1", {}, "Trace"), h("p", { class: "told" }, problem.message), h("p", { class: "actions" }, h("a", { href: "#/traces" }, "All traces"))));
  return () => { isLeft = true; };
}

function draw(place, trace) {
  fill(place, h("p", { class: "facts" }, h("a", { href: "#/traces" }, "All traces"), h("span", { class: "mono" }, trace.id)),
    h("h1", { class: "mono" }, named(trace.operation)),
    h("p", { class: "facts" }, badge(trace.status), h("span", {}, moment(trace.at)), h("span", {}, duration(trace.ms)), h("span", {}, count(trace.spans.length, "span")),
      trace.left_out ? h("span", {}, `${trace.left_out} left out`) : null),
    h("div", { class: "waterfall block" }, inOrder(trace.spans).map(([span, depth]) => row(span, depth, trace))));
}

/** Spans below their parents, with how deep they are. */
function inOrder(spans) {
  const known = new Set(spans.map((span) => span.id));
  const below = new Map();
  for (const span of spans) {
    const parent = known.has(span.parent) && span.parent !== span.id ? span.parent : "";
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const walk = (parent, depth) => (below.get(parent) ?? []).flatMap((span) => [[span, depth], ...walk(span.id, depth + 1)]);
  return walk("", 0);
}

function row(span, depth, trace) {
  const attributes = Object.entries(span.attributes);
  const whole = Math.max(trace.ms, ...trace.spans.map((item) => item.after_ms + item.ms)) || 1;
  const name = h("span", { class: `name depth-${Math.min(depth, 6)}` }, span.name);
  return h("details", {},
    h("summary", { "aria-label": `${span.name}, ${duration(span.ms)}${span.status === "ERROR" ? ", failed" : ""}` }, name, bar(span.after_ms / whole, span.ms / whole, span.status),
      h("span", { class: "ms" }, duration(span.ms))),
    h("div", { class: "detail" }, span.error ? h("p", { class: "told" }, span.error) : null,
      h("dl", { class: "headers" }, h("dt", {}, "kind"), h("dd", {}, span.kind.toLowerCase()), h("dt", {}, "begins after"), h("dd", {}, duration(span.after_ms)),
        attributes.map(([key, value]) => [h("dt", {}, key), h("dd", {}, String(value))])),
      span.events.map((event) => h("p", { class: "soft" }, `${event.name} after ${duration(event.after_ms)}: ${Object.values(event.attributes).join(", ")}`))));
}
