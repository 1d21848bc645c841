// Messages that no worker could process, for callers who may read them.

import { Problem, get } from "./api.js";
import { facts, open } from "./dialog.js";
import { byId, element, isBusy, say, setBusy } from "./dom.js";
import { counted, integer, moment, size } from "./format.js";
import { notify } from "./notices.js";

const PAGE = 10;
const FORBIDDEN = 403;

let older = null; // the cursor of the next page
let paging = false; // whether a person has asked for more than the newest

const more = byId("letters-older");

more.addEventListener("click", async () => {
  if (isBusy(more)) return;
  setBusy(more, true);
  try {
    append(await get("/dead-letters", { limit: PAGE, cursor: older }));
    paging = true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notify(error, "The dead letters");
  } finally {
    setBusy(more, false);
  }
});

/** Loads the newest dead letters, unless a person looks at older ones. */
export async function showDeadLetters() {
  if (paging || isBusy(more)) return;
  try {
    const page = await get("/dead-letters", { limit: PAGE });
    if (paging || isBusy(more)) return;
    byId("letter-rows").replaceChildren();
    append(page);
    byId("letters").hidden = false;
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== FORBIDDEN) throw error;
    byId("letters").hidden = true;
  }
}

function append({ items, next }) {
  older = next;
  byId("letter-rows").append(...items.map(row));
  const count = byId("letter-rows").childElementCount;
  byId("letters-table").hidden = !count;
  more.hidden = next === null;
  say(byId("letters-words"), count ? "" : "None: workers could read every message.");
}

function row(letter) {
  const about = `Bytes of dead letter ${letter.id}`;
  const button = element("button", { type: "button", class: "quiet", "aria-label": about }, "Bytes");
  button.addEventListener("click", () => showBytes(letter));
  return element(
    "tr",
    {},
    element("td", {}, moment(letter.buried_at)),
    element("th", { scope: "row" }, letter.queue),
    element("td", {}, letter.reason),
    element("td", {}, counted(letter.deliveries, "delivery", "deliveries")),
    element("td", {}, size(letter.size)),
    element("td", {}, button),
  );
}

function showBytes({ id, queue, entry, job_id, reason, size: length, body }) {
  const bytes = Uint8Array.from(atob(body), (it) => it.charCodeAt(0));
  const part = bytes.length < length ? `, of which these are the first ${integer(bytes.length)}` : "";
  const about = facts([
    ["Queue", queue],
    ["Entry", entry],
    ["Job", job_id],
    ["Reason", reason],
    ["Size", `${integer(length)} bytes${part}`],
  ]);
  open(`Dead letter ${id}`, about, element("pre", { tabindex: "0" }, dump(bytes)));
}

/** Sixteen bytes a line, in hexadecimal and as text, whatever they are. */
function dump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((it) => it.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((it) => (it >= 32 && it < 127 ? String.fromCharCode(it) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}
