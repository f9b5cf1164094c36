// The page of one operation or tool: what it does, a form to try it, what happens upstream, and how others call it.

import { fill, h, wide } from "./dom.js";
import { codeBox } from "./code.js";
import { Exchange } from "./exchange.js";
import { makeForm } from "./form.js";
import { method } from "./offers.js";
import { callPanel } from "./recipes.js";
import { callAddress, lineAddress, operationOf, store } from "./store.js";
import { asks, badges, breakable, duration } from "./words.js";

const typed = new Map(); // what was typed into the form of an operation, kept while the page is open

export function drawCall(place, address, given) {
  const found = operationOf(store.overview, address);
  if (!found) {
    fill(place, h("h1", {}, "This operation is not served"),
      h("p", { class: "lead" }, "It may have been renamed or left out by a reload."), h("p", { class: "actions" }, h("a", { href: "#/" }, "See what is served")));
    return null;
  }
  const { server, operation } = found;
  const key = callAddress(server, operation);
  const exchange = new Exchange(server, operation);
  const recipes = h("div");
  const form = makeForm(operation.inputs, { ...typed.get(key), ...given }, () => { typed.set(key, form.raw()); drawRecipes(); });
  const drawRecipes = () => callPanel(recipes, server, operation, form.values());
  drawRecipes();
  fill(place, head(server, operation),
    h("div", { class: "two block" },
      h("section", { "aria-labelledby": "try-title" }, h("h2", { id: "try-title" }, "Try it"), trying(server, operation, form, exchange)),
      h("section", { "aria-labelledby": "use-title" }, h("h2", { id: "use-title" }, "Use it elsewhere"), recipes)),
    exchange.element,
    about(operation));
  return () => exchange.cancel();
}

function head(server, operation) {
  const told = asks(operation.asks);
  return h("header", {},
    h("p", { class: "facts" }, h("span", { class: "kind" }, server.kind), h("span", {}, server.namespace),
      h("a", { href: lineAddress(operation.file, operation.line) }, `${operation.file.split("/").pop()}:${operation.line}`)),
    h("div", { class: "head" },
      h("h1", { class: operation.method ? "mono" : "" }, operation.method ? [method(operation.method), " ", breakable(operation.path)] : operation.served_as)),
    h("p", { class: "row" }, badges(operation)),
    h("p", { class: "lead" }, operation.description || operation.title),
    told || operation.scopes.length ? h("p", { class: "soft" },
      `Callers need ${told || "no authentication"}${operation.scopes.length ? ` with ${operation.scopes.join(", ")}` : ""}. Here you call as the operator.`) : null);
}

function trying(server, operation, form, exchange) {
  const send = h("button", { type: "submit", class: operation.effects.destructive ? "primary danger" : "primary" }, "Send");
  const stop = h("button", { type: "button", class: "quiet", hidden: true, click: () => exchange.cancel() }, "Stop");
  exchange.onState = (isRunning) => { send.disabled = isRunning; stop.hidden = !isRunning; };
  exchange.onProblems = (problems) => form.tell(problems);
  const submit = async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    const values = form.checked();
    if (values === null) return;
    if (operation.effects.destructive && !await confirmed(operation)) return;
    await exchange.run(values);
  };
  const keys = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event); };
  return h("form", { submit, keydown: keys, novalidate: true, autocomplete: "off" },
    operation.inputs.length ? form.element : h("p", { class: "soft" }, "It takes no inputs."),
    h("div", { class: "actions" }, send, stop, h("span", { class: "soft" }, "Ctrl+Enter")));
}

function confirmed(operation) {
  const dialog = h("dialog", { "aria-labelledby": "sure" },
    h("form", { method: "dialog" },
      h("h2", { id: "sure" }, "This may destroy data"),
      h("p", {}, "Sending ", h("code", {}, operation.key), " changes the real upstream, and it may not be possible to undo that."),
      h("div", { class: "actions" },
        h("button", { type: "submit", value: "go", class: "primary danger" }, "Send it"),
        h("button", { type: "submit", value: "", class: "quiet", autofocus: true }, "Cancel"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => { dialog.remove(); done(dialog.returnValue === "go"); });
  });
}

function about(operation) {
  const { target, flow, example } = operation;
  return h("section", { class: "block", "aria-labelledby": "how-title" }, h("h2", { id: "how-title" }, "How it works"),
    target ? h("p", {}, "Calls ", h("code", {}, `${target.namespace}.${target.operation}`), ": ", h("code", {}, `${target.method} ${target.path}`),
      h("span", { class: "soft" }, ` (decided by ${operation.decided_by})`)) : null,
    flow ? steps(flow, operation.file) : null,
    !target && !flow ? h("p", {}, "The document states the answer; nothing is called.") : null,
    example ? h("details", {}, h("summary", {}, "The request that sample inputs make"),
      codeBox([`${example.method} ${example.url}`, ...Object.entries(example.headers).map(([name, value]) => `${name}: ${value}`),
        ...(example.body === null ? [] : ["", JSON.stringify(example.body, null, 2)])].join("\n"), "", { label: "Sample request" })) : null,
    h("details", {}, h("summary", {}, "Input schema"), codeBox(JSON.stringify(operation.input_schema), "json", { label: "Input schema" })));
}

function steps(flow, file) {
  return wide("Steps", h("table", {},
    h("thead", {}, h("tr", {}, ["Step", "Kind", "Does", "Waits for"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, flow.steps.map((step) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: lineAddress(file, step.line), class: "mono" }, step.name)),
      h("td", {}, step.kind, step.conditional ? h("span", { class: "soft" }, ", conditional") : null, step.loop ? h("span", { class: "soft" }, `, for each ${step.loop.item}`) : null),
      h("td", { class: "mono" }, step.target ? `${step.target.method} ${step.target.path}` : ""),
      h("td", { class: "soft" }, step.waits_for.join(", ") || "nothing"))))),
  flow.deadline_s ? h("p", { class: "soft" }, `It may take ${duration(flow.deadline_s * 1000)}.`) : null);
}
