// What happens when an operation is tried: each upstream request with its answer, and what the caller gets beside them.

import { Refusal, lines, post } from "./api.js";
import { bodyBox, codeBox, isJson } from "./code.js";
import { announce, fill, h } from "./dom.js";
import { askPerson } from "./questions.js";
import { lookNow } from "./watching.js";
import { duration, ticks } from "./words.js";

export class Exchange {
  constructor(server, operation) {
    this.server = server;
    this.operation = operation;
    this.onState = () => {};
    this.onProblems = () => {};
    this.element = h("div", { class: "block exchange" });
    this.abort = null;
  }

  cancel() {
    this.abort?.abort();
  }

  async run(inputs) {
    this.cancel();
    const abort = this.abort = new AbortController();
    this.upstream = h("div", { class: "stages" }, h("p", { class: "soft" }, "Waiting…"));
    this.outcome = h("div", { class: "stages", "aria-busy": "true" }, h("p", { class: "soft" }, "Waiting…"));
    this.stream = null;
    fill(this.element, h("div", { class: "two" },
      h("section", { "aria-labelledby": "up-title" }, h("h2", { id: "up-title" }, "Upstream"), this.upstream),
      h("section", { "aria-labelledby": "out-title" }, h("h2", { id: "out-title" }, "What the caller gets"), this.outcome)));
    this.element.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    this.onState(true);
    try {
      const answer = await post("try", { server: this.server.namespace, operation: this.operation.key, inputs }, abort.signal);
      for await (const event of lines(answer)) this.hear(event);
    } catch (problem) {
      this.end(abort.signal.aborted ? told("Stopped", "The call was cancelled; the upstream may have done its part.", "warn")
        : told(problem instanceof Refusal ? problem.problem.title ?? "Refused" : "The control server cannot be reached", problem.message));
    } finally {
      if (this.abort === abort) this.onState(false);
      this.outcome.setAttribute("aria-busy", "false");
      lookNow();
    }
  }

  hear(event) {
    const heard = {
      begun: () => { this.trial = event.id; this.trace = event.trace; },
      performed: () => this.addStage(performed(event)),
      step: () => this.addStep(event),
      log: () => this.addStage(h("p", { class: "soft" }, `${event.level}: ${event.text}`)),
      question: () => this.addStage(askPerson(event, (action, content) => post("answer", { trial: this.trial, question: event.key, action, content }))),
      head: () => this.begin(event),
      chunk: () => this.add(event.text),
      cut: () => { this.cut = event.detail; },
      outcome: () => this.finish(event),
      broken: () => this.end(told("Something broke", event.detail)),
    }[event.event];
    heard?.();
  }

  addStage(stage) {
    if (this.upstream.firstElementChild?.textContent === "Waiting…") this.upstream.replaceChildren();
    this.upstream.append(stage);
  }

  /** How a step ended, at its stages; a step without any (a lookup, a mapping) gets one of its own. */
  addStep(event) {
    if (event.end === "done" && this.upstream.querySelector(`[data-step="${CSS.escape(event.step)}"]`)) return;
    const isBad = event.end === "failed";
    this.addStage(h("article", { class: `stage ${isBad ? "failed" : ""}` },
      h("header", {}, h("strong", {}, event.step), h("span", { class: "badge" }, event.kind),
        h("span", { class: `badge ${isBad ? "bad" : event.end === "done" ? "good" : ""}` }, event.end)),
      event.fault || event.result ? h("div", {}, event.fault ? h("p", {}, ticks(event.fault)) : null,
        event.result ? h("details", {}, h("summary", {}, "Result"), codeBox(event.result, "json", { label: `Result of ${event.step}` })) : null) : null));
  }

  /** The head of a streamed answer: its body follows in pieces. */
  begin(event) {
    this.stream = h("code", {});
    const box = h("div", { class: "code" }, h("pre", { tabindex: "0", role: "region", "aria-label": "Streamed answer" }, this.stream));
    fill(this.outcome, h("article", { class: "stage" },
      h("header", {}, status(event.status), h("span", { class: "soft" }, event.media_type), h("span", { class: "badge note" }, "streaming")),
      h("div", {}, headers(event.headers), box)));
  }

  add(text) {
    if (!this.stream) return;
    const pre = this.stream.parentElement;
    const isAtEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    this.stream.append(text);
    if (isAtEnd) pre.scrollTop = pre.scrollHeight;
  }

