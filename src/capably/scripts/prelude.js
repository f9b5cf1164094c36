// Runs before a script, in its realm. It keeps what it needs of the realm, so that nothing a script changes there
// (prototypes, JSON, Array) alters how its result is read. Its value is [start, finish], held by the host alone.
(function () {
  "use strict";
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const { keys, defineProperty, create, setPrototypeOf } = Object;
  const { isFinite } = Number;
  const { apply } = Reflect;
  const tag = Object.prototype.toString;
  const slice = String.prototype.slice;
  const text = String;
  const root = globalThis;

  // Where the value at hand stands: the keys down to it. Without a prototype, so that no setter of a script sees it.
  const trail = setPrototypeOf([], null);

  function Refusal(what, depth) {
    let path = "result";
    for (let i = 1; i < depth; i++) path += typeof trail[i] === "number" ? "[" + trail[i] + "]" : "." + trail[i];
    this.message = "`" + path + "` " + what;
  }

  // A copy of plain values that nothing of the script can reach any more: no getters, no toJSON, no prototypes.
  function plain(value, depth) {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (!isFinite(value)) throw new Refusal("is " + value + ", which is no JSON number", depth);
        return value;
      case "object":
        break;
      case "bigint":
        throw new Refusal("is a BigInt: make it a number with Number(), or text with String()", depth);
      default:
        throw new Refusal("is a " + typeof value + ", which JSON has no word for", depth);
    }
    if (value === null) return null;
    if (depth > MOST_LEVELS) throw new Refusal("nests deeper than MOST_LEVELS levels: does it hold itself?", 1);
    if (isArray(value)) {
      const copy = setPrototypeOf([], null);
      const { length } = value;
      for (let i = 0; i < length; i++) {
        const item = value[i];
        trail[depth] = i;
        copy[i] = item === undefined ? null : plain(item, depth + 1);
      }
      return copy;
    }
    const name = apply(slice, apply(tag, value, []), [8, -1]);
    if (name !== "Object") {
      throw new Refusal("is a " + name + ": make it text, a number, a list or a plain object", depth);
    }
    const copy = create(null);
    const names = keys(value);
    for (let i = 0; i < names.length; i++) {
      const item = value[names[i]];
      trail[depth] = names[i];
      if (item !== undefined) copy[names[i]] = plain(item, depth + 1);
    }
    return copy;
  }

  function shown(value) {
    if (typeof value !== "object" || value === null) return text(value);
    try {
      return value instanceof Error ? text(value) : stringify(value) ?? text(value);
    } catch {
      return apply(tag, value, []);
    }
  }

  // Hands the context over, and gives the realm a console whose lines go to the host.
  function start(context, log) {
    const visible = { writable: true, configurable: true, enumerable: true };
    defineProperty(root, "context", { ...visible, value: parse(context) });
    defineProperty(root, "result", { ...visible, value: undefined });
    const levels = ["debug", "log", "info", "warn", "error"];
    const console = {};
    for (const level of levels) {
      console[level] = function (...values) {
        let line = "";
        for (let i = 0; i < values.length; i++) line += (i ? " " : "") + shown(values[i]);
        log(level, apply(slice, line, [0, 2000]));
      };
    }
    defineProperty(root, "console", { value: console, writable: true, configurable: true, enumerable: false });
  }

  // "=" and the result as JSON, "" when there is none, or "!" and why it cannot be told.
  function finish(result) {
    if (result === undefined) return "";
    try {
      return "=" + stringify(plain(result, 1));
    } catch (problem) {
      if (problem instanceof Refusal) return "!" + problem.message;
      throw problem;
    }
  }

  return [start, finish];
})()
