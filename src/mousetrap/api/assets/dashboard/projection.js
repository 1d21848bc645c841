// Equal Earth (Šavrič, Patterson, Jenny 2018): areas are true, so that densities are.

const [A1, A2, A3, A4] = [1.340264, -0.081106, 0.000893, 0.003796];
const M = Math.sqrt(3) / 2;
const RADIANS = Math.PI / 180;
const X_MAX = Math.PI / (M * A1);
const Y_MAX = raw(0, 90)[1];

/** The height of the world when its width is 1. */
export const HEIGHT = Y_MAX / X_MAX;

/** Where a place (degrees) is, from [0, 0] in the north-west to [1, HEIGHT] in the south-east. */
export function project(lon, lat) {
  const [x, y] = raw(lon, lat);
  return [(x / X_MAX + 1) / 2, (Y_MAX - y) / (2 * X_MAX)];
}

/** The path of a line along a meridian or a parallel, which may be curved. */
export function along([west, south], [east, north]) {
  const steps = Math.max(1, Math.ceil(Math.max(Math.abs(east - west), Math.abs(north - south)) / 2));
  return Array.from({ length: steps + 1 }, (_, step) =>
    project(west + ((east - west) * step) / steps, south + ((north - south) * step) / steps),
  );
}

/** The data of an SVG path through projected places. */
export function path(places, closed = false) {
  return `M${places.map(([x, y]) => `${x.toFixed(5)} ${y.toFixed(5)}`).join("L")}${closed ? "Z" : ""}`;
}

/**
 * The outlines of a GeoJSON ring on either side of the antimeridian, cut where it crosses. One that
 * crosses it once goes round a pole: the South Pole, for no land lies on the other one.
 */
export function outlines(ring) {
  const parts = [[]];
  ring.forEach(([lon, lat], index) => {
    const [before, at] = ring[index - 1] ?? [lon, lat];
    if (Math.abs(lon - before) > 180) {
      const crossing = Math.abs(before) === 180 ? at : lat;
      parts.at(-1).push([180 * Math.sign(before), crossing]);
      parts.push([[180 * Math.sign(lon), crossing]]);
    }
    parts.at(-1).push([lon, lat]);
  });
  const crossings = parts.length - 1;
  if (crossings) parts[0].unshift(...parts.pop());
  if (crossings % 2) parts[0].push(...[parts[0].at(-1), parts[0][0]].map(([lon]) => [lon, -90]));
  return parts;
}

function raw(lon, lat) {
  const t = Math.asin(M * Math.sin(lat * RADIANS));
  const t2 = t * t;
  const t6 = t2 * t2 * t2;
  const x = (lon * RADIANS * Math.cos(t)) / (M * (A1 + 3 * A2 * t2 + t6 * (7 * A3 + 9 * A4 * t2)));
  return [x, t * (A1 + A2 * t2 + t6 * (A3 + A4 * t2))];
}
