// Questions of a flow, put to the person at the page: forms (elicit) and the part of a model (sample).

import { h, fresh } from "./dom.js";
import { makeForm } from "./form.js";

/** A form for a question; `answer(action, content)` sends what was said. */
export function askPerson(question, answer) {
  const isForm = question.ability === "elicit";
  const id = fresh("question");
  const required = question.schema.required ?? [];
  const inputs = Object.entries(question.schema.properties ?? {}).map(([name, schema]) => ({
    name, schema, type: schema.type ?? "string", in: "argument", required: required.includes(name), description: schema.description ?? schema.title ?? "",
  }));
  const form = isForm ? makeForm(inputs, {}, () => {}) : null;
  const text = isForm ? null : h("textarea", { id: `${id}-text`, rows: 4, required: true });
  const state = h("p", { class: "soft", role: "status" });
  const said = async (action, content) => {
    for (const button of element.querySelectorAll("button")) button.disabled = true;
    try {
      await answer(action, content);
      state.textContent = { accept: "Answered", decline: "Declined", cancel: "Cancelled" }[action];
    } catch (problem) {
      state.textContent = problem.message;
    }
  };
  const submit = (event) => {
    event.preventDefault();
    if (isForm) {
      const values = form.checked();
      if (values !== null) said("accept", values);
    } else said("accept", { role: "assistant", content: { type: "text", text: text.value }, model: "a person at the console", stopReason: "endTurn" });
  };
  const element = h("article", { class: "stage", "aria-labelledby": id },
    h("header", {}, h("strong", { id }, isForm ? "The flow asks" : "The flow asks a model"), h("span", { class: "soft" }, question.key)),
    h("form", { submit, novalidate: isForm },
      h("div", {},
        question.message ? h("p", {}, question.message) : null,
        isForm ? form.element : [h("pre", { class: "soft" }, prompts(question.sampling)), h("label", { for: `${id}-text` }, "Answer as the model would"), h("div", { class: "field" }, text)],
        h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Answer"),
          h("button", { type: "button", class: "quiet", click: () => said("decline", {}) }, "Decline"), state))));
  queueMicrotask(() => element.querySelector("input, select, textarea, button")?.focus());
  return element;
}

function prompts(sampling) {
  return (sampling.messages ?? []).map((message) => `${message.role}: ${message.content?.text ?? `(${message.content?.type})`}`).join("\n");
}
