// The part of the world that is seen: zoomed and moved by wheel, fingers, keys and buttons.

import { HEIGHT, WIDTH } from "./projection.js";

const { select, zoom, zoomIdentity } = globalThis.d3;
const CLOSEST = 256;
const STEP = 2; // of a key or button
const PAN = 0.2; // of the width or height
const MARGIN = 0.85; // of the map, which fitted points fill
const KEYS = {
  "+": (lens) => lens.zoomBy(STEP),
  "=": (lens) => lens.zoomBy(STEP),
  "-": (lens) => lens.zoomBy(1 / STEP),
  0: (lens) => lens.showWorld(),
  f: (lens) => lens.showPoints(),
  ArrowLeft: (lens) => lens.panBy(PAN, 0),
  ArrowRight: (lens) => lens.panBy(-PAN, 0),
  ArrowUp: (lens) => lens.panBy(0, PAN),
  ArrowDown: (lens) => lens.panBy(0, -PAN),
};

export class Lens {
  #node;
  #selection;
  #zoom = zoom().scaleExtent([1, CLOSEST]);
  #transform = zoomIdentity;
  #size = [0, 0];
  #points = () => null;
  /** Whether a person has zoomed or moved, so that nothing else may. */
  moved = false;

  /** `points` returns the box around the points in the unit of the world; null without any. */
  constructor(node, { points, onChange }) {
    this.#node = node;
    this.#points = points;
    this.#zoom.filter((event) => this.#takes(event)).on("zoom", ({ transform, sourceEvent }) => {
      this.#transform = transform;
      this.moved ||= Boolean(sourceEvent);
      node.classList.toggle("zoomed", transform.k > 1);
      onChange();
    });
    this.#selection = select(node).call(this.#zoom);
    node.addEventListener("keydown", (event) => this.#press(event));
  }

  /** How the world lies on the screen: `k` px for each unit, from `x` and `y`. */
  get view() {
    const { k, x, y } = this.#transform;
    const { scale, left, top } = this.#base();
    return { k: scale * k, x: left * k + x, y: top * k + y };
  }

  /** How many times larger the world is than as a whole. */
  get magnification() {
    return this.#transform.k;
  }

  /** Takes a size in px; the middle stays where it is. */
  resize(width, height) {
    const middle = this.#size[0] ? this.#at(this.#size[0] / 2, this.#size[1] / 2) : [WIDTH / 2, HEIGHT / 2];
    this.#size = [width, height];
    const all = [
      [0, 0],
      [width, height],
    ];
    this.#zoom.extent(all).translateExtent(all);
    if (this.moved) this.lookAt(...middle);
    else this.reset();
  }

  /** Shows the whole world, or the points where the map is too narrow for it to be of use. */
  reset() {
    this.moved = false;
    if (this.#size[1] * WIDTH > 1.2 * this.#size[0] * HEIGHT) this.#fit();
    else this.#zoom.transform(this.#selection, zoomIdentity);
  }

  zoomBy(factor) {
    this.moved = true;
    this.#zoom.scaleBy(this.#selection, factor);
  }

  panBy(across, down) {
    this.moved = true;
    const { k } = this.#transform;
    this.#zoom.translateBy(this.#selection, (across * this.#size[0]) / k, (down * this.#size[1]) / k);
  }

  showWorld() {
    this.moved = true;
    this.#zoom.transform(this.#selection, zoomIdentity);
  }

  showPoints() {
    this.moved = true;
    this.#fit();
  }

  /** Moves a place of the world into the middle. */
  lookAt(x, y) {
    const { scale, left, top } = this.#base();
    this.#zoom.translateTo(this.#selection, left + x * scale, top + y * scale);
  }

  #fit() {
    const found = this.#points();
    if (!found) return this.#zoom.transform(this.#selection, zoomIdentity);
    const [west, north, east, south] = found;
    const [width, height] = this.#size;
    const { scale } = this.#base();
    const wanted = (MARGIN / scale) * Math.min(width / (east - west || 1), height / (south - north || 1));
    // A single point has no size; its surroundings tell where it is.
    this.#zoom.scaleTo(this.#selection, Math.min(Math.max(wanted, 1), east > west || south > north ? CLOSEST : 8));
    this.lookAt((west + east) / 2, (north + south) / 2);
  }

  #at(left, top) {
    const { k, x, y } = this.view;
    return [(left - x) / k, (top - y) / k];
  }

  /** The whole world in the middle of the map. */
  #base() {
    const [width, height] = this.#size;
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    return { scale, left: (width - scale * WIDTH) / 2, top: (height - scale * HEIGHT) / 2 };
  }

  /** The page scrolls as everywhere when there is nothing to zoom out of or to move. */
  #takes(event) {
    if (event.target.closest("button")) return false;
    const whole = this.#transform.k <= 1;
    if (event.type === "wheel") return event.deltaY < 0 || !whole;
    if (event.type === "touchstart") return event.touches.length > 1 || !whole;
    return !event.ctrlKey && !event.button;
  }

  #press(event) {
    const act = KEYS[event.key];
    if (!act || event.target !== this.#node || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(this);
  }
}
