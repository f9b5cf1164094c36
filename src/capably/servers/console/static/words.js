// How numbers, times and effects are said.

import { h } from "./dom.js";

/** "4 tools", "1 tool". */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Milliseconds as people read them. */
export function duration(ms) {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10000 ? `${Math.round(ms).toLocaleString("en")} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A size in bytes as people read it. */
export function size(bytes) {
  if (bytes < 1024) return count(bytes, "byte");
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

/** A moment: "14:03:22", with the date when it was another day; how long ago is its title. */
export function moment(text) {
  const at = new Date(text);
  const isToday = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString("en-GB");
  return h("time", { datetime: text, title: at.toString() }, isToday ? time : `${at.toLocaleDateString("en-CA")} ${time}`);
}

/** What an operation may do to the world, as badges. */
export function badges(operation) {
  const { effects, flow } = operation;
  const how = effects.stated ? "stated by the document" : "told by the methods it calls";
  const found = [];
  if (effects.read_only) found.push(["read-only", "good"]);
  else found.push(effects.destructive ? ["destructive", "bad"] : ["changes data", "warn"]);
  if (effects.idempotent && !effects.read_only) found.push(["idempotent", ""]);
  if (effects.open_world === true) found.push(["open world", ""]);
  if (effects.open_world === false) found.push(["closed world", ""]);
  const shown = found.map(([text, tone]) => h("span", { class: `badge ${tone}`, title: how }, text));
  if (flow) shown.push(h("span", { class: "badge note" }, count(flow.steps.length, "step")));
  if (!operation.target && !flow) shown.push(h("span", { class: "badge note" }, "answers by itself"));
  return shown;
}

/** What callers are asked for, in words; empty when that is nothing. */
export function asks({ scheme, place, name }) {
  if (!scheme || scheme === "none") return "";
  return scheme === "apikey" ? `an API key in the ${place} ${name}` : `${scheme} authentication`;
}

/** A path or name that may be broken before its slashes and after its hyphens and underscores, and only there if it fits. */
export function breakable(text) {
  return text.split(/(?=\/)|(?<=[-_])/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));
}

/** A sentence whose words between backticks are code. */
export function ticks(text) {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
}
