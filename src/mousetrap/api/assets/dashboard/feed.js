// How a batch came about: what it was read from, what was left out, what its operator should know.

import { byId, element, say } from "./dom.js";
import { NONE, clock, counted, duration, integer, size } from "./format.js";

/** Shows the report of a summary; summaries of earlier versions have none. */
export function showFeed(feed) {
  say(byId("fact-feed"), answers(feed));
  say(byId("fact-feed-status"), feed?.pages ? `status ${feed.status}, in ${duration(feed.seconds * 1000)}` : "");
  byId("remarks").replaceChildren(...remarks(feed).map((text) => element("li", {}, text)));
}

/** Tells why the newest job that failed did; nothing without one. */
export function showFailure(job) {
  const words = job?.error ? `The last failure, ${clock(job.requested_at)}: ${job.error.detail}` : "";
  say(byId("last-failure"), words);
}

/** "3 answers, 2.1 MB" */
export function answers(feed) {
  return feed?.pages ? `${counted(feed.pages, "answer")}, ${size(feed.bytes)}` : NONE;
}

/** "12 left out, 2 warnings", or nothing. */
export function brief(feed) {
  if (!feed) return "";
  const warnings = feed.warnings.length + (feed.truncated ? 1 : 0);
  const parts = [
    feed.skipped.count ? `${integer(feed.skipped.count)} left out` : "",
    warnings ? counted(warnings, "warning") : "",
  ];
  return parts.filter(Boolean).join(", ");
}

function remarks(feed) {
  if (!feed) return [];
  const left = feed.skipped.count ? [leftOut(feed.skipped)] : [];
  const part = feed.truncated ? ["The source has more points than these."] : [];
  return [...left, ...part, ...feed.warnings];
}

function leftOut({ count, reasons, first }) {
  const parts = Object.entries(reasons).map(([reason, number]) => `${integer(number)} ${reason}`);
  const such = first.length ? ` (${first.join("; ")})` : "";
  return `${counted(count, "feature")} left out: ${parts.join(", ")}${such}`;
}
