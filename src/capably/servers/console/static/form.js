// A form made from the inputs of an operation: one field for each, with what its JSON Schema says of it.

import { h, fresh } from "./dom.js";

/**
 * Makes a form.
 *
 * `changed` is called whenever a value changes. Gives {element, read, tell}: `read()` gives the values by name and the
 * fields that cannot be sent, `tell(problems)` shows what the server said of them.
 */
export function makeForm(inputs, kept, changed) {
  const fields = inputs.map((input) => makeField(input, kept[input.name], changed));
  const element = h("div", { class: "fields" }, fields.map((field) => field.element));
  const read = () => {
    const values = {};
    const faulty = [];
    for (const field of fields) {
      const { value, flaw } = field.read();
      if (flaw) faulty.push({ field, flaw });
      else if (value !== undefined) values[field.input.name] = value;
    }
    return { values, faulty };
  };
  return {
    element,
    values: () => read().values,
    /** The values, or null when a field cannot be sent: it is marked, and the first one gets the focus. */
    checked() {
      for (const field of fields) field.mark("");
      const { values, faulty } = read();
      for (const { field, flaw } of faulty) field.mark(flaw);
      faulty[0]?.field.focus();
      return faulty.length ? null : values;
    },
    tell(problems) {
      const told = problems.map((problem) => [fields.find((field) => field.input.name === problem.input), problem]);
      for (const [field, problem] of told) field?.mark(problem.detail);
      told.find(([field]) => field)?.[0].focus();
    },
    raw: () => Object.fromEntries(fields.map((field) => [field.input.name, field.raw()])),
  };
}

function makeField(given, kept, changed) {
  const { schema } = given;
  const input = { ...given, required: given.required && schema.default === undefined }; // the server fills it in
  const id = fresh("field");
  const control = controlOf(input, id);
  const { node } = control;
  if (kept !== undefined) control.write(kept);
  const flaw = h("p", { class: "flaw", id: `${id}-flaw`, hidden: true });
  const about = limits(schema);
  const help = input.description || about
    ? h("p", { class: "help", id: `${id}-help` }, input.description, input.description && about ? " " : "", about) : null;
  const describe = () => {
    const ids = [help ? `${id}-help` : "", flaw.hidden ? "" : `${id}-flaw`].filter(Boolean).join(" ");
    if (ids) node.setAttribute("aria-describedby", ids);
    else node.removeAttribute("aria-describedby");
  };
  const mark = (text) => {
    flaw.hidden = !text;
    flaw.textContent = text;
    node.setAttribute("aria-invalid", String(Boolean(text)));
    describe();
  };
  node.addEventListener("input", () => {
    if (!flaw.hidden || control.isJson) mark(control.isJson && control.raw().trim() ? control.read().flaw ?? "" : "");
    changed();
  });
  describe();
  if (input.required) node.setAttribute("aria-required", "true");
  const element = h("div", { class: "field" },
    h("label", { for: id }, input.name, input.required ? h("span", { class: "need", "aria-hidden": "true" }, " *") : null,
      h("span", { class: "tags" }, `${kindOf(schema, input.type)}${input.in === "argument" ? "" : `, ${input.in}`}${input.required ? ", required" : ""}`)),
    help, node, control.extra ?? null, flaw);
  return { element, input, mark, raw: control.raw, focus: () => node.focus(),
    read: () => {
      const found = control.read();
      if (found.value === undefined && !found.flaw && input.required) return { flaw: `${input.name} is required` };
      return found;
    } };
}

function kindOf(schema, type) {
  const kind = schema.type ?? type;
  const name = Array.isArray(kind) ? kind.join(" or ") : kind;
  if (name === "array" && schema.items?.type) return `array of ${schema.items.type}`;
  return schema.format ? `${name}, ${schema.format}` : name;
}

