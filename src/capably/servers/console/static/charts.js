// Request rate, latency and errors of the last minutes, from the numbers that the pulse brings: three small drawings.

import { fill, h, s } from "./dom.js";
import { onPulse, store } from "./store.js";
import { duration } from "./words.js";

const WIDTH = 300;
const HEIGHT = 48;
const POINTS = 60;

/** Draws into a place until what is returned is called. */
export function drawCharts(place, isRecording) {
  if (!isRecording) {
    fill(place, h("p", { class: "facts" }, "Calls are not recorded here: charts and traces need telemetry."));
    return () => {};
  }
  const show = () => fill(place, h("div", { class: "charts" }, charts()));
  show();
  return onPulse(show);
}

function charts() {
  const points = store.samples.slice(1).map((sample, at) => between(store.samples[at], sample)).slice(-POINTS);
  const now = recent(points);
  return [
    chart("Requests", "", [points.map((point) => point.rate)], `${rounded(now.rate)}`, "a second"),
    chart("Latency", "latency", [points.map((point) => point.p95), points.map((point) => point.p50)],
      now.calls ? duration(now.p50 * 1000) : "–", now.calls ? `median, ${duration(now.p95 * 1000)} p95` : "no calls of late"),
    chart("Failed", "errors", [points.map((point) => point.errors)], `${rounded(now.errors)}`, now.failed ? `a second, ${now.failed} of late` : "a second"),
  ];
}

const rounded = (value) => (value >= 10 ? value.toFixed(0) : value.toFixed(value ? 1 : 0));

/** What happened between two samples. */
function between(before, after) {
  const seconds = Math.max(.001, (after.at - before.at) / 1000);
  const counts = after.counts.map((value, at) => Math.max(0, value - (before.counts[at] ?? 0)));
  const calls = counts.reduce((sum, value) => sum + value, 0);
  const failed = Math.max(0, after.failed - before.failed);
  return { seconds, counts, calls, failed, rate: calls / seconds, errors: failed / seconds,
    p50: quantile(counts, .5), p95: quantile(counts, .95) };
}

/** The last ten seconds or so, as one. */
function recent(points) {
  const last = points.slice(-5);
  const counts = (store.bounds ?? []).map((_, at) => last.reduce((sum, point) => sum + (point.counts[at] ?? 0), 0));
  counts.push(last.reduce((sum, point) => sum + point.counts.at(-1), 0));
  const seconds = last.reduce((sum, point) => sum + point.seconds, 0) || 1;
  const calls = counts.reduce((sum, value) => sum + value, 0);
  const failed = last.reduce((sum, point) => sum + point.failed, 0);
  return { calls, failed, rate: calls / seconds, errors: failed / seconds, p50: quantile(counts, .5), p95: quantile(counts, .95) };
}

/** A quantile in seconds, estimated within its bucket; null when there were no calls. */
export function quantile(counts, share, bounds = store.bounds) {
  const total = counts.reduce((sum, value) => sum + value, 0);
  if (!total) return null;
  let before = 0;
  for (const [at, value] of counts.entries()) {
    if (value && before + value >= share * total) {
      const low = at ? bounds[at - 1] : 0;
      const high = bounds[at] ?? low;
      return low + (high - low) * ((share * total - before) / value);
    }
    before += value;
  }
  return bounds.at(-1);
}

function chart(title, kind, [values, second], now, unit) {
  const highest = Math.max(...values.filter((value) => value !== null), 0);
  const [isFlat, top] = [!highest, highest || 1];
  const label = `${title} over the last minutes: now ${now} ${unit}`;
  return h("section", { class: `chart ${kind}` }, h("h2", {}, title),
    h("p", { class: "now" }, h("span", {}, now), " ", h("small", {}, unit)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      s("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
      runs(isFlat ? [] : values, top).map((run) => [
        s("path", { class: "area", d: `${line(run)} L${run.at(-1)[0]} ${HEIGHT} L${run[0][0]} ${HEIGHT} Z` }),
        s("path", { class: "stroke", d: line(run) })]),
      second ? runs(second, top).map((run) => s("path", { class: "second", d: line(run) })) : null));
}

/** Stretches of values without gaps, as points of the drawing; the newest is at the right. */
function runs(values, top) {
  const step = WIDTH / (POINTS - 1);
  const found = [];
  let run = [];
  for (const [at, value] of values.entries()) {
    if (value === null) { if (run.length) found.push(run); run = []; continue; }
    const x = WIDTH - (values.length - 1 - at) * step;
    run.push([x.toFixed(1), (HEIGHT - (value / top) * (HEIGHT - 4)).toFixed(1)]);
  }
  if (run.length) found.push(run);
  return found.map((points) => (points.length > 1 ? points : [[Math.max(0, points[0][0] - step / 2).toFixed(1), points[0][1]], points[0]]));
}

const line = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x} ${y}`).join(" ");
