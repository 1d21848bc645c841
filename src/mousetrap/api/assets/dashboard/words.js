// Sentences about a summary.

import { counted, latitude, longitude, place } from "./format.js";

const SHOWN = 0.01; // degrees: smaller differences are not to be seen in figures

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

/** Why a centroid is where nobody expects it; nothing where it is no surprise. */
export function explainCentroid({ centroid, most_northerly: north, bbox }) {
  if (!centroid) return "The points cancel each other out.";
  const [lat, lon] = centroid;
  const [west, south, east] = bbox;
  const width = west > east ? east - west + 360 : east - west;
  const inside = (lon - west + 360 + SHOWN) % 360 <= width + 2 * SHOWN;
  const why = "The shortest way between far points";
  const bends = `${why} bends towards the pole, so their middle on the sphere can lie`;
  if (lat > north.lat + SHOWN) return `${bends} north of them all, as here.`;
  if (lat < south - SHOWN) return `${bends} south of them all, as here.`;
  return inside ? "" : `${why} can leave their box, so their middle on the sphere can lie outside of it, as here.`;
}

function describeBox([west, south, east, north]) {
  const across = west > east ? " across the antimeridian" : "";
  return (
    `All lie in the box from ${longitude(west)} eastwards${across} to ${longitude(east)},` +
    ` and from ${latitude(south)} to ${latitude(north)}.`
  );
}