/** What a schema asks of a value beside its type, in words. */
function limits(schema) {
  const told = [];
  const range = (low, high, noun) => {
    if (low !== undefined && high !== undefined) told.push(`${low} to ${high}${noun}`);
    else if (low !== undefined) told.push(`at least ${low}${noun}`);
    else if (high !== undefined) told.push(`at most ${high}${noun}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minItems, schema.maxItems, " items");
  if (schema.pattern) told.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) told.push(`${JSON.stringify(schema.default)} when left out`);
  return told.length ? `(${told.join("; ")})` : "";
}

function controlOf(input, id) {
  const { schema } = input;
  const type = schema.type ?? input.type;
  if (schema.const !== undefined) return choice(id, [schema.const], input.required);
  if (schema.enum) return choice(id, schema.enum, input.required, schema.default);
  if (type === "boolean") return choice(id, [true, false], input.required, schema.default);
  if (type === "integer" || type === "number") return number(id, schema, type);
  if (type === "string") return text(id, schema);
  return json(id, schema, type, input.required);
}

/** Fields whose value is one of some: the first line of an optional one means that nothing is sent. */
function choice(id, values, isRequired, preset) {
  const shown = values.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  const node = h("select", { id }, isRequired && values.length === 1 ? null : h("option", { value: "" }, isRequired ? "choose" : "not sent"),
    values.map((value, at) => h("option", { value: String(at), selected: value === preset }, shown[at] || '""')));
  return { node, raw: () => node.value, write: (raw) => { node.value = raw; },
    read: () => (node.value === "" ? {} : { value: values[Number(node.value)] }) };
}

function number(id, schema, type) {
  const node = h("input", { id, type: "text", inputmode: type === "integer" ? "numeric" : "decimal", autocomplete: "off",
    placeholder: schema.examples?.[0] ?? "" , value: schema.default ?? "" });
  const read = () => {
    const raw = node.value.trim();
    if (!raw) return {};
    const value = Number(raw);
    if (!Number.isFinite(value)) return { flaw: `${raw} is no number` };
    if (type === "integer" && !Number.isInteger(value)) return { flaw: "a whole number is wanted" };
    if (schema.minimum !== undefined && value < schema.minimum) return { flaw: `at least ${schema.minimum}` };
    if (schema.maximum !== undefined && value > schema.maximum) return { flaw: `at most ${schema.maximum}` };
    return { value };
  };
  return plain(node, read);
}

const KINDS = { date: "date", "date-time": "datetime-local", time: "time", email: "email", uri: "url", url: "url", password: "password" };

function text(id, schema) {
  const isLong = (schema.maxLength ?? 0) > 300 || schema.contentMediaType !== undefined;
  const kind = KINDS[schema.format] ?? "text";
  const node = isLong ? h("textarea", { id, rows: 4, spellcheck: "false" }, schema.default ?? "")
    : h("input", { id, type: kind, autocomplete: "off", spellcheck: "false", step: kind === "datetime-local" ? "1" : null,
      placeholder: schema.examples?.[0] ?? "", value: kind === "datetime-local" ? local(schema.default) : schema.default ?? "" });
  const read = () => {
    const raw = node.value;
    if (raw === "") return {};
    if (kind === "datetime-local") return { value: new Date(raw).toISOString() }; // RFC 3339, with its offset
    if (schema.minLength > raw.length) return { flaw: `at least ${schema.minLength} characters` };
    if (schema.maxLength < raw.length) return { flaw: `at most ${schema.maxLength} characters` };
    if (schema.pattern && !matches(schema.pattern, raw)) return { flaw: `it has to match ${schema.pattern}` };
    return { value: raw };
  };
  return plain(node, read);
}

/** A moment as the field for it wants it: without an offset, in the time of this machine. */
function local(moment) {
  if (!moment) return "";
  const at = new Date(moment);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function plain(node, read) {
  return { node, read, raw: () => node.value, write: (raw) => { node.value = raw; } };
}

function matches(pattern, value) {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // a pattern of another dialect: the server decides
  }
}

/** Lists, objects and values of any type: JSON, checked while it is typed. */
function json(id, schema, type, isRequired) {
  const start = schema.default ?? (isRequired ? sample(schema, type) : undefined);
  const written = start === undefined ? "" : JSON.stringify(start, null, 2);
  const node = h("textarea", { id, rows: String(Math.min(12, Math.max(3, written.split("\n").length))), spellcheck: "false" }, written);
  const fits = { object: (value) => value !== null && typeof value === "object" && !Array.isArray(value), array: Array.isArray };
  const read = () => {
    const raw = node.value.trim();
    if (!raw) return {};
    let value;
    try {
      value = JSON.parse(raw);
    } catch (problem) {
      if (type === "object" || type === "array") return { flaw: `this is not JSON yet: ${problem.message}` };
      return { value: raw };
    }
    if (fits[type] && !fits[type](value)) return { flaw: `a JSON ${type} is wanted` };
    const missing = type === "object" ? (schema.required ?? []).filter((name) => !(name in value)) : [];
    if (missing.length) return { flaw: `it lacks ${missing.join(", ")}` };
    return { value };
  };
  const shape = sample(schema, type);
  const extra = !written && (type === "object" || type === "array")
    ? h("p", {}, h("button", { type: "button", class: "copy", click: () => {
      node.value = JSON.stringify(shape, null, 2);
      node.rows = Math.min(12, Math.max(3, node.value.split("\n").length));
      node.dispatchEvent(new Event("input"));
      node.focus();
    } }, "Insert an example")) : null;
  return { ...plain(node, read), isJson: true, extra };
}

const SAMPLES = { string: "", integer: 0, number: 0, boolean: false, null: null };

/** A value of the shape a schema describes, to start from. */
export function sample(schema, type = schema.type, depth = 0) {
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  const kind = Array.isArray(type) ? type[0] : type;
  if (kind === "array") return schema.items && depth < 4 ? [sample(schema.items, schema.items.type, depth + 1)] : [];
  if (kind !== "object") return SAMPLES[kind] ?? "";
  const names = schema.required?.length ? schema.required : Object.keys(schema.properties ?? {});
  if (depth >= 4) return {};
  return Object.fromEntries(names.map((name) => [name, sample(schema.properties?.[name] ?? {}, schema.properties?.[name]?.type ?? "string", depth + 1)]));
}
