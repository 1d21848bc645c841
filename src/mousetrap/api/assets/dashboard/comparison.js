// How two summaries differ.

import { facts } from "./dialog.js";
import { byId, element } from "./dom.js";
import { clock, integer, latitude, longitude, place } from "./format.js";

const RADIANS = Math.PI / 180;
const EARTH = 6371.0088; // km: its mean radius

/** Shows what is different in `summary` since, or before, the `other` one; null for none. */
export function showComparison(summary, other, leave) {
  const section = byId("comparison");
  section.hidden = !summary || !other;
  if (section.hidden) return section.replaceChildren();
  const button = element("button", { type: "button", class: "quiet", click: leave }, "End the comparison");
  section.replaceChildren(
    element("h3", {}, `Compared with ${other.source} of ${clock(other.requested_at)}`),
    facts([
      ["Points", `${integer(other.count)} there, ${integer(summary.count)} here`],
      ["Centroid", moved(other.centroid, summary.centroid)],
      ["Most northerly", either(northOf(other), northOf(summary))],
      ["Bounding box", either(boxOf(other), boxOf(summary))],
    ]),
    button,
  );
}

function moved(from, to) {
  return from && to ? `${integer(Math.round(distance(from, to)))} km apart` : "one has none";
}

function either(there, here) {
  return there === here ? `the same: ${here}` : `${there} there, ${here} here`;
}

function northOf({ most_northerly: north }) {
  return north.name ?? place(north.lat, north.lon);
}

function boxOf({ bbox: [west, south, east, north] }) {
  return `${longitude(west)} → ${longitude(east)}, ${latitude(south)} → ${latitude(north)}`;
}

/** The great-circle distance of two [latitude, longitude] in km (haversine). */
function distance([lat1, lon1], [lat2, lon2]) {
  const half = (a, b) => Math.sin(((b - a) * RADIANS) / 2) ** 2;
  const across = Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * half(lon1, lon2);
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(half(lat1, lat2) + across)));
}
