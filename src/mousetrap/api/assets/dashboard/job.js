// One job in full: its times, its attempts, and where else to look.

import { remember } from "./address.js";
import { Problem, at, get } from "./api.js";
import { claim, facts, open, whenClosed } from "./dialog.js";
import { element, say } from "./dom.js";
import { answers, brief } from "./feed.js";
import { between, duration, moment } from "./format.js";
import { notify } from "./notices.js";

let shown = null; // the id of the job in the dialog

/** Shows a job by its id, until a person closes it. */
export async function showJob(id) {
  const isWanted = claim();
  try {
    const job = await get(`/jobs/${encodeURIComponent(id)}`);
    if (!isWanted()) return;
    if (shown === null) whenClosed(forget);
    shown = id;
    remember({ job: id });
    open(`Job of ${job.source}`, summary(job), attempts(job), links(job));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (isWanted()) notify(error, "The job");
  }
}

/** Shows how a job has changed, if it is the one that is shown. */
export function jobChanged({ job_id: id }) {
  if (id === shown) showJob(id);
}

function forget() {
  shown = null;
  remember({ job: null });
}

function summary(job) {
  const { error, feed, scheduled_for: slot, next_attempt_at: next } = job;
  return facts([
    ["State", job.state],
    ["Error", error && `${error.detail} (${error.code})`],
    ["Requested", moment(job.requested_at)],
    ["Scheduled for", slot && moment(slot)],
    ["Fetched", job.fetched_at && timed(job.fetched_at, job.requested_at)],
    [job.error ? "Failed" : "Stored", job.finished_at && timed(job.finished_at, job.fetched_at ?? job.requested_at)],
    ["Attempts", String(job.attempts)],
    ["Next attempt", next && moment(next)],
    ["Feed", feed && [answers(feed), brief(feed)].filter(Boolean).join("; ")],
    ["Trace", sought(job.job_id.replaceAll("-", ""), "the id of the trace", job.links.trace)],
    ["In each log line", sought(job.job_id, "the id of the job", job.links.log)],
  ]);
}

/** A text to search for elsewhere, a link to what is found, if it is known, and a button that copies the text. */
function sought(text, name, href) {
  const code = element("code", {}, href ? element("a", { href }, text) : text);
  if (!navigator.clipboard) return code; // it is there on secure pages only
  const verb = element("span", {}, "Copy");
  const whole = [verb, element("span", { class: "unseen" }, ` ${name}`)];
  return element("span", {}, code, " ", element("button", { type: "button", class: "quiet", click: copy }, ...whole));

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      say(verb, "Copied");
    } catch {
      getSelection().selectAllChildren(code); // a person forbade it, and can still press the keys
    }
  }
}

function timed(time, since) {
  return element("span", {}, moment(time), `, after ${duration(between(since, time))}`);
}

function attempts({ failed_attempts: failed }) {
  if (!failed.length) return "";
  const rows = failed.map(({ number, failed_at, error }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(number)),
      element("td", {}, moment(failed_at)),
      element("td", {}, `${error.detail} (${error.code})`),
    ),
  );
  const heads = ["Attempt", "Failed", "Error"].map((it) => element("th", { scope: "col" }, it));
  const caption = element("caption", { class: "unseen" }, "Failed attempts, the oldest first");
  return element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

function links(job) {
  const found = [element("a", { href: at(`/jobs/${job.job_id}`) }, "This job in the API")];
  if (job.links.summary) {
    found.push(element("a", { href: job.links.summary }, "Its summary in the API"));
    found.push(element("a", { href: `?${new URLSearchParams({ source: job.source, summary: job.job_id })}` }, "On the map"));
  }
  return element("p", { class: "links" }, ...found);
}
