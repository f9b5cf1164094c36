// The pulse: asks every few seconds what has changed, less often when it fails, not at all while nobody looks.

import { get } from "./api.js";
import { store, tellPulse } from "./store.js";

const EVERY_MS = 2000;
const LONGEST_MS = 30000;
const KEPT = 150; // samples: five minutes

let wake = null;

/** Asks at once, for something was done whose effect should be seen. */
export function lookNow() {
  wake?.();
}

/** Watches until the page is closed; `refresh` is called when what is served has changed. */
export async function watch(refresh) {
  let pause = EVERY_MS;
  document.addEventListener("visibilitychange", () => { show(); lookNow(); });
  for (;;) {
    if (!document.hidden) {
      try {
        store.pulse = await get("pulse.json");
        sample();
        pause = EVERY_MS;
        if (store.pulse.generation !== store.overview.generation || moved()) await refresh();
        show();
        tellPulse();
      } catch {
        pause = Math.min(LONGEST_MS, pause * 2);
        show("lost");
      }
    }
    await new Promise((done) => { wake = done; setTimeout(done, document.hidden ? 3600000 : pause); });
  }
}

/** Whether a server has started or stopped since what is served was asked for. */
function moved() {
  const seen = store.overview.documents.flatMap((document) => document.servers);
  return seen.some((server) => Boolean(store.pulse.servers[server.namespace]) !== server.is_started);
}

function sample() {
  const numbers = store.pulse.numbers;
  if (!numbers) return;
  store.bounds = numbers.bounds;
  store.samples.push({ at: Date.now(), counts: numbers.counts, failed: numbers.failed });
  if (store.samples.length > KEPT) store.samples.shift();
}

function show(state = "") {
  const place = document.getElementById("pulse");
  const { pulse, overview } = store;
  place.dataset.state = document.hidden ? "paused" : state || (pulse?.is_refused ? "refused" : "");
  const told = state === "lost" ? "No answer; asking again"
    : pulse?.is_stopping ? "Stopping"
      : `Generation ${overview.generation}${pulse?.is_refused ? ", a later one refused" : ""}`;
  if (place.textContent !== told) place.textContent = told; // a live region: only what is new is read out
}
