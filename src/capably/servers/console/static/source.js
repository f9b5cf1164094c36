// The document as it is written: each file with its lines, and beside them what is said of them.

import { get } from "./api.js";
import { yamlLines } from "./code.js";
import { fill, h } from "./dom.js";
import { lineAddress } from "./store.js";
import { count, ticks } from "./words.js";

const PART = 200; // lines that the browser lays out together
const RANK = { error: 0, warning: 1, note: 2 };

export function drawDocument(place, [file, line]) {
  let isLeft = false;
  fill(place, h("h1", {}, "Document"), h("p", { class: "soft" }, "Loading…"));
  get("sources.json").then((sources) => {
    if (!isLeft) draw(place, sources, file, Number(line) || 0);
  }, (problem) => fill(place, h("h1", {}, "Document"), h("p", { class: "told" }, problem.message)));
  return () => { isLeft = true; };
}

function draw(place, { files, diagnostics }, wanted, line) {
  const file = files.find((item) => item.name === wanted) ?? files[0];
  if (!file) {
    fill(place, h("h1", {}, "Document"), h("p", { class: "empty" }, "There is no text to show."));
    return;
  }
  const found = diagnostics.filter((item) => item.file === file.name);
  fill(place, h("h1", {}, file.name.split("/").pop()),
    h("p", { class: "facts" }, h("span", { class: "mono" }, file.shown), h("span", {}, count(file.lines.length, "line")),
      file.is_cut ? h("span", {}, "only the beginning is shown") : null),
    files.length > 1 ? h("nav", { class: "row", "aria-label": "Files" }, files.map((item) => h("a", {
      href: `#/document/${encodeURIComponent(item.name)}`, "aria-current": item === file ? "true" : null }, item.name.split("/").pop()))) : null,
    view(file, found, line));
  if (line) place.querySelector("li.chosen")?.scrollIntoView({ block: "center" });
}

/** A file with findings beside it. An excerpt, as of a refused reload, has the lines around them only, and leads nowhere. */
export function view(file, found, line = 0, isExcerpt = false) {
  return h("div", { class: "source block" }, isExcerpt ? excerpt(file, found) : listing(file, found, line),
    h("section", { class: "findings", tabindex: "0", "aria-label": "Findings" },
      found.length ? [...found].sort((one, other) => RANK[one.severity] - RANK[other.severity] || one.line - other.line).map((item) => finding(item, !isExcerpt))
        : h("p", { class: "soft" }, "Nothing to remark.")));
}

const AROUND = 4; // lines before and after a finding

function excerpt(file, found) {
  const near = (number) => found.some((item) => Math.abs(item.line - number) <= AROUND);
  const marks = grouped(found);
  const rows = [];
  for (const [at, words] of coloured(file).entries()) {
    if (near(at + 1)) rows.push(row(null, at + 1, words, marks.get(at + 1) ?? [], 0));
    else if (at === 0 || near(at)) rows.push(h("li", { class: "gap" }, "⋯"));
  }
  return place(file, [h("ol", {}, rows)]);
}

const coloured = (file) => (/\.(ya?ml)$/.test(file.name) ? yamlLines(file.lines) : file.lines.map((text) => [["", text]]));

function place(file, lists) {
  return h("div", { class: "listing", role: "region", "aria-label": `Text of ${file.name.split("/").pop()}`, tabindex: "0" }, lists);
}

function listing(file, found, chosen) {
  const marks = grouped(found);
  const rows = coloured(file).map((words, at) => row(file.name, at + 1, words, marks.get(at + 1) ?? [], chosen));
  const parts = [];
  for (let at = 0; at < rows.length; at += PART) parts.push(h("ol", { class: "part", start: at + 1 }, rows.slice(at, at + PART)));
  return place(file, parts);
}

function grouped(found) {
  const by = new Map();
  for (const item of found) by.set(item.line, [...(by.get(item.line) ?? []), item]);
  return by;
}

function row(file, number, words, marks, chosen) {
  const worst = [...marks].sort((one, other) => RANK[one.severity] - RANK[other.severity])[0];
  const text = worst ? marked(words, worst) : words.map(colour);
  return h("li", { class: number === chosen ? "chosen" : null, "data-severity": worst?.severity, id: file ? `line-${number}` : null },
    file ? h("a", { href: lineAddress(file, number), tabindex: "-1", "aria-label": `Line ${number}` }, String(number)) : h("span", {}, String(number)), h("code", {}, text));
}

const colour = ([kind, text]) => (kind ? h("span", { class: `t-${kind}` }, text) : text);

/** The words of a line, those of a finding underlined: columns count from 1, the end is exclusive. */
function marked(words, { column, end_column: end, line, end_line: last, severity, message }) {
  const until = last > line ? Infinity : Math.max(end, column + 1);
  let at = 1;
  const found = [];
  for (const [kind, text] of words) {
    const letters = [...text]; // columns count characters, not UTF-16 units
    const cut = (from, to) => letters.slice(Math.max(0, from), Math.max(0, to)).join("");
    const [before, inside, after] = [cut(0, column - at), cut(column - at, until - at), cut(until - at, letters.length)];
    for (const [part, isMarked] of [[before, false], [inside, true], [after, false]]) {
      if (!part) continue;
      const piece = colour([kind, part]);
      found.push(isMarked && part.trim() ? h("mark", { class: severity, title: message }, piece) : piece);
    }
    at += letters.length;
  }
  return found;
}

const TONES = { error: "bad", warning: "warn", note: "note" };

/** A finding: what is wrong, where, and what to do. */
export function finding(item, isLinked = true) {
  const to = (span) => (isLinked ? h("a", { href: lineAddress(span.file, span.line) }, `line ${span.line}`) : `line ${span.line}`);
  return h("article", { class: `finding ${item.severity}` },
    h("p", {}, h("span", { class: `badge ${TONES[item.severity]}` }, item.severity), " ", h("span", { class: "code-of", title: item.title }, item.code), " ",
      to(item)),
    h("p", {}, ticks(item.message)),
    item.help.map((text) => h("p", { class: "soft" }, ticks(text))),
    item.related.map((place) => h("p", { class: "soft" }, to(place), ": ", ticks(place.message))));
}
