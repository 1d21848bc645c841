// The world, and on it a batch: its points, its centroid, its most northerly point, its box.

import { element, shape } from "./dom.js";
import { Dots } from "./dots.js";
import { Graticule } from "./graticule.js";
import { Lens } from "./lens.js";
import { Marks } from "./marks.js";
import { Pin } from "./pin.js";
import { WIDTH, outline, pieces, project } from "./projection.js";

const MANY = 10_000; // points, from which on they are drawn smaller
const CLOSE = 3; // the magnification from which on the fine outline of the land is worth loading
const NO_BATCH = { places: new Float64Array(), names: [] };
const SLICE = 25; // ms of work between two chances for the page to answer

/**
 * A map inside `container`. Land and graticule lie in one SVG, marks and box in another one; the
 * points between them are on a canvas, which draws tens of thousands in one go. `loadFineLand` is
 * called once, when somebody looks closely.
 */
export class WorldMap {
  #container;
  #canvas = element("canvas", { class: "points batch", "aria-hidden": "true" });
  #others = element("canvas", { class: "points others", "aria-hidden": "true" });
  #layers;
  #world;
  #land = shape("path", { class: "land" });
  #graticule = new Graticule();
  #marks = new Marks();
  #pin;
  #lens;
  #loadFineLand;
  #landTurn = 0;
  #source = null;
  #batches = [NO_BATCH, NO_BATCH];
  #frame = null; // the one in which the map is drawn next

  constructor(container, { loadFineLand }) {
    this.#container = container;
    this.#loadFineLand = loadFineLand;
    const ocean = shape("path", { class: "ocean", d: outline() });
    this.#world = shape("g", {}, ocean, this.#land, this.#graticule.node);
    this.#layers = [this.#canvas, this.#others].map((canvas) => ({ canvas, dots: new Dots(canvas) }));
    this.#lens = new Lens(container, { points: () => extentOf(this.#batches), onChange: () => this.#schedule() });
    this.#pin = new Pin(container, this.#lens, () => this.#schedule());
    const ground = shape("svg", { class: "ground", "aria-hidden": "true" }, this.#world);
    container.prepend(ground, this.#others, this.#canvas, this.#marks.node);
    container.append(this.#pin.node, this.#buttons());
    new ResizeObserver(() => this.#resize()).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  /** Draws the outline of the land, a topology of world-atlas. */
  async drawLand(topology) {
    const turn = ++this.#landTurn;
    const paths = [];
    let begin = performance.now();
    for (const piece of pieces(topology)) {
      paths.push(piece);
      if (performance.now() - begin < SLICE) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.#landTurn) return; // a finer one is on its way
      begin = performance.now();
    }
    this.#land.setAttribute("d", paths.join(""));
    this.#container.dataset.land = paths.length;
    performance.mark("land");
  }

  /**
   * Shows a summary with its batch, a GeoJSON FeatureCollection; null for both is an empty world.
   * `others` is the batch of a summary to compare it with.
   */
  show(summary, batch, others = null) {
    this.#batches = [batchOf(batch), batchOf(others)];
    this.#marks.show(summary);
    this.#pin.show(this.#batches[0]);
    if (summary?.source !== this.#source) this.#lens.reset();
    this.#source = summary?.source;
    this.#paint();
  }

  #resize() {
    const [width, height] = [this.#container.clientWidth, this.#container.clientHeight];
    const ratio = window.devicePixelRatio;
    for (const { canvas } of this.#layers) Object.assign(canvas, { width: width * ratio, height: height * ratio });
    for (const svg of [this.#world.ownerSVGElement, this.#marks.node]) {
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    }
    this.#lens.resize(width, height);
    this.#marks.resize(width);
    this.#paint();
  }

  /** Draws anew, in colours that may have changed. */
  #paint() {
    for (const layer of this.#layers) layer.colour = getComputedStyle(layer.canvas).color;
    this.#draw();
  }

  // However many events come, the map is drawn once for each frame.
  #schedule() {
    this.#frame ??= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    performance.mark("points-begin");
    const view = { ...this.#lens.view, ratio: window.devicePixelRatio };
    const { clientWidth: width, clientHeight: height } = this.#container;
    this.#world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    this.#container.dataset.graticule = this.#graticule.draw(view, width, height);
    this.#layers.forEach((layer, index) => this.#drawPoints(layer, this.#batches[index], view));
    this.#marks.place(view);
    this.#pin.place(view);
    this.#container.dataset.magnification = this.#lens.magnification.toFixed(2);
    if (this.#lens.moved && this.#lens.magnification >= CLOSE) this.#loadFineLand?.();
    if (this.#lens.moved && this.#lens.magnification >= CLOSE) this.#loadFineLand = null;
    performance.measure("points", { start: "points-begin", detail: this.#batches[0].names.length });
  }

  #drawPoints({ canvas, dots, colour }, { places, names }, view) {
    canvas.dataset.count = names.length;
    if (!canvas.width || !canvas.height) return;
    canvas.dataset.mode = dots.draw(places, view, radius(this.#container.clientWidth, names.length), colour);
  }

  #buttons() {
    const acts = [
      ["+", "Zoom in", () => this.#lens.zoomBy(2)],
      ["−", "Zoom out", () => this.#lens.zoomBy(0.5)],
      ["Points", "Fit to the points", () => this.#lens.showPoints()],
      ["World", "Show the whole world", () => this.#lens.showWorld()],
    ];
    const buttons = acts.map(([text, label, click]) =>
      element("button", { type: "button", "aria-label": label, title: label, click }, text),
    );
    return element("div", { class: "lens" }, ...buttons);
  }
}

/** The places, x and y by turns, and the names of a FeatureCollection. */
function batchOf(collection) {
  if (!collection) return NO_BATCH;
  const { features } = collection;
  const places = new Float64Array(2 * features.length);
  features.forEach(({ geometry: { coordinates } }, index) => places.set(project(...coordinates), 2 * index));
  return { places, names: features.map((feature) => feature.properties.name) };
}

/** The box around batches in the unit of the world; null around nothing. */
function extentOf(batches) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { places } of batches) {
    for (let at = 0; at < places.length; at++) {
      const side = at % 2;
      box[side] = Math.min(box[side], places[at]);
      box[side + 2] = Math.max(box[side + 2], places[at]);
    }
  }
  return box[0] > WIDTH ? null : box;
}

function radius(width, count) {
  const scale = Math.min(1, Math.max(0.55, width / 1100));
  return (count > MANY ? 1.5 : 2.4) * scale;
}
