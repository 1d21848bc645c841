// A page of the jobs, live; those of a source or in a state if a person asks for them.

import { parameter, remember } from "./address.js";
import { get } from "./api.js";
import { byId, element, isBusy, say, setBusy } from "./dom.js";
import { NONE, between, duration, full, clock, moment } from "./format.js";

const WORDS = { queued: "Queued", succeeded: "Succeeded", failed: "Failed" };
const PAGE = 50;
const MOST = 2 * PAGE; // jobs on the newest page, which grows until it is loaded anew
const REMEMBERED = 100; // jobs that ended, for requests whose answer is slower than its event

export class Jobs {
  #jobs = new Map(); // by id, the newest request first
  #rows = new Map(); // by id
  #ended = new Map(); // by id
  #handlers;
  #reload;
  #filters = { source: parameter("jobs_source"), state: parameter("jobs_state") };
  #cursors = [null]; // of the pages up to the one that is shown
  #wanted = this.#cursors; // of those up to the one to load
  #next = null;
  #turns = 0;
  #meanwhile = null; // the jobs of events that come while a page is loaded
  #drawing = false;

  /**
   * `retry` and `show` are called with the job whose button is pressed, and `reload` when a person
   * asks for other jobs.
   */
  constructor({ retry, show, reload }) {
    this.#handlers = { retry, show };
    this.#reload = reload;
    for (const name of ["source", "state"]) {
      byId(`jobs-${name}`).addEventListener("change", (event) => this.#filter(name, event.target.value || null));
    }
    byId("jobs-state").value = this.#filters.state ?? "";
    byId("jobs-older").addEventListener("click", () => this.#turn([...this.#cursors, this.#next]));
    byId("jobs-newer").addEventListener("click", () => this.#turn(this.#cursors.slice(0, -1)));
  }

  /** Offers the jobs of each of these sources. */
  offer(names) {
    const select = byId("jobs-source");
    const wanted = [...new Set([...names, this.#filters.source].filter(Boolean))];
    if (wanted.join() === [...select.options].slice(1).map((it) => it.value).join()) return;
    select.replaceChildren(select.options[0], ...wanted.map((it) => element("option", { value: it }, it)));
    select.value = this.#filters.source ?? "";
  }

  /** Loads the page that is wanted. */
  async load() {
    const turn = ++this.#turns;
    const wanted = this.#wanted;
    this.#meanwhile ??= [];
    this.#setBusy(true);
    try {
      const page = await get("/jobs", { limit: PAGE, ...this.#filters, cursor: wanted.at(-1) });
      if (turn !== this.#turns) return;
      this.#cursors = wanted;
      this.#next = page.next;
      this.#jobs = new Map(page.items.map((job) => [job.job_id, job]));
      // The page may have been read before these events.
      this.#meanwhile.forEach((job) => this.#take(job));
      this.#schedule();
    } finally {
      if (turn === this.#turns) this.#settle();
    }
  }

  /** Takes one job as it is now. */
  put(job) {
    if (job.state !== "queued") this.#ended.set(job.job_id, job);
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.keys().next().value);
    this.#meanwhile?.push(job);
    this.#take(job);
    this.#schedule();
    // A job that is cut off would be on no page, for the next one begins where this one was loaded.
    if (this.#jobs.size >= MOST && !this.#meanwhile) this.#reload();
  }

  /** The job of this id if it was seen to end, else null. */
  ended(id) {
    return this.#ended.get(id) ?? null;
  }

  #filter(name, value) {
    this.#filters[name] = value;
    remember({ [`jobs_${name}`]: value });
    this.#cursors = this.#wanted = [null];
    this.#next = null;
    this.#schedule();
    this.#reload();
  }

  #turn(cursors) {
    if (this.#meanwhile) return; // a page is on its way
    this.#wanted = cursors;
    this.#reload();
  }

  /** Ends a load, of which a failed one leaves the page that is shown. */
  #settle() {
    this.#meanwhile = null;
    this.#wanted = this.#cursors;
    this.#setBusy(false);
  }

  #setBusy(busy) {
    for (const name of ["older", "newer"]) setBusy(byId(`jobs-${name}`), busy);
  }

  #take(job) {
    const known = this.#jobs.delete(job.job_id);
    const { source, state } = this.#filters;
    const fits = (source === null || job.source === source) && (state === null || job.state === state);
    if (!fits || (!known && this.#cursors.length > 1)) return;
    const jobs = [job, ...this.#jobs.values()];
    jobs.sort((a, b) => Date.parse(b.requested_at) - Date.parse(a.requested_at));
    this.#jobs = new Map(jobs.slice(0, MOST).map((it) => [it.job_id, it]));
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
    this.#describe();
  }

  #describe() {
    const number = this.#cursors.length;
    byId("no-jobs").hidden = this.#jobs.size > 0;
    const filtered = this.#filters.source !== null || this.#filters.state !== null;
    say(byId("no-jobs"), filtered ? "No such job: choose another source or state." : "No job yet: Refresh of a source requests one.");
    say(byId("jobs-page"), number === 1 ? "the newest" : `page ${number}`);
    byId("jobs-newer").hidden = number === 1;
    byId("jobs-older").hidden = this.#next === null;
  }

  #rowOf(job) {
    if (!this.#rows.has(job.job_id)) this.#rows.set(job.job_id, new Row(job, this.#handlers));
    return this.#rows.get(job.job_id);
  }
}

class Row {
  #state = element("span", { class: "state" });
  #fetched = element("td", { "data-label": "Fetched after" });
  #finished = element("td", { "data-label": "Done after" });
  #attempts = element("td", { "data-label": "Attempts", class: "attempts" });
  #error = element("span", { class: "error" });
  #details = element("button", { type: "button", class: "quiet" }, "Details");
  #button;

  constructor(job, { retry, show }) {
    this.#button = element("button", { type: "button", class: "quiet", hidden: "" }, "Retry");
    this.#button.setAttribute("aria-label", `Retry the job of ${job.source} of ${clock(job.requested_at)}`);
    this.#details.setAttribute("aria-label", `Details of the job of ${job.source} of ${clock(job.requested_at)}`);
    this.#details.addEventListener("click", () => show(job));
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
      element("td", { class: "outcome", "data-label": "Outcome" }, this.#error, this.#details, this.#button),
    );
  }

  show(job) {
    this.node.dataset.state = job.state;
    say(this.#state, WORDS[job.state]);
    say(this.#fetched, job.fetched_at ? duration(between(job.requested_at, job.fetched_at)) : NONE);
    say(this.#finished, job.finished_at ? duration(between(job.requested_at, job.finished_at)) : NONE);
    say(this.#attempts, String(job.attempts));
    say(this.#error, job.error ? `${job.error.detail} (${job.error.code})` : "");
    this.#fetched.title = job.fetched_at ? full(job.fetched_at) : "";
    this.#finished.title = job.finished_at ? full(job.finished_at) : "";
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
  const by = job.scheduled_for ? [element("span", { class: "by" }, "by schedule")] : [];
  return element("span", { class: "requested" }, moment(job.requested_at), ...by);
}
