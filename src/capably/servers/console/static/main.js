// Starts the page: the theme switch, the pages by their address (the part after #), and what changes while it is open.

import { get } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { drawOffers, markOffer } from "./offers.js";
import { drawOverview } from "./overview.js";
import { drawCall } from "./call.js";
import { drawDocument } from "./source.js";
import { drawTraces } from "./traces.js";
import { drawReloads } from "./reloads.js";
import { watch } from "./watching.js";
import { operationOf, store } from "./store.js";

const PAGES = { "": drawOverview, call: drawCall, document: drawDocument, traces: drawTraces, reloads: drawReloads };
const main = document.getElementById("main");
let leave = null; // what the page that is shown wants done when it is left

/** What the address asks for: the page, its parts, and values by name (after `?`). */
function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/").map(decodeURIComponent);
  return { page, rest, given: Object.fromEntries(new URLSearchParams(query)) };
}

function route(isMove = true) {
  const { page, rest, given } = address();
  const draw = Object.hasOwn(PAGES, page) ? PAGES[page] : drawMissing;
  leave?.();
  leave = draw(main, rest, given) ?? null;
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  markOffer(page === "call" ? rest : null);
  showOffers(false);
  const title = main.querySelector("h1")?.textContent;
  document.title = title ? `${title} · capably` : "capably console";
  if (isMove) {
    if (page !== "document" || !rest[1]) window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function drawMissing(place) {
  fill(place, h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "Go to the overview")));
}

function showOffers(isOpen) {
  document.getElementById("offers").toggleAttribute("data-open", isOpen);
  document.getElementById("menu").setAttribute("aria-expanded", String(isOpen));
}

function startTheme() {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const show = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    if (next === (dark.matches ? "dark" : "light")) {
      delete document.documentElement.dataset.theme; // what the system prefers needs no note
      localStorage.removeItem("capably-theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("capably-theme", next);
    }
    show();
  });
  dark.addEventListener("change", show);
  show();
}

/** Asks for everything anew, and draws the page again where it does not hold what somebody is typing. */
export async function refresh(isFirst = false) {
  const before = store.overview;
  store.overview = await get("overview.json");
  drawOffers(document.getElementById("offers"));
  const { page, rest } = address();
  const isSame = page === "call" && before !== null
    && JSON.stringify(operationOf(before, rest)) === JSON.stringify(operationOf(store.overview, rest));
  if (isSame) markOffer(rest);
  else route(isFirst && location.hash !== "");
  if (!isFirst) announce(`Generation ${store.overview.generation} is served now`);
}

async function start() {
  startTheme();
  document.getElementById("menu").addEventListener("click", (event) => {
    showOffers(event.currentTarget.getAttribute("aria-expanded") !== "true");
  });
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    showOffers(true);
    document.querySelector("#offers input")?.focus();
  });
  try {
    await refresh(true);
  } catch (problem) {
    fill(main, h("h1", {}, "The console cannot be shown"), h("p", { class: "told" }, problem.message),
      h("p", { class: "actions" }, h("button", { type: "button", class: "primary", click: () => location.reload() }, "Try again")));
    return;
  }
  window.addEventListener("hashchange", () => route());
  watch(refresh);
}

start();
