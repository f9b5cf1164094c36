// Texts of programs with their words told apart: JSON and YAML. Each word becomes an element that holds text.

import { copyButton, h } from "./dom.js";
import { size } from "./words.js";

const MOST_COLOURED = 200000; // characters; longer texts are shown plain
const JSON_WORD = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

/** A box with a text, coloured when its kind is known, and a button that copies it. */
export function codeBox(text, kind = "", { label = "", copies = true } = {}) {
  const shown = kind === "json" ? pretty(text) : text;
  return h("div", { class: "code" }, copies ? copyButton(() => shown) : null,
    h("pre", { tabindex: "0", role: label ? "region" : null, "aria-label": label || null },
      h("code", {}, kind === "json" && shown.length < MOST_COLOURED ? jsonWords(shown) : shown)));
}

/** A JSON text indented; as it is, when it is none. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Whether a text is one JSON object or list. */
export function isJson(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What was sent or answered: its text, or what can be said of bytes that are none. */
export function bodyBox(body, label) {
  if (!body || !body.size) return h("p", { class: "soft" }, "no body");
  if (body.text === undefined) return h("p", { class: "soft" }, `${size(body.size)} of ${body.media_type || "bytes"}`);
  return [codeBox(body.text, /json/.test(body.media_type) || isJson(body.text) ? "json" : "", { label }),
    body.is_cut ? h("p", { class: "soft" }, `Cut here: the whole body has ${size(body.size)}.`) : null];
}

function word(kind, text) {
  return h("span", { class: `t-${kind}` }, text);
}

function jsonWords(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(JSON_WORD)) {
    found.push(text.slice(at, match.index));
    const [all, string, colon, number, name] = match;
    if (string) found.push(word(colon ? "key" : "string", string), colon ?? "");
    else found.push(word(number ? "number" : "word", number ?? name));
    at = match.index + all.length;
  }
  found.push(text.slice(at));
  return found;
}

/** Lines of YAML as lists of [kind, text]; the kinds are those of the style sheet, "" is plain. */
export function yamlLines(lines) {
  let block = -1; // the indentation of the key that a block of text belongs to
  return lines.map((line) => {
    const indent = line.search(/\S/);
    if (block >= 0) {
      if (indent < 0 || indent > block) return [["string", line]];
      block = -1;
    }
    const words = yamlWords(line);
    if (/[|>][+-]?\d*\s*(#.*)?$/.test(line) && /(:|-)\s+[|>]/.test(line)) block = indent;
    return words;
  });
}

const YAML_START = /^(\s*)((?:-\s+)*)((?:"[^"]*"|'[^']*'|[^\s#:"'{[][^:#]*|[^\s#:"'{[](?:[^:]|:(?=\S))*?)(?=:(?:\s|$)))?(:)?/;

function yamlWords(line) {
  if (/^\s*#/.test(line)) return [["comment", line]];
  const [start, space, dashes, key, colon] = YAML_START.exec(line);
  if (colon && !key) return [["", space], ["mark", dashes], ...yamlValue(line.slice(space.length + dashes.length))];
  return [["", space], ["mark", dashes], ["key", key ?? ""], ["mark", colon ?? ""], ...yamlValue(line.slice(start.length))]
    .filter(([, text]) => text);
}

function yamlValue(text) {
  const [, space, rest] = /^(\s*)(.*)$/.exec(text);
  const note = /^((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^#"']|(?<=\S)#)*?)(\s#.*)$/.exec(rest);
  const value = note ? note[1] : rest;
  const kind = /^["']/.test(value) ? "string"
    : /^-?\d+(\.\d+)?$/.test(value) ? "number"
      : /^(true|false|null|~)$/.test(value) ? "word"
        : /^[|>&*!{[]/.test(value) ? "mark" : "string";
  return [["", space], [kind, value], ["comment", note ? note[2] : ""]].filter(([, part]) => part);
}
