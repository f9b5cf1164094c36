// What became of reloads: what changed, or why one was refused, with what is wrong beside the lines it is about.

import { get, post } from "./api.js";
import { announce, fill, h, wide } from "./dom.js";
import { view, finding } from "./source.js";
import { onPulse, store } from "./store.js";
import { lookNow } from "./watching.js";
import { count, moment, ticks } from "./words.js";

const TONES = { applied: "good", unchanged: "", valid: "good", rejected: "bad" };
const WORDS = { applied: "applied", unchanged: "nothing had changed", valid: "can be applied", rejected: "refused" };

export function drawReloads(place) {
  const list = h("div", { class: "block" });
  const answer = h("div", { "aria-live": "polite" });
  const ask = (path, word) => async () => {
    for (const button of place.querySelectorAll(".actions button")) button.disabled = true;
    try {
      const verdict = await (await post(path, {})).json();
      fill(answer, path === "validate" || verdict.standing === "unchanged" ? shown({ ...verdict, title: word }) : null);
      announce(WORDS[verdict.standing]);
      if (path === "reload") { lookNow(); look(true); }
    } catch (problem) {
      fill(answer, h("p", { class: "told" }, problem.message));
    }
    for (const button of place.querySelectorAll(".actions button")) button.disabled = false;
  };
  fill(place, h("h1", {}, "Reloads"),
    h("p", { class: "lead" }, `Generation ${store.overview.generation} is served, loaded `, moment(store.overview.documents[0]?.loaded_at ?? store.overview.started_at), ". A document that cannot be served is refused, and what was served before is served still."),
    store.overview.may_reload ? h("p", { class: "actions" },
      h("button", { type: "button", class: "quiet", click: ask("validate", "Checked") }, "Check the files"),
      h("button", { type: "button", class: "primary", click: ask("reload", "Reload") }, "Reload")) : null,
    answer, list);
  let known = -1;
  const look = async (isForced = false) => {
    if (!isForced && store.pulse && store.pulse.reloads === known) return;
    try {
      const told = await get("reloads.json");
      known = told.reloads[0]?.number ?? 0;
      fill(list, told.reloads.length ? told.reloads.map(shown) : h("p", { class: "empty" }, "None since the start."));
    } catch (problem) {
      fill(list, h("p", { class: "told" }, problem.message));
    }
  };
  look(true);
  return onPulse(() => look());
}

function shown(reload) {
  const errors = reload.diagnostics.filter((item) => item.severity === "error");
  const isRefused = reload.standing === "rejected";
  return h("article", { class: `stage reload ${isRefused ? "failed" : ""}` },
    h("header", {}, reload.at ? moment(reload.at) : h("strong", {}, reload.title), h("span", { class: `badge ${TONES[reload.standing]}` }, WORDS[reload.standing]),
      h("span", { class: "soft" }, `generation ${reload.generation}`),
      reload.differences.length ? h("span", { class: "time" }, count(reload.differences.length, "difference")) : null),
    h("div", {},
      reload.reason ? h("div", { class: "told" }, h("p", {}, h("strong", {}, ticks(reload.reason))), reload.advice.map((text) => h("p", {}, ticks(text)))) : null,
      isRefused ? wrong(reload, errors) : null,
      differences(reload),
      !reload.reason && !errors.length && !reload.differences.length ? h("p", { class: "soft" }, "Everything is as it was.") : null));
}

/** The errors beside the lines around them; without the text, the errors alone. */
function wrong(reload, errors) {
  return reload.files.map((file) => {
    const found = errors.filter((item) => item.file === file.name);
    return found.length ? view(file, found, 0, true) : null;
  }).concat(errors.filter((item) => !reload.files.some((file) => file.name === item.file)).map((item) => finding(item, false)));
}

function differences({ differences: all, generation }) {
  if (!all.length) return null;
  return wide(`What differs in generation ${generation}`, h("table", {},
    h("thead", {}, h("tr", {}, ["What", "Before", "After"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, all.map((item) => h("tr", {}, h("th", { scope: "row", class: "mono" }, item.path), h("td", { class: "mono" }, value(item.before)), h("td", { class: "mono" }, value(item.after)))))));
}

function value(json) {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  return json === null ? h("span", { class: "soft" }, "nothing") : text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
