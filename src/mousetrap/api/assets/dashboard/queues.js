// The two streams: how long they are, how old, and who works on them.

import { byId, element, say } from "./dom.js";
import { NONE, counted, duration, integer } from "./format.js";

const TITLES = { fetch: "Fetch", process: "Process" };
const rows = new Map();

/** Shows the items of `GET /queues`. */
export function showQueues(items) {
  say(byId("queues-problem"), "");
  for (const item of items) show(rowOf(item.name), item);
}

/** Shows that it is not known how the queues are. */
export function showQueuesProblem(problem) {
  say(byId("queues-problem"), problem.detail);
  for (const row of rows.values()) show(row, { messages: null, oldest_seconds: null, workers: null });
}

function show(row, { messages, oldest_seconds: age, workers }) {
  say(row.messages, messages === null ? NONE : integer(messages));
  say(row.age, age === null ? NONE : duration(age * 1000));
  say(row.workers, workers === null ? NONE : counted(workers, "worker"));
  row.node.classList.toggle("unattended", workers === 0);
}

function rowOf(name) {
  if (!rows.has(name)) {
    const [messages, age, workers] = ["messages", "age", "workers"].map((it) => element("td", { class: it }));
    const title = element("th", { scope: "row" }, TITLES[name] ?? name);
    const node = element("tr", { "data-queue": name }, title, messages, age, workers);
    byId("queue-rows").append(node);
    rows.set(name, { node, messages, age, workers });
  }
  return rows.get(name);
}
