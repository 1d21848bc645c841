// Meridians and parallels: the closer somebody looks, the more of them.

import { shape } from "./dom.js";
import { HEIGHT, WIDTH, project, unproject } from "./projection.js";

const { extent, range } = globalThis.d3;
const STEPS = [1, 5, 10, 30]; // degrees from a line to the next one
const APART = 64; // px on the equator: a finer step would be a thicket
const CHORDS = 6; // which make up a meridian from a parallel to the next one; a parallel is straight

export class Graticule {
  node = shape("path", { class: "graticule" });
  #drawn = null;

  /** Draws the lines in a view of this size in px; returns the degrees from one to the next. */
  draw(view, width, height) {
    const step = STEPS.find((it) => it * view.k * (WIDTH / 360) >= APART) ?? STEPS.at(-1);
    const [west, south, east, north] = seen(view, width, height);
    const lons = linesAround(west, east, step);
    const lats = linesAround(south, north, step);
    const wanted = [step, lons[0], lons.at(-1), lats[0], lats.at(-1)].join();
    if (wanted !== this.#drawn) this.node.setAttribute("d", pathOf(lons, lats, step / CHORDS));
    this.#drawn = wanted;
    return step;
  }
}

/** The part of the world in a view, in degrees from west to north. */
function seen({ k, x, y }, width, height) {
  const [left, right, top, bottom] = [-x / k, (width - x) / k, -y / k, (height - y) / k];
  // Meridians are farthest apart in the row nearest to the equator, and closest in the farthest one.
  const rows = [top, bottom, Math.min(Math.max(HEIGHT / 2, top), bottom)];
  const corners = rows.flatMap((row) => [unproject(left, row), unproject(right, row)]);
  const [west, east] = extent(corners, ([lon]) => lon);
  const [south, north] = extent(corners, ([, lat]) => lat);
  return [west, south, east, north];
}

/** The multiples of a step between two values, and the next one on either side. */
function linesAround(low, high, step) {
  return range(Math.floor(low / step), Math.ceil(high / step) + 1).map((it) => it * step);
}

function pathOf(lons, lats, chord) {
  const places = range(lats[0], lats.at(-1) + chord / 2, chord);
  const meridians = lons.map((lon) => lineThrough(places.map((lat) => project(lon, lat))));
  const parallels = lats.map((lat) => lineThrough([project(lons[0], lat), project(lons.at(-1), lat)]));
  return [...meridians, ...parallels].join("");
}

function lineThrough(places) {
  return `M${places.map(([x, y]) => `${x.toFixed(3)},${y.toFixed(3)}`).join("L")}`;
}
