// The newest jobs, live.

import { byId, element, isBusy, say, setBusy } from "./dom.js";
import { NONE, between, clock, duration, full } from "./format.js";

const WORDS = { queued: "Queued", succeeded: "Succeeded", failed: "Failed" };

export class Jobs {
  #jobs = new Map(); // by id, the newest request first
  #rows = new Map(); // by id
  #retry;
  #limit;
  #drawing = false;

  /** `retry` is called with the job whose button is pressed; there is room for `limit` jobs. */
  constructor(retry, limit) {
    this.#retry = retry;
    this.#limit = limit;
  }

  /** Takes these jobs and no others. */
  replace(jobs) {
    this.#jobs = new Map(jobs.map((job) => [job.job_id, job]));
    this.#schedule();
  }

  /** Takes one job as it is now. */
  put(job) {
    const jobs = [job, ...[...this.#jobs.values()].filter((it) => it.job_id !== job.job_id)];
    jobs.sort((a, b) => Date.parse(b.requested_at) - Date.parse(a.requested_at));
    this.#jobs = new Map(jobs.slice(0, this.#limit).map((it) => [it.job_id, it]));
    this.#schedule();
  }

  /** The job of this id if it is here and has ended, else null. */
  ended(id) {
    const job = this.#jobs.get(id);
    return job && job.state !== "queued" ? job : null;
  }

  // However many events come, the table is drawn once for each frame.
  #schedule() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  #draw() {
    for (const [id, row] of this.#rows) {
      if (this.#jobs.has(id)) continue;
      row.node.remove();
      this.#rows.delete(id);
    }
    const body = byId("job-rows");
    [...this.#jobs.values()].forEach((job, index) => {
      const row = this.#rowOf(job);
      row.show(job);
      // Only what is out of place is moved: a node that is moved loses the focus.
      if (body.children[index] !== row.node) body.insertBefore(row.node, body.children[index] ?? null);
    });
    byId("no-jobs").hidden = this.#jobs.size > 0;
  }

  #rowOf(job) {
    if (!this.#rows.has(job.job_id)) this.#rows.set(job.job_id, new Row(job, this.#retry));
    return this.#rows.get(job.job_id);
  }
}

class Row {
  #state = element("span", { class: "state" });
  #fetched = element("td", { "data-label": "Fetched after" });
  #finished = element("td", { "data-label": "Done after" });
  #attempts = element("td", { "data-label": "Attempts", class: "attempts" });
  #error = element("span", { class: "error" });
  #summary = element("a", { hidden: "" }, "Summary");
  #button;

  constructor(job, retry) {
    this.#button = element("button", { type: "button", class: "quiet", hidden: "" }, "Retry");
    this.#button.setAttribute("aria-label", `Retry the job of ${job.source} of ${clock(job.requested_at)}`);
    this.#summary.setAttribute("aria-label", `Summary of ${job.source} of ${clock(job.requested_at)}`);
    this.#button.addEventListener("click", () => this.#press(job, retry));
    this.node = element(
      "tr",
      { "data-job": job.job_id, tabindex: "-1" },
      element("td", { "data-label": "State" }, this.#state),
      element("th", { scope: "row", "data-label": "Source" }, job.source),
      element("td", { "data-label": "Requested" }, requested(job)),
      this.#fetched,
      this.#finished,
      this.#attempts,
      element("td", { class: "outcome", "data-label": "Outcome" }, this.#error, this.#summary, this.#button),
    );
  }

  show(job) {
    this.node.dataset.state = job.state;
    say(this.#state, WORDS[job.state]);
    say(this.#fetched, job.fetched_at ? duration(between(job.requested_at, job.fetched_at)) : NONE);
    say(this.#finished, job.finished_at ? duration(between(job.requested_at, job.finished_at)) : NONE);
    say(this.#attempts, String(job.attempts));
    say(this.#error, job.error ? `${job.error.detail} (${job.error.code})` : "");
    this.#summary.hidden = !job.links.summary;
    if (job.links.summary) this.#summary.href = job.links.summary;
    const failed = job.state === "failed";
    if (!failed && this.#button === document.activeElement) this.node.focus();
    this.#button.hidden = !failed;
  }

  async #press(job, retry) {
    if (isBusy(this.#button)) return;
    setBusy(this.#button, true);
    await retry(job);
    setBusy(this.#button, false);
  }
}

function requested(job) {
  const time = element("time", { datetime: job.requested_at, title: full(job.requested_at) });
  time.append(clock(job.requested_at));
  const by = job.scheduled_for ? [element("span", { class: "by" }, "by schedule")] : [];
  return element("span", { class: "requested" }, time, ...by);
}
