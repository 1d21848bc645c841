// Requests for jobs, sent until it is known whether they were accepted.

import { Problem, post } from "./api.js";
import { notify, settle } from "./notices.js";

const RESEND = 3_000; // ms
const UNKNOWN = new Set(["unreachable", "urn:mousetrap:problem:outcome-unknown"]);
const NOT_FAILED = "urn:mousetrap:problem:not-failed";

/** Requests a job for a source; returns its id, or null after telling why there is none. */
export function refresh(source) {
  const request = { body: { source }, key: newKey() };
  return sendUntilKnown(`Refresh of ${source}`, () => post("/refresh", request));
}

/** Requests further attempts of a failed job; returns as `refresh` does. */
export function retry(job) {
  return sendUntilKnown(`Retry of ${job.source}`, async (again) => {
    try {
      return await post(`/jobs/${job.job_id}/retry`);
    } catch (error) {
      // The request before, whose answer was lost, was accepted.
      if (again && error.type === NOT_FAILED) return job;
      throw error;
    }
  });
}

async function sendUntilKnown(about, send) {
  settle(about);
  for (let again = false; ; again = true) {
    try {
      const { job_id: id } = await send(again);
      settle(about);
      return id;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const known = !UNKNOWN.has(problem.type);
      if (known) settle(about);
      if (known || !again) notify(known ? problem : unaccepted(problem), about);
      if (known) return null;
    }
    await new Promise((resolve) => setTimeout(resolve, RESEND));
  }
}

function unaccepted({ title, detail }) {
  const promise = "Not accepted yet: as long as this page is open, it sends the request again until it is.";
  return new Problem(title, `${promise} ${detail}`, "unaccepted");
}

// Of the ways to make a key this one works without HTTPS, too.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (it) => it.toString(16)).join("-");
}
