// The world, and on it a batch: its points, its centroid, its most northerly point, its box.

import { element, say, shape } from "./dom.js";
import { drawDots } from "./dots.js";
import { counted, latitude, longitude, place } from "./format.js";
import { HEIGHT, along, outlines, path, project } from "./projection.js";

const LONGEST_NAME = 36;
const REACH = 12; // px: how near the pointer has to be to a point to mean it
const MANY = 10_000; // points, from which on they are drawn smaller

/**
 * A map inside `container`. Land and graticule lie in one SVG, marks and box in another one; the
 * points between them are on a canvas, which draws tens of thousands in one go.
 */
export class WorldMap {
  #container;
  #canvas = element("canvas", { class: "points", "aria-hidden": "true" });
  #ground = shape("svg", { class: "ground", "aria-hidden": "true" });
  #marks = shape("svg", { class: "marks", "aria-hidden": "true" });
  #tip = element("div", { class: "tip", "aria-hidden": "true", hidden: "" });
  #land = shape("path", { class: "land" });
  #width = 0;
  #summary = null;
  #names = [];
  #places = new Float64Array(); // x and y by turns, as fractions of the width

  constructor(container) {
    this.#container = container;
    this.#ground.append(
      shape("path", { class: "ocean", d: outline() }),
      this.#land,
      shape("path", { class: "graticule", d: graticule() }),
    );
    container.append(this.#ground, this.#canvas, this.#marks, this.#tip);
    new ResizeObserver(() => this.#resize()).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#drawPoints());
    container.addEventListener("pointermove", (event) => this.#point(event));
    container.addEventListener("pointerleave", () => (this.#tip.hidden = true));
  }

  /** Draws the outline of the land, a GeoJSON feature with a MultiPolygon. */
  drawLand(feature) {
    const parts = feature.geometry.coordinates.flat().flatMap(outlines);
    const paths = parts.map((part) => path(part.map(([lon, lat]) => project(lon, lat)), true));
    this.#land.setAttribute("d", paths.join(""));
    performance.mark("land");
  }

  /** Shows a summary with its batch, a GeoJSON FeatureCollection; null for both is an empty world. */
  show(summary, batch) {
    const features = batch?.features ?? [];
    this.#summary = summary;
    this.#names = features.map((feature) => feature.properties.name);
    this.#places = new Float64Array(2 * features.length);
    features.forEach(({ geometry: { coordinates } }, index) => {
      this.#places.set(project(...coordinates), 2 * index);
    });
    this.#tip.hidden = true;
    this.#drawPoints();
    this.#drawMarks();
  }

  #resize() {
    this.#width = this.#container.clientWidth;
    for (const layer of [this.#ground, this.#marks]) {
      layer.setAttribute("viewBox", `0 0 ${this.#width} ${this.#width * HEIGHT}`);
    }
    for (const drawing of this.#ground.children) {
      drawing.setAttribute("transform", `scale(${this.#width})`);
    }
    this.#drawPoints();
    this.#drawMarks();
  }

  #drawPoints() {
    performance.mark("points-begin");
    const ratio = window.devicePixelRatio;
    const width = this.#width * ratio;
    this.#canvas.width = width;
    this.#canvas.height = width * HEIGHT;
    const count = this.#names.length;
    this.#canvas.dataset.count = count;
    if (!count || !this.#canvas.width || !this.#canvas.height) return;
    const colour = getComputedStyle(this.#canvas).color;
    drawDots(this.#canvas, this.#places, radius(this.#width, count) * ratio, colour);
    performance.measure("points", { start: "points-begin", detail: count });
  }

  #drawMarks() {
    const summary = this.#summary;
    this.#marks.replaceChildren();
    if (!summary || !this.#width) return;
    this.#marks.append(...cells(summary.grid, this.#width), ...box(summary.bbox, this.#width));
    const { centroid, most_northerly: north } = summary;
    if (centroid) this.#mark("centroid", centroid[1], centroid[0], "centroid", 24);
    this.#mark("north", north.lon, north.lat, shorten(north.name ?? "most northerly", this.#width), -11);
  }

  #mark(kind, lon, lat, label, offset) {
    const [x, y] = project(lon, lat).map((fraction) => fraction * this.#width);
    // A label that would be cut off at the top goes below.
    const text = shape("text", { x, y: y + offset < 12 ? y + 20 : y + offset }, label);
    const symbol =
      kind === "north"
        ? shape("path", { d: `M${x} ${y - 6}l6 10.5h-12z` })
        : shape("path", { d: `M${x - 10} ${y}h20M${x} ${y - 10}v20M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0` });
    this.#marks.append(shape("g", { class: kind }, symbol, text));
    const half = text.getComputedTextLength() / 2 + 2;
    text.setAttribute("x", Math.min(Math.max(x, half), this.#width - half));
  }

  #point(event) {
    const frame = this.#container.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const index = this.#nearest(x / this.#width, y / this.#width);
    this.#tip.hidden = index === null;
    if (index === null) return;
    const [left, top] = [this.#places[2 * index], this.#places[2 * index + 1]];
    say(this.#tip, this.#names[index] ?? "a point without a name");
    this.#tip.classList.toggle("leftwards", left > 0.5);
    this.#tip.style.left = `${left * this.#width}px`;
    this.#tip.style.top = `${top * this.#width}px`;
  }

  #nearest(x, y) {
    let best = (REACH / this.#width) ** 2;
    let found = null;
    for (let at = 0; at < this.#places.length; at += 2) {
      const distance = (this.#places[at] - x) ** 2 + (this.#places[at + 1] - y) ** 2;
      if (distance < best) [best, found] = [distance, at / 2];
    }
    return found;
  }
}

/** The content of the map, in words. */
export function describe(summary) {
  if (!summary) return "A map of the world, without points yet.";
  const { count, centroid, most_northerly: north, bbox } = summary;
  const centre = centroid
    ? `Their centroid is at ${place(...centroid)}.`
    : "They have no centroid, for they cancel each other out.";
  const name = north.name ? `${north.name}, ` : "";
  return (
    `A map of the world with ${counted(count, "point")} of ${summary.source}. ${centre} The most` +
    ` northerly is ${name}at ${place(north.lat, north.lon)}. ${describeBox(bbox)}`
  );
}

function describeBox([west, south, east, north]) {
  const across = west > east ? " across the antimeridian" : "";
  return (
    `All lie in the box from ${longitude(west)} eastwards${across} to ${longitude(east)},` +
    ` and from ${latitude(south)} to ${latitude(north)}.`
  );
}

function shorten(name, width) {
  const limit = Math.min(LONGEST_NAME, Math.round(width / 14));
  const letters = Array.from(name);
  return letters.length > limit ? `${letters.slice(0, limit - 1).join("").trim()}…` : name;
}

function outline() {
  const [west, east] = [along([-180, -90], [-180, 90]), along([180, 90], [180, -90])];
  return path([...west, ...east], true);
}

function graticule() {
  const lines = [];
  for (let lon = -150; lon <= 150; lon += 30) lines.push(along([lon, -90], [lon, 90]));
  for (let lat = -60; lat <= 60; lat += 30) lines.push(along([-180, lat], [180, lat]));
  return lines.map((line) => path(line)).join("");
}

/** The cells of a density grid, the fuller the darker; none without a grid. */
function cells(grid, width) {
  if (!grid) return [];
  const most = Math.max(...grid.cells.map(([, , count]) => count));
  return grid.cells.map(([south, west, count]) => {
    const [north, east] = [south + grid.degrees, west + grid.degrees];
    const edge = [
      ...along([west, south], [west, north]),
      ...along([west, north], [east, north]),
      ...along([east, north], [east, south]),
      ...along([east, south], [west, south]),
    ];
    const opacity = (0.08 + 0.4 * Math.sqrt(count / most)).toFixed(2);
    return shape("path", { class: "cell", d: path(edge, true), transform: `scale(${width})`, "fill-opacity": opacity });
  });
}

/** The box filled and framed; one that crosses the antimeridian is two, without a frame between. */
function box([west, south, east, north], width) {
  const crosses = west > east;
  const spans = crosses ? [[west, 180], [-180, east]] : [[west, east]];
  const ground = spans.map(([left, right]) =>
    path([...along([left, south], [left, north]), ...along([right, north], [right, south])], true),
  );
  const frame = [
    ...spans.flatMap(([left, right]) => [south, north].map((lat) => along([left, lat], [right, lat]))),
    along([west, south], [west, north]),
    along([east, south], [east, north]),
  ];
  const transform = `scale(${width})`;
  return [
    shape("path", { class: "box", d: ground.join(""), transform, "data-parts": spans.length }),
    shape("path", { class: "frame", d: frame.map((line) => path(line)).join(""), transform }),
  ];
}

function radius(width, count) {
  const scale = Math.min(1, Math.max(0.55, width / 1100));
  return (count > MANY ? 1.5 : 2.4) * scale;
}
