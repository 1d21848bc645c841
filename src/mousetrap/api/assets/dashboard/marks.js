// The marks of a summary on the map: centroid, most northerly point, box, density.

import { shape } from "./dom.js";
import { box, project } from "./projection.js";

const LONGEST_NAME = 36;

export class Marks {
  node = shape("svg", { class: "marks", "aria-hidden": "true" });
  #world = shape("g");
  #labels = []; // each with its place, its group, its text and half the width of that
  #summary = null;
  #width = 0;

  constructor() {
    this.node.append(this.#world);
  }

  /** Takes a summary; null is none. */
  show(summary) {
    this.#summary = summary;
    this.#draw();
  }

  /** Takes the width of the map in px. */
  resize(width) {
    this.#width = width;
    this.#draw();
  }

  /** Puts everything where it is in a view; what has a name keeps its size. */
  place({ k, x, y }) {
    this.#world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    for (const { at, group, text, half, offset } of this.#labels) {
      const [left, top] = [at[0] * k + x, at[1] * k + y];
      group.setAttribute("transform", `translate(${left} ${top})`);
      const fitting = Math.min(Math.max(left, half), this.#width - half);
      // A label in view is not cut off at the edge; one that would be at the top goes below.
      text.setAttribute("x", left < 0 || left > this.#width ? 0 : fitting - left);
      text.setAttribute("y", top + offset < 12 ? 20 : offset);
    }
  }

  #draw() {
    const summary = this.#summary;
    this.#labels.forEach(({ group }) => group.remove());
    this.#labels = [];
    this.#world.replaceChildren();
    if (!summary || !this.#width) return;
    this.#world.append(...cells(summary.grid), ...frame(summary.bbox));
    const { centroid, most_northerly: north } = summary;
    if (centroid) this.#mark("centroid", project(centroid[1], centroid[0]), "centroid", 24);
    this.#mark("north", project(north.lon, north.lat), shorten(north.name ?? "most northerly", this.#width), -11);
  }

  #mark(kind, at, label, offset) {
    const d = kind === "north" ? "M0 -6l6 10.5h-12z" : "M-10 0h20M0 -10v20M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0";
    const text = shape("text", {}, label);
    const group = shape("g", { class: kind }, shape("path", { d }), text);
    this.node.append(group);
    this.#labels.push({ at, group, text, half: text.getComputedTextLength() / 2 + 2, offset });
  }
}

function shorten(name, width) {
  const limit = Math.min(LONGEST_NAME, Math.round(width / 14));
  const letters = Array.from(name);
  return letters.length > limit ? `${letters.slice(0, limit - 1).join("").trim()}…` : name;
}

/** The cells of a density grid, the fuller the darker; none without a grid. */
function cells(grid) {
  if (!grid) return [];
  const most = Math.max(...grid.cells.map(([, , count]) => count));
  return grid.cells.map(([south, west, count]) => {
    const { ground } = box([west, south, west + grid.degrees, south + grid.degrees]);
    const opacity = (0.08 + 0.4 * Math.sqrt(count / most)).toFixed(2);
    return shape("path", { class: "cell", d: ground, "fill-opacity": opacity });
  });
}

/** The box filled and framed; one that crosses the antimeridian is two, without a frame between. */
function frame(bbox) {
  const { ground, frame: lines } = box(bbox);
  const parts = ground.match(/M/g)?.length ?? 0;
  return [shape("path", { class: "box", d: ground, "data-parts": parts }), shape("path", { class: "frame", d: lines })];
}
