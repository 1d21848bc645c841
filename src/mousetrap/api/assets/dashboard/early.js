// Asks for the first summary and its batch while the rest of the page is still on its way.

import { parameter } from "./address.js";
import { get } from "./api.js";

/** Loads the summary that the address asks for. */
export function loadSummary(source = parameter("source"), id = parameter("summary")) {
  return id ? get(`/summaries/${encodeURIComponent(id)}`) : get("/", { source });
}

/** Loads the batch of a summary; null without a summary. */
export function loadBatch(summary) {
  return summary.job_id ? get(`/summaries/${summary.job_id}/points`) : null;
}

let summary = loadSummary();
let batch = summary.then(loadBatch);
batch.catch(() => {}); // who takes them hears of it

/** The promises of both, for the one who asks first; null for everybody else. */
export function takeFirst() {
  const found = summary && { summary, batch };
  summary = batch = null;
  return found;
}
