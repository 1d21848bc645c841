// The name of a point: of that under the pointer, or of one that a tap or a key has pinned.

import { element, say } from "./dom.js";
import { announce } from "./notices.js";

const REACH = { mouse: 12, pen: 16, touch: 24 }; // px: how near to a point a pointer has to be

export class Pin {
  node = element("div", { class: "tip", "aria-hidden": "true", hidden: "" });
  #container;
  #lens;
  #redraw;
  #batch = { places: new Float64Array(), names: [] };
  #order = null; // the points from west to east, made when a key asks for the next one
  #pinned = null; // the index of a point
  #hovered = null;
  #view = { k: 1, x: 0, y: 0 };

  constructor(container, lens, redraw) {
    this.#container = container;
    this.#lens = lens;
    this.#redraw = redraw;
    container.addEventListener("pointermove", (event) => this.#hover(this.#under(event)));
    container.addEventListener("pointerleave", () => this.#hover(null));
    container.addEventListener("click", (event) => {
      if (!event.target.closest("button")) this.#pin(this.#under(event));
    });
    container.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Takes the points of another batch. */
  show(batch) {
    this.#batch = batch;
    this.#order = null;
    this.#pinned = this.#hovered = null;
  }

  /** Puts the name beside its point. */
  place(view) {
    this.#view = view;
    const index = this.#pinned ?? this.#hovered;
    this.node.hidden = index === null;
    this.node.classList.toggle("pinned", this.#pinned !== null);
    if (index === null) return;
    const [left, top] = this.#at(index);
    say(this.node, this.#name(index));
    this.node.classList.toggle("leftwards", left > this.#container.clientWidth / 2);
    this.node.style.left = `${left}px`;
    this.node.style.top = `${top}px`;
  }

  #hover(index) {
    if (index === this.#hovered) return;
    this.#hovered = index;
    this.#redraw();
  }

  #pin(index) {
    this.#pinned = index;
    this.#redraw();
    if (index === null) return;
    announce(this.#name(index));
    const [left, top] = this.#at(index);
    const { clientWidth, clientHeight } = this.#container;
    if (left >= 0 && top >= 0 && left < clientWidth && top < clientHeight) return;
    this.#lens.lookAt(this.#batch.places[2 * index], this.#batch.places[2 * index + 1]);
  }

  #press(event) {
    if (event.target !== this.#container) return;
    if (event.key === "Escape") this.#pin(null);
    if (event.key !== "Enter") return;
    event.preventDefault();
    const { clientWidth, clientHeight } = this.#container;
    if (this.#pinned === null) this.#pin(this.#nearest(clientWidth / 2, clientHeight / 2, Infinity));
    else this.#pin(this.#next(event.shiftKey ? -1 : 1));
  }

  /** The point east of that which is pinned, or west of it; behind the last one comes the first. */
  #next(step) {
    const { places, names } = this.#batch;
    this.#order ??= Uint32Array.from(names.keys()).sort((a, b) => places[2 * a] - places[2 * b]);
    const at = this.#order.indexOf(this.#pinned) + step;
    return this.#order.at(at % this.#order.length);
  }

  #under(event) {
    const frame = this.#container.getBoundingClientRect();
    const reach = REACH[event.pointerType] ?? REACH.mouse;
    return this.#nearest(event.clientX - frame.left, event.clientY - frame.top, reach);
  }

  #nearest(left, top, reach) {
    const { k, x, y } = this.#view;
    const { places } = this.#batch;
    const wanted = [(left - x) / k, (top - y) / k];
    let best = (reach / k) ** 2;
    let found = null;
    for (let at = 0; at < places.length; at += 2) {
      const distance = (places[at] - wanted[0]) ** 2 + (places[at + 1] - wanted[1]) ** 2;
      if (distance < best) [best, found] = [distance, at / 2];
    }
    return found;
  }

  #at(index) {
    const { k, x, y } = this.#view;
    return [this.#batch.places[2 * index] * k + x, this.#batch.places[2 * index + 1] * k + y];
  }

  #name(index) {
    return this.#batch.names[index] ?? "a point without a name";
  }
}
