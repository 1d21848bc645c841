// Equal Earth (Šavrič, Patterson, Jenny 2018): areas are true, so that densities are.

const { geoEqualEarth, geoEqualEarthRaw, geoGraticule, geoPath } = globalThis.d3;
const { feature } = globalThis.topojson;

/** The width of the world; all places of this module are in its unit, from the north-west. */
export const WIDTH = 1000;
const SPHERE = { type: "Sphere" };
const POLE = 89.999;
const LEAST = 0.0001; // degrees
const RIM = 1e-6; // beside the poles themselves, where rounding would lead out of the world
const PRECISION = 0.1; // how far a curve may be from its path, before it is magnified

const projection = geoEqualEarth().fitWidth(WIDTH, SPHERE).precision(PRECISION);
const path = geoPath(projection);
// Coasts have points enough: between them straight lines will do.
const simplePath = geoPath(geoEqualEarth().fitWidth(WIDTH, SPHERE).precision(0));
const SCALE = projection.scale();
const [LEFT, TOP] = projection.translate();
const RADIANS = Math.PI / 180;

/** The height of the world. */
export const HEIGHT = simplePath.bounds(SPHERE)[1][1];

/** Where a place (degrees) is; without what d3 does for lines, tens of thousands take milliseconds. */
export function project(lon, lat) {
  const [x, y] = geoEqualEarthRaw(lon * RADIANS, lat * RADIANS);
  return [LEFT + SCALE * x, TOP - SCALE * y];
}

/** The place (degrees) that is there, or on the rim of the world beside it. */
export function unproject(x, y) {
  const row = within(y, RIM, HEIGHT - RIM);
  const [lon, lat] = geoEqualEarthRaw.invert((x - LEFT) / SCALE, (TOP - row) / SCALE);
  return [within(lon / RADIANS, -180, 180), lat / RADIANS];
}

/** The data of an SVG path round the world. */
export function outline() {
  return path(SPHERE);
}

/** Yields the data of an SVG path around each piece of land of a topology of world-atlas. */
export function* pieces(topology) {
  for (const { geometry } of feature(topology, topology.objects.land).features) {
    for (const coordinates of geometry.coordinates) yield simplePath({ type: "Polygon", coordinates }) ?? "";
  }
}

/**
 * The data of two SVG paths for a box after RFC 7946, which may cross the antimeridian: its ground,
 * and its frame, which has no line along the antimeridian.
 */
export function box([west, south, east, north]) {
  // A box without an area has no path.
  const low = Math.min(Math.max(south, -POLE), POLE - LEAST);
  const high = Math.max(Math.min(north, POLE), low + LEAST);
  const right = Math.max(west > east ? east + 360 : east, west + LEAST);
  const extent = [
    [west, low],
    [right, high],
  ];
  const ground = geoGraticule().extent(extent).precision(1).outline();
  const frame = { type: "LineString", coordinates: ground.coordinates[0] };
  return { ground: path(ground) ?? "", frame: path(frame) ?? "" };
}

function within(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
