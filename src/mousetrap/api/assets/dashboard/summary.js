// The summary on the map: the newest one of a source, or one of its history, perhaps beside another.

import { parameter, queryWith } from "./address.js";
import { at, download, get } from "./api.js";
import { showComparison } from "./comparison.js";
import { showDetails } from "./details.js";
import { byId, element, say } from "./dom.js";
import { loadBatch, loadSummary, takeFirst } from "./early.js";
import { showFailure, showFeed } from "./feed.js";
import { NONE, ago, clock, full, integer, latitude, longitude, place } from "./format.js";
import { settle } from "./notices.js";
import { describe, explainCentroid } from "./words.js";

const HISTORY = 100; // summaries; the most that a page of the API has

export class SummaryView {
  #map;
  #chart;
  #onSource;
  #shown = null; // the summary on the map
  #other = null; // that with which it is compared
  #turns = 0; // how often it was asked what is to be there

  /** `onSource` is called with the name of the source that is shown. */
  constructor({ map, chart, onSource, navigate, guarded }) {
    this.#map = map;
    this.#chart = chart;
    this.#onSource = onSource;
    this.leave = () => navigate(queryWith({ compare: null }));
    byId("csv").addEventListener("click", guarded("The download", () => this.#downloadTable()));
  }

  /** The source that is shown or asked for; null while the default one is not known. */
  get source() {
    return this.#shown?.source ?? parameter("source");
  }

  /** Whether a newer summary of the source is to take the place of this one. */
  follows(newest) {
    return parameter("summary") === null && newest.job_id !== this.#shown?.job_id;
  }

  /** Shows what the address asks for: the map as soon as it can be drawn, then the history. */
  async load() {
    const turn = ++this.#turns;
    const wanted = parameter("source");
    const isLatest = () => turn === this.#turns; // a later one shows what is newer, or of another source
    try {
      const found = await this.#load(wanted);
      if (!isLatest()) return;
      if (!found.known) this.#draw(found);
      const history = await loadHistory(found.source);
      if (!isLatest()) return;
      this.#showHistory(found, history);
      settle("The map");
    } catch (problem) {
      // Data of another source must not stay under this one's name.
      if (isLatest() && wanted !== null && this.#shown?.source !== wanted) {
        this.#draw({ source: wanted, summary: null, batch: null, other: null, others: null });
        this.#chart.show(wanted, []);
        showFailure();
      }
      throw problem;
    }
  }

  /** Brings "12 s ago" up to date. */
  tick() {
    const requested = this.#shown?.requested_at;
    say(byId("age"), requested ? `requested ${ago(requested)}` : "no summary yet: Refresh requests one");
    byId("age").title = requested ? full(requested) : "";
  }

  async #load(wanted) {
    const first = takeFirst();
    const found = await (first ? first.summary : loadSummary());
    const otherId = parameter("compare");
    const otherPath = `/summaries/${encodeURIComponent(otherId)}`;
    const summary = found.job_id ? found : null;
    const source = summary?.source ?? wanted ?? (await defaultSource());
    const isShown = summary !== null && summary.job_id === this.#shown?.job_id;
    if (isShown && otherId === (this.#other?.job_id ?? null)) return { known: true, source, summary };
    const [batch, other, others] = await Promise.all([
      first ? first.batch : loadBatch(found),
      otherId && get(otherPath),
      otherId && get(`${otherPath}/points`),
    ]);
    return { known: false, source, summary, batch, other, others };
  }

  #draw({ source, summary, batch, other, others }) {
    this.#shown = summary;
    this.#other = other;
    this.#map.show(summary, batch, others);
    showFacts(source, summary);
    showComparison(summary, other, this.leave);
    byId("downloads").hidden = !summary;
    if (summary) {
      byId("geojson").href = at(`/summaries/${summary.job_id}/points`);
      byId("geojson").download = fileName(summary, "geojson");
    }
    byId("map").dataset.summary = summary?.job_id ?? "";
    this.#onSource(source);
    this.tick();
  }

  #showHistory({ source, summary }, { summaries, failures }) {
    this.#chart.show(source, summaries, summary);
    this.#tellAge(summary, summaries[0]);
    showFailure(failures[0]);
  }

  /** Says that a summary is not the newest one, with the way back. */
  #tellAge(summary, newest) {
    const note = byId("not-newest");
    note.hidden = parameter("summary") === null;
    if (note.hidden) return;
    const isNewest = newest?.job_id === summary.job_id;
    const href = `?${new URLSearchParams({ source: summary.source })}`;
    const link = element("a", { href, "data-view": "" }, isNewest ? "Follow the newest" : "Show the newest");
    note.replaceChildren(`The summary of ${clock(summary.requested_at)}${isNewest ? ", the newest" : ""}. `, link);
  }

  async #downloadTable() {
    const summary = this.#shown;
    settle("The download");
    await download(`/summaries/${summary.job_id}/points`, "text/csv", fileName(summary, "csv"));
  }
}

async function loadHistory(source) {
  const [summaries, failures] = await Promise.all([
    get("/summaries", { source, limit: HISTORY }),
    get("/jobs", { source, state: "failed", limit: 1 }),
  ]);
  return { summaries: summaries.items, failures: failures.items };
}

async function defaultSource() {
  const { items } = await get("/sources");
  return items.find((item) => item.default).name;
}

function fileName({ source, requested_at: time }, ending) {
  return `${source}-${time.slice(0, 19).replaceAll(":", "")}.${ending}`;
}

function showFacts(source, summary) {
  const north = summary?.most_northerly;
  const [west, south, east, top] = summary?.bbox ?? [];
  document.title = `${source} – Mousetrap`;
  say(byId("source-name"), source);
  say(byId("map-words"), describe(summary));
  say(byId("fact-count"), summary ? integer(summary.count) : NONE);
  say(byId("fact-centroid"), summary?.centroid ? place(...summary.centroid) : NONE);
  say(byId("fact-centroid-why"), summary ? explainCentroid(summary) : "");
  say(byId("fact-north"), north ? place(north.lat, north.lon) : NONE);
  say(byId("fact-north-name"), north?.name ?? "");
  say(byId("fact-box"), summary ? `${longitude(west)} → ${longitude(east)}` : NONE);
  say(byId("fact-box-height"), summary ? `${latitude(south)} → ${latitude(top)}` : "");
  showDetails(summary);
  showFeed(summary?.feed);
}
