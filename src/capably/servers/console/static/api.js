// Asking the control server. A token is kept in memory and nowhere else: it is gone when the page is closed.

import { h, fresh } from "./dom.js";

let credentials = null; // {name, value} of a header, or {query, value}
let asking = null;

/** What the server said when it refused: a problem detail (RFC 9457), or its status. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The control server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** A JSON answer below `console/`. Throws Refusal, or TypeError when the server cannot be reached. */
export async function get(path, signal) {
  return (await send(path, { signal })).json();
}

/** An answer to a JSON body, as a Response, so that it can be read while it arrives. */
export async function post(path, body, signal) {
  return send(path, {
    method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json" },
  });
}

async function send(path, options, again = true) {
  const url = new URL(`console/${path}`, document.baseURI);
  const headers = new Headers(options.headers);
  if (credentials?.query) url.searchParams.set(credentials.query, credentials.value);
  else if (credentials) headers.set(credentials.name, credentials.value);
  const answer = await fetch(url, { ...options, headers, cache: "no-store", credentials: "same-origin" });
  if (answer.ok) return answer;
  if (answer.status === 401 && again && await askForCredentials()) return send(path, options, true);
  throw new Refusal(answer.status, await problemOf(answer));
}

async function problemOf(answer) {
  try {
    return await answer.json();
  } catch {
    return { title: answer.statusText };
  }
}

/** The lines of an answer, each a JSON value, as they arrive. */
export async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
  if (rest) yield JSON.parse(rest);
}

// Several requests may be refused at the same time: one question answers all of them.
function askForCredentials() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

async function ask() {
  const answer = await fetch(new URL("console/static/access.json", document.baseURI), { cache: "no-store" });
  if (!answer.ok) return false;
  const { scheme, place, name } = await answer.json();
  if (scheme !== "bearer" && scheme !== "apikey" && scheme !== "oauth2") return false; // the browser asks by itself
  const token = await prompt(scheme === "apikey" ? `API key (${name})` : "Bearer token");
  if (!token) return false;
  if (scheme !== "apikey") credentials = { name: "authorization", value: `Bearer ${token}` };
  else if (place === "query") credentials = { query: name, value: token };
  else credentials = { name, value: token };
  return true;
}

function prompt(what) {
  const id = fresh("token");
  const input = h("input", { id, type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const dialog = h("dialog", { "aria-labelledby": `${id}-title` },
    h("form", { method: "dialog" },
      h("h2", { id: `${id}-title` }, "This control server asks who you are"),
      h("p", { class: "soft" }, credentials ? "What was given is not accepted. " : "",
        "It is kept in the memory of this page only."),
      h("label", { for: id }, what), input,
      h("div", { class: "actions" },
        h("button", { type: "submit", class: "primary", value: "go" }, "Continue"),
        h("button", { type: "button", class: "quiet", click: () => dialog.close("") }, "Cancel"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "go" ? input.value : "");
    });
  });
}
