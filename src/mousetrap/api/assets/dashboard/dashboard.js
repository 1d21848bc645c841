// Puts the page together: what is chosen, what is loaded when, what an event changes.

import { refresh as requestRefresh, retry as requestRetry } from "./actions.js";
import { parameter, queryWith } from "./address.js";
import { Problem, get } from "./api.js";
import { Chart } from "./chart.js";
import { showDetails } from "./details.js";
import { showDeadLetters } from "./dead-letters.js";
import { byId, say } from "./dom.js";
import { showFailure, showFeed } from "./feed.js";
import { NONE, ago, clock, full, integer, latitude, longitude, place } from "./format.js";
import { jobChanged, showJob } from "./job.js";
import { Jobs } from "./jobs.js";
import { WorldMap, describe } from "./map.js";
import { announce, notify, settle, settleUnreachable } from "./notices.js";
import { paced, repeated } from "./pace.js";
import { showQueues, showQueuesProblem } from "./queues.js";
import { showSession } from "./session.js";
import { Sources } from "./sources.js";
import { follow } from "./stream.js";

const HISTORY = 100; // summaries; the most that a page of the API has
const QUEUES_EVERY = 3_000; // ms
const AT_MOST_EVERY = 1_000; // ms: however often jobs end, nothing is loaded more often

const SOURCES_EVERY = 15_000; // ms: that nothing happens is no event
const LETTERS_EVERY = 60_000; // ms

const map = new WorldMap(byId("map"));
const chart = new Chart();
const jobs = new Jobs({ retry, show: (job) => showJob(job.job_id), reload: () => loadJobs() });
const sources = new Sources({ refresh, choose });
const ours = new Set(); // the ids of the jobs that this page asked for and that have not ended

let chosen = parameter("source"); // null stands for the default source
let shown = null; // the summary on the map
let turns = 0; // how often it was asked what is to be there

const loadSummaryNow = guarded("The map", showSummary);
const loadSummary = paced(loadSummaryNow, AT_MOST_EVERY);
const loadLists = paced(guarded("The lists", showLists), AT_MOST_EVERY);
const loadJobs = guarded("The jobs", () => jobs.load());
const loadLetters = paced(guarded("The dead letters", showDeadLetters), AT_MOST_EVERY);
const loadSources = paced(guarded("The sources", showSources), AT_MOST_EVERY);

// The map comes first: what else the page does before would take time from it.
loadSummaryNow().finally(goLive);
guarded("The outline of the land", async () => map.drawLand(await get("/dashboard/land.geojson")))();
setInterval(tick, 1_000);
addEventListener("popstate", () => show(parameter("source")));

function goLive() {
  follow("/events", { onJob, onGap: loadLists, onState });
  repeated(pollQueues, QUEUES_EVERY);
  loadLetters();
  setInterval(loadLetters, LETTERS_EVERY);
  setInterval(loadSources, SOURCES_EVERY);
  if (parameter("job")) showJob(parameter("job"));
  guarded("The session", showSession)();
}

function choose(name) {
  if (name === chosen) return;
  history.pushState(null, "", queryWith({ source: name }));
  show(name);
}

function show(name) {
  chosen = name;
  loadSummaryNow();
}

async function showSummary() {
  const turn = ++turns;
  const wanted = chosen;
  try {
    const show = await loadNewest(wanted);
    if (turn !== turns) return; // a later one shows what is newer, or of another source
    show();
    settle("The map");
  } catch (problem) {
    // Data of another source must not stay under this one's name.
    if (turn === turns && wanted !== null && shown?.source !== wanted) {
      draw(wanted, null, null, []);
      showFailure();
    }
    throw problem;
  }
}

/** Loads the newest summary, and its batch unless it is on the map; returns what shows them. */
async function loadNewest(wanted) {
  const newest = await get("/", { source: wanted });
  const summary = newest.job_id ? newest : null;
  const source = summary?.source ?? wanted ?? (await defaultSource());
  const known = summary !== null && isShown(summary);
  const [batch, page, failures] = await Promise.all([
    summary && !known ? get(`/summaries/${summary.job_id}/points`) : null,
    get("/summaries", { source, limit: HISTORY }),
    get("/jobs", { source, state: "failed", limit: 1 }),
  ]);
  return () => {
    if (known) chart.show(source, page.items);
    else draw(source, summary, batch, page.items);
    showFailure(failures.items[0]);
  };
}

