// The history of a source: how many points, and where their centroid was.

import { byId, element, say, shape } from "./dom.js";
import { answers, brief } from "./feed.js";
import { NONE, ago, clock, counted, duration, integer, between, latitude, longitude, moment } from "./format.js";

const HEIGHT = 56; // px
const INSET = 5; // px, so that dots at the edge are whole

const SERIES = [
  { key: "count", label: "Points", value: (it) => it.count, format: integer },
  { key: "lat", label: "Centroid, latitude", value: (it) => it.centroid?.[0], format: latitude },
  { key: "lon", label: "Centroid, longitude", value: (it) => it.centroid?.[1], format: longitude, wraps: true },
];

export class Chart {
  #lines = SERIES.map((series) => new Line(series));
  #axis = { start: element("span"), middle: element("span", { class: "at" }), end: element("span") };
  #history = []; // the oldest first

  constructor() {
    const plot = byId("plot");
    plot.append(
      ...this.#lines.map((line) => line.node),
      element("div", { class: "axis", "aria-hidden": "true" }, ...Object.values(this.#axis)),
    );
    plot.addEventListener("pointermove", (event) => this.#inspect(event));
    plot.addEventListener("pointerleave", () => this.#read(this.#history.length - 1, false));
    new ResizeObserver(() => this.#draw()).observe(plot);
  }

  /** Shows summaries, the newest first as the API lists them. */
  show(source, summaries, shown = null) {
    this.#history = summaries.toReversed();
    say(byId("history-words"), describe(source, summaries));
    byId("history-rows").replaceChildren(...summaries.map((it) => row(it, shown)));
    byId("history-table").hidden = !summaries.length;
    this.#draw();
  }

  #draw() {
    const scale = timeScale(this.#history);
    for (const line of this.#lines) line.draw(this.#history, scale);
    say(this.#axis.start, this.#history.length > 1 ? clock(this.#history[0].requested_at) : "");
    say(this.#axis.end, this.#history.length ? clock(this.#history.at(-1).requested_at) : "");
    this.#read(this.#history.length - 1, false);
  }

  #inspect(event) {
    const { left } = this.#lines[0].frame();
    const scale = timeScale(this.#history);
    const wanted = event.clientX - left;
    const distances = this.#history.map((it) => Math.abs(this.#lines[0].x(it, scale) - wanted));
    this.#read(distances.indexOf(Math.min(...distances)), true);
  }

  #read(index, marked) {
    const summary = this.#history[index];
    for (const line of this.#lines) line.read(summary, timeScale(this.#history), marked);
    say(this.#axis.middle, summary && marked ? clock(summary.requested_at) : "");
  }
}

/** One value over time, with its newest value, or that under the pointer, in figures. */
class Line {
  #series;
  #figure = element("span");
  #svg = shape("svg", { "aria-hidden": "true", height: HEIGHT });
  #line = shape("path", { class: "line" });
  #dots = shape("path", { class: "dots" });
  #rule = shape("path", { class: "rule" });

  constructor(series) {
    this.#series = series;
    this.#svg.append(this.#rule, this.#line, this.#dots);
    this.node = element(
      "div",
      { class: `series ${series.key}` },
      element("div", { class: "legend" }, element("span", {}, series.label), this.#figure),
      this.#svg,
    );
  }

  frame() {
    return this.#svg.getBoundingClientRect();
  }

  x(summary, scale) {
    return INSET + scale(summary) * (this.#svg.clientWidth - 2 * INSET);
  }

  draw(history, scale) {
    const known = history.filter((it) => this.#series.value(it) !== undefined);
    const values = known.map(this.#series.value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const y = (value) =>
      high === low ? HEIGHT / 2 : HEIGHT - INSET - ((value - low) / (high - low)) * (HEIGHT - 2 * INSET);
    const places = known.map((it, index) => [this.x(it, scale).toFixed(1), y(values[index]).toFixed(1)]);
    // A longitude that passes the antimeridian does not go all the way back.
    const breaks = (index) => this.#series.wraps && Math.abs(values[index] - values[index - 1]) > 180;
    const steps = places.map(([x, at], index) => `${index === 0 || breaks(index) ? "M" : "L"}${x} ${at}`);
    this.#line.setAttribute("d", steps.join(""));
    this.#dots.setAttribute("d", places.map(([x, at]) => `M${x} ${at}h0`).join(""));
  }

  read(summary, scale, marked) {
    const value = summary && this.#series.value(summary);
    say(this.#figure, value === undefined ? NONE : this.#series.format(value));
    const x = summary && marked ? this.x(summary, scale) : null;
    this.#rule.setAttribute("d", x === null ? "" : `M${x.toFixed(1)} 0v${HEIGHT}`);
  }
}

/** Where a summary lies between the first one, 0, and the last one, 1. */
function timeScale(history) {
  const times = history.map((it) => Date.parse(it.requested_at));
  const [first, last] = [times[0], times.at(-1)];
  return (it) => (last > first ? (Date.parse(it.requested_at) - first) / (last - first) : 0.5);
}

function describe(source, summaries) {
  if (!summaries.length) return `${source} has no summary yet: its history begins with the first Refresh.`;
  const [newest, oldest] = [summaries[0], summaries.at(-1)];
  if (newest === oldest) return `The first summary was requested ${ago(newest.requested_at)}.`;
  const span = duration(between(oldest.requested_at, newest.requested_at));
  const counts = summaries.map((it) => it.count);
  const [low, high] = [Math.min(...counts), Math.max(...counts)];
  const range = low === high ? counted(low, "point") : `${integer(low)} to ${counted(high, "point")}`;
  return `The newest ${summaries.length} summaries, over ${span}: ${range}.`;
}

function row({ job_id, source, requested_at, count, centroid, feed }, shown) {
  const [lat, lon] = centroid ?? [];
  const isShown = job_id === shown?.job_id;
  const open = viewOf({ source, summary: job_id }, moment(requested_at));
  if (isShown) open.setAttribute("aria-current", "true");
  const compare = viewOf({ source, summary: shown?.job_id ?? job_id, compare: job_id }, "Compare");
  compare.setAttribute("aria-label", `Compare with ${clock(requested_at)}`);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, open),
    element("td", {}, isShown ? "on the map" : compare),
    element("td", {}, integer(count)),
    element("td", {}, centroid ? latitude(lat) : NONE),
    element("td", {}, centroid ? longitude(lon) : NONE),
    element("td", {}, answers(feed)),
    element("td", {}, feed?.status ?? NONE),
    element("td", {}, feed?.pages ? duration(feed.seconds * 1000) : NONE),
    element("td", {}, brief(feed)),
  );
}

function viewOf(query, content) {
  return element("a", { href: `?${new URLSearchParams(query)}`, "data-view": "" }, content);
}
