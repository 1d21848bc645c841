// Follows `GET /events`.

import { at } from "./api.js";

const REOPEN = 5_000; // ms

/**
 * Follows the events of all jobs for as long as the page lives.
 *
 * `onJob` is given every job that changes. `onGap` is called when changes may have been missed, so
 * that what is shown has to be loaded anew: at the start, on `reset`, and for as long as there is no
 * stream to be had. After a lost connection the browser itself resumes where it was.
 * `onState` is told "connecting", "live" or "lost".
 */
export function follow(path, { onJob, onGap, onState }) {
  const source = new EventSource(at(path));
  let fresh = true;

  onState("connecting");
  source.addEventListener("ready", () => {
    onState("live");
    if (fresh) onGap();
    fresh = false;
  });
  source.addEventListener("job", (event) => onJob(JSON.parse(event.data)));
  source.addEventListener("reset", onGap);
  source.addEventListener("error", () => {
    onState("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    // An answer that is no stream ends an EventSource for good.
    onGap();
    setTimeout(() => follow(path, { onJob, onGap, onState }), REOPEN);
  });
}