function isShown(summary) {
  return summary.job_id === shown?.job_id;
}

function draw(source, summary, batch, summaries) {
  shown = summary;
  map.show(summary, batch);
  chart.show(source, summaries);
  showFacts(source, summary);
  sources.mark(source);
}

async function defaultSource() {
  const { items } = await get("/sources");
  return items.find((item) => item.default).name;
}

async function showLists() {
  await Promise.all([jobs.load(), showSources()]);
  settleUnreachable();
}

async function showSources() {
  const { items } = await get("/sources");
  sources.show(items);
  jobs.offer(items.map((item) => item.name));
  const current = items.find((item) => (chosen === null ? item.default : item.name === chosen));
  if (!current) return;
  sources.mark(current.name);
  if (current.newest && !isShown(current.newest)) loadSummary();
}

function showFacts(source, summary) {
  const north = summary?.most_northerly;
  const [west, south, east, top] = summary?.bbox ?? [];
  document.title = `${source} – Mousetrap`;
  say(byId("source-name"), source);
  say(byId("map-words"), describe(summary));
  say(byId("fact-count"), summary ? integer(summary.count) : NONE);
  say(byId("fact-centroid"), summary?.centroid ? place(...summary.centroid) : NONE);
  say(byId("fact-north"), north ? place(north.lat, north.lon) : NONE);
  say(byId("fact-north-name"), north?.name ?? "");
  say(byId("fact-box"), summary ? `${longitude(west)} → ${longitude(east)}` : NONE);
  say(byId("fact-box-height"), summary ? `${latitude(south)} → ${latitude(top)}` : "");
  showDetails(summary);
  showFeed(summary?.feed);
  byId("map").dataset.summary = summary?.job_id ?? "";
  tick();
}

function tick() {
  say(byId("age"), shown ? `requested ${ago(shown.requested_at)}` : "no summary yet");
  byId("age").title = shown ? full(shown.requested_at) : "";
  sources.tick();
}

function onJob(job) {
  jobs.put(job);
  jobChanged(job);
  sources.progress(job);
  if (job.state !== "queued") loadSources();
  if (job.state !== "queued" && job.source === (shown?.source ?? chosen)) loadSummary();
  if (job.state !== "queued" && ours.delete(job.job_id)) announce(outcome(job));
}

function outcome(job) {
  return job.error ? `${job.source} failed: ${job.error.detail}` : `${job.source}: the new summary is stored`;
}

function onState(state) {
  const connection = byId("connection");
  if (state !== "lost" || connection.dataset.state !== "lost") say(connection, wordsOf(state));
  connection.dataset.state = state;
  byId("main").classList.toggle("old", state === "lost");
  if (state === "live") settleUnreachable();
}

function wordsOf(state) {
  if (state === "connecting") return "Connecting";
  if (state === "live") return "Live";
  return `Connection lost, trying again; grey numbers are of ${clock(new Date())}`;
}

async function refresh(source) {
  const id = await requestRefresh(source);
  if (id === null) return;
  const ended = jobs.ended(id); // its event may have been faster than the answer
  if (!ended) ours.add(id);
  announce(ended ? outcome(ended) : `${source} is queued`);
}

async function retry(job) {
  const id = await requestRetry(job);
  if (id === null) return;
  ours.add(id);
  announce(`${job.source} is queued again`);
}

async function pollQueues() {
  try {
    const { items } = await get("/queues");
    showQueues(items);
  } catch (error) {
    showQueuesProblem(expected(error));
  }
}

function guarded(about, work) {
  return async () => {
    try {
      await work();
    } catch (error) {
      notify(expected(error), about);
    }
  };
}

/** A Problem is what may happen; everything else is a fault of this page, for the console. */
function expected(error) {
  if (error instanceof Problem) return error;
  throw error;
}
