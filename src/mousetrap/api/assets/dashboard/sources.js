// The sources: what each has, how its newest job fares, and a button for another one.

import { byId, element, isBusy, say, setBusy } from "./dom.js";
import { brief } from "./feed.js";
import { ago, between, clock, counted, duration, full } from "./format.js";

// The worst first, with what its badge says.
const VERDICTS = { failing: "failing", stale: "stale", untried: "never tried", fine: "" };
const STEPS = ["Queued", "Fetched", "Stored"];
// How to come by a first summary, by the state of the newest job.
const FIRST = { none: "Refresh requests one", queued: "it is on its way", failed: "Refresh tries again" };

export class Sources {
  #cards = new Map(); // by name
  #refresh;
  #choose;

  /**
   * `refresh` is called with the name of the source whose button is pressed, and `choose` with that
   * of the source whose link is followed.
   */
  constructor({ refresh, choose }) {
    this.#refresh = refresh;
    this.#choose = choose;
  }

  /** Shows the items of `GET /sources`. */
  show(items) {
    const names = new Set(items.map((item) => item.name));
    for (const [name, card] of this.#cards) {
      if (names.has(name)) continue;
      card.node.remove();
      this.#cards.delete(name);
    }
    for (const item of items) this.#cardOf(item.name).describe(item);
    this.#order();
  }

  /** Shows how the newest job of its source fares. */
  progress(job) {
    this.#cards.get(job.source)?.progress(job);
  }

  /** Marks the source that map and chart show. */
  mark(name) {
    for (const [other, card] of this.#cards) card.mark(other === name);
  }

  /** Brings "12 s ago" up to date. */
  tick() {
    for (const card of this.#cards.values()) card.tick();
  }

  /** Problems come first. Of the cards only those out of place are moved, and the focus stays. */
  #order() {
    const list = byId("source-list");
    const focused = document.activeElement;
    const cards = [...this.#cards.values()].sort((a, b) => a.rank - b.rank || a.name.localeCompare(b.name));
    cards.forEach(({ node }, index) => {
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    });
    if (focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  #cardOf(name) {
    if (!this.#cards.has(name)) {
      const card = new Card(name, this.#refresh, this.#choose);
      this.#cards.set(name, card);
    }
    return this.#cards.get(name);
  }
}

class Card {
  #link;
  #badge = element("span", { class: "badge" });
  #newest = element("p");
  #schedule = element("p");
  #steps = STEPS.map((label) => new Step(label));
  #track;
  #error = element("p", { class: "error" });
  #circuit = element("p", { class: "circuit" });
  #remarks = element("p", { class: "remarks" });
  #button;
  #item = null;
  #job = null;

  constructor(name, refresh, choose) {
    this.name = name;
    this.#link = element("a", { href: `?${new URLSearchParams({ source: name })}` }, name);
    this.#link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      choose(name);
    });
    this.#button = element("button", { type: "button", "aria-label": `Refresh ${name}` }, "Refresh");
    this.#button.addEventListener("click", () => this.#press(refresh));
    this.#track = element(
      "ol",
      { class: "track", "aria-label": `The newest job of ${name}`, hidden: "" },
      ...this.#steps.map((step) => step.node),
    );
    this.node = element(
      "li",
      { "data-source": name },
      element("h3", {}, this.#link, " ", this.#badge),
      this.#button,
      element("div", { class: "about" }, this.#newest, this.#schedule),
      this.#circuit,
      this.#remarks,
      this.#track,
      this.#error,
    );
  }

  describe(item) {
    this.#item = item;
    const next = item.next_scheduled_at;
    const schedule = next ? `every ${item.every}, next at ${clock(next)}` : "on request";
    say(this.#schedule, item.default ? `${schedule}, default` : schedule);
    this.#schedule.title = next ? full(next) : "";
    say(this.#circuit, words(item.circuit));
    say(this.#remarks, brief(item.newest?.feed));
    if (item.newest_job) this.progress(item.newest_job);
    this.#judge();
    this.tick();
  }

  /** The place of this card among the others: the more there is to do about it, the lower. */
  get rank() {
    return Object.keys(VERDICTS).indexOf(this.node.dataset.verdict);
  }

  #judge() {
    const { circuit, stale, newest } = this.#item;
    const failing = this.#job?.state === "failed" || circuit?.failures > 0;
    const fine = this.#job || newest ? "fine" : "untried";
    this.node.dataset.verdict = failing ? "failing" : stale ? "stale" : fine;
    say(this.#badge, VERDICTS[this.node.dataset.verdict]);
  }

  tick() {
    const newest = this.#item?.newest;
    const first = FIRST[this.#job?.state ?? "none"] ?? FIRST.queued; // one that succeeded is about to be listed
    say(this.#newest, newest ? `${counted(newest.count, "point")}, ${ago(newest.requested_at)}` : `no summary yet: ${first}`);
    this.#newest.title = newest ? full(newest.requested_at) : "";
  }

  mark(chosen) {
    if (chosen) this.#link.setAttribute("aria-current", "true");
    else this.#link.removeAttribute("aria-current");
  }

  progress(job) {
    if (this.#job && Date.parse(job.requested_at) < Date.parse(this.#job.requested_at)) return;
    this.#job = job;
    const { state, attempts } = job;
    const [queued, fetched, stored] = this.#steps;
    const failed = state === "failed";
    this.#track.hidden = false;
    queued.show("done", attempts > 1 ? `attempt ${attempts}` : "");
    if (state === "succeeded") {
      fetched.show("done", duration(between(job.requested_at, job.fetched_at)));
      stored.show("done", duration(between(job.fetched_at, job.finished_at)));
    } else {
      fetched.show(failed ? "failed" : "active", failed ? "" : "…");
      stored.show("waiting", "");
    }
    say(this.#error, failed ? `Failed at ${clock(job.finished_at)}: ${job.error.detail}` : "");
    this.#error.title = failed ? full(job.finished_at) : "";
    if (this.#item) this.#judge();
  }

  async #press(refresh) {
    if (isBusy(this.#button)) return;
    setBusy(this.#button, true);
    await refresh(this.name);
    setBusy(this.#button, false);
  }
}

/** Says how the circuit breaker of a source stands, unless all is well or nobody knows. */
function words(circuit) {
  if (!circuit || circuit.state === "closed") return "";
  const { state, since, failures, last_error } = circuit;
  const now = state === "open" ? `Not asked since ${clock(since)}` : "Probed now";
  return `${now}: failed ${failures} times in a row, last with ${last_error}`;
}

class Step {
  #label;
  #words = element("span");
  #figure = element("span", { class: "figure" });

  constructor(label) {
    this.#label = label;
    this.node = element("li", {}, this.#words, this.#figure);
  }

  show(progress, figure) {
    this.node.dataset.progress = progress;
    say(this.#words, progress === "failed" ? "Failed" : this.#label);
    say(this.#figure, figure);
  }
}
