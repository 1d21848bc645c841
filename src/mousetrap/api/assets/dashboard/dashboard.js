// Puts the page together: what is chosen, what is loaded when, what an event changes.

import { refresh as requestRefresh, retry as requestRetry } from "./actions.js";
import { parameter, queryWith } from "./address.js";
import { Problem, get } from "./api.js";
import { Chart } from "./chart.js";
import { showDeadLetters } from "./letters.js";
import { byId, say } from "./dom.js";
import { clock } from "./format.js";
import { jobChanged, showJob } from "./job.js";
import { Jobs } from "./jobs.js";
import { WorldMap } from "./map.js";
import { announce, notify, settleUnreachable } from "./notices.js";
import { paced, repeated } from "./pace.js";
import { showQueues, showQueuesProblem } from "./queues.js";
import { showSession } from "./session.js";
import { Sources } from "./sources.js";
import { follow } from "./stream.js";
import { SummaryView } from "./summary.js";

const QUEUES_EVERY = 3_000; // ms
const AT_MOST_EVERY = 1_000; // ms: however often jobs end, nothing is loaded more often
const SOURCES_EVERY = 15_000; // ms: that nothing happens is no event
const LETTERS_EVERY = 60_000; // ms

const map = new WorldMap(byId("map"), { loadFineLand });
const chart = new Chart();
const summary = new SummaryView({ map, chart, navigate, guarded, onSource: (name) => sources.mark(name) });
const jobs = new Jobs({ retry, show: (job) => showJob(job.job_id), reload: () => loadJobs() });
const sources = new Sources({ refresh, choose });
const ours = new Set(); // the ids of the jobs that this page asked for and that have not ended

const loadSummaryNow = guarded("The map", () => summary.load());
const loadSummary = paced(loadSummaryNow, AT_MOST_EVERY);
const loadLists = paced(guarded("The lists", showLists), AT_MOST_EVERY);
const loadJobs = guarded("The jobs", () => jobs.load());
const loadLetters = paced(guarded("The dead letters", showDeadLetters), AT_MOST_EVERY);
const loadSources = paced(guarded("The sources", showSources), AT_MOST_EVERY);

// The map comes first: what else the page does before would take time from it.
loadSummaryNow().finally(goLive);
loadLand("110m");
setInterval(tick, 1_000);
addEventListener("popstate", loadSummaryNow);
document.addEventListener("click", followView);

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
  if (name === summary.source && parameter("summary") === null) return;
  navigate(queryWith({ source: name, summary: null, compare: null }));
}

/** Shows what another query of the address asks for. */
function navigate(query) {
  history.pushState(null, "", query);
  loadSummaryNow();
}

/** Follows links to another view of this page without loading it anew. */
function followView(event) {
  const link = event.target.closest("a[data-view]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const view = Object.fromEntries(new URLSearchParams(link.search));
  navigate(queryWith({ source: null, summary: null, compare: null, ...view }));
}

function loadLand(scale) {
  return guarded("The outline of the land", async () => map.drawLand(await get(`/dashboard/map/land-${scale}.json`)))();
}

function loadFineLand() {
  loadLand("50m");
}

async function showLists() {
  await Promise.all([jobs.load(), showSources()]);
  settleUnreachable();
}

async function showSources() {
  const { items } = await get("/sources");
  sources.show(items);
  jobs.offer(items.map((item) => item.name));
  const current = items.find((item) => (summary.source === null ? item.default : item.name === summary.source));
  if (!current) return;
  sources.mark(current.name);
  if (current.newest && summary.follows(current.newest)) loadSummary();
}

function tick() {
  summary.tick();
  sources.tick();
}

function onJob(job) {
  jobs.put(job);
  jobChanged(job);
  sources.progress(job);
  if (job.state !== "queued") loadSources();
  if (job.state !== "queued" && job.source === summary.source) loadSummary();
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
