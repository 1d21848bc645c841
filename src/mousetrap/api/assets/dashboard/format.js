// Words for numbers and times.

import { element } from "./dom.js";

// Made when they are first needed: together they take longer than all else before the first request.
const INTEGER = once(() => new Intl.NumberFormat("en"));
const NUMBER = once(() => new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }));
const CLOCK = once(() => new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }));
const DAY = once(() => new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }));
const FULL = once(() => new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "full" }));

export const NONE = "–";

export function integer(number) {
  return INTEGER().format(number);
}

/** "1,707 points", "1 point" */
export function counted(number, noun, many = `${noun}s`) {
  return `${integer(number)} ${number === 1 ? noun : many}`;
}

export function latitude(degrees) {
  return angle(degrees, "N", "S");
}

export function longitude(degrees) {
  return angle(degrees, "E", "W");
}

export function place(lat, lon) {
  return `${latitude(lat)}, ${longitude(lon)}`;
}

/** "8 ms", "1.4 s", "3 min", "2 h", "5 d" */
export function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  if (seconds < 119.5 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 47.5 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Four significant digits: "1,708", "0.0001234" */
export function number(value) {
  return NUMBER().format(value);
}

/** "512 B", "1.2 MB" */
export function size(bytes) {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  return power ? `${(bytes / 1000 ** power).toFixed(1)} ${["", "kB", "MB", "GB"][power]}` : `${bytes} B`;
}

/** The milliseconds from one time of the API to another one. */
export function between(start, end) {
  return Date.parse(end) - Date.parse(start);
}

/** "12 s ago"; the clock of this machine and that of the API need not agree. */
export function ago(time) {
  const seconds = Math.round((Date.now() - Date.parse(time)) / 1000);
  if (seconds < 2) return "just now";
  return seconds < 10 ? `${seconds} s ago` : `${duration(seconds * 1000)} ago`;
}

/** The time of day, with the day if it is not today. */
export function clock(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return today ? CLOCK().format(date) : `${DAY().format(date)}, ${CLOCK().format(date)}`;
}

/** The date and time with its zone, here and in UTC. */
export function full(time) {
  const date = new Date(time);
  return `${FULL().format(date)} · ${date.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** An element with the time of day, which tells the rest under the pointer. */
export function moment(time) {
  return element("time", { datetime: time, title: full(time) }, clock(time));
}

function angle(degrees, positive, negative) {
  return `${Math.abs(degrees).toFixed(2)}°\u00a0${degrees < 0 ? negative : positive}`;
}

function once(make) {
  let made;
  return () => (made ??= make());
}