  finish(event) {
    if (this.upstream.firstElementChild?.textContent === "Waiting…") {
      fill(this.upstream, h("p", { class: "empty" }, event.fault ? "Nothing was sent." : "Nothing was called: the operation answers by itself."));
    }
    const time = h("span", { class: "time" }, duration(event.ms), this.trace ? [" · ", h("a", { href: `#/traces/${this.trace}` }, "trace")] : null);
    if (event.is_stream) {
      this.outcome.querySelector(".badge").textContent = "streamed";
      this.outcome.querySelector("header").append(time);
      if (this.cut) this.outcome.firstElementChild.lastElementChild.append(h("p", { class: "soft" }, `Cut: ${this.cut}.`));
      announce(`Status ${event.status}`);
      return;
    }
    const problems = event.fault?.problems ?? [];
    this.end(h("article", { class: `stage ${event.is_error ? "failed" : ""}` },
      h("header", {}, event.is_result ? h("span", { class: "status", "data-class": event.is_error ? "5" : "2" }, event.is_error ? "isError" : "result") : status(event.status),
        h("span", { class: "soft" }, event.body?.media_type || event.media_type || ""), time),
      h("div", {}, event.fault || event.advice ? explained(event) : null, headers(event.headers), event.is_result ? toolResult(event.body) : bodyBox(event.body, "Answer"))));
    if (problems.length) this.onProblems(problems);
    announce(event.is_error ? `Failed: ${event.fault?.title ?? `status ${event.status}`}` : `Done: status ${event.status}, ${duration(event.ms)}`);
  }

  end(what) {
    fill(this.outcome, what);
    if (this.upstream.firstElementChild?.textContent === "Waiting…") this.upstream.replaceChildren();
  }
}

function told(title, detail, tone = "") {
  return h("div", { class: `told ${tone}` }, h("p", {}, h("strong", {}, title)), h("p", {}, detail));
}

/** Why it failed, and what to do about it. */
function explained({ fault, advice }) {
  if (!fault) return h("div", { class: "told" }, h("p", {}, ticks(advice)));
  return h("div", { class: "told" }, h("p", {}, h("strong", {}, fault.title)), fault.problems.length
    ? h("ul", {}, fault.problems.map((problem) => h("li", {}, ticks(problem.detail)))) : h("p", {}, ticks(fault.detail)));
}

/** A tool result: its text as models read it, then the whole of it. */
function toolResult(body) {
  let result;
  try {
    result = JSON.parse(body.text);
  } catch {
    return bodyBox(body, "Tool result");
  }
  const texts = (result.content ?? []).filter((item) => item.type === "text").map((item) => item.text);
  const others = (result.content ?? []).filter((item) => item.type !== "text");
  return [
    texts.map((text) => codeBox(text, isJson(text) ? "json" : "", { label: "Text of the result" })),
    others.map((item) => h("p", { class: "soft" }, `${item.type}${item.mimeType ? `, ${item.mimeType}` : ""}`)),
    h("details", {}, h("summary", {}, "The whole result"), bodyBox(body, "Tool result")),
  ];
}

function status(number) {
  return h("span", { class: "status", "data-class": String(number)[0] }, String(number));
}

function headers(pairs) {
  if (!pairs?.length) return null;
  return h("details", {}, h("summary", {}, `${pairs.length} header${pairs.length === 1 ? "" : "s"}`),
    h("dl", { class: "headers" }, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

/** An upstream call, or a script, with what came of it. */
function performed(event) {
  const { request, reply, fault, script } = event;
  const isBad = Boolean(fault) || (reply && reply.status >= 400);
  const name = event.step ? h("strong", {}, event.step) : null;
  const step = event.step.replace(/\[\d+\]$/, "");
  if (script) {
    return h("article", { class: `stage ${isBad ? "failed" : ""}`, "data-step": step },
      h("header", {}, name, h("span", { class: "badge note" }, script.language), h("span", { class: "line" }, script.file), h("span", { class: "time" }, duration(event.ms))),
      h("div", {}, fault ? explained(event) : h("details", {}, h("summary", {}, "Result"), codeBox(event.result ?? "null", "json", { label: "Result" }))));
  }
  return h("article", { class: `stage ${isBad ? "failed" : ""}`, "data-step": step },
    h("header", {}, name, h("span", { class: "soft" }, event.namespace), reply ? status(reply.status) : h("span", { class: "status", "data-class": "0" }, "no answer"),
      h("span", { class: "time" }, duration(event.ms))),
    h("div", {},
      h("p", { class: "line" }, h("span", { class: "method", "data-method": request.method }, request.method), " ", request.url),
      headers(request.headers),
      request.body ? bodyBox(request.body, "Body of the request") : null,
      fault ? explained(event) : null,
      reply ? h("details", { open: isBad || !event.step }, h("summary", {}, reply.is_stream ? "Answer: a stream" : `Answer${reply.body?.size ? "" : ": no body"}`),
        headers(reply.headers), reply.is_stream ? null : bodyBox(reply.body, "Answer of the upstream")) : null));
}
