// The one dialog of the page: details of what a row of a table is about.

import { byId, element } from "./dom.js";

const dialog = byId("dialog");
let turns = 0; // how often its content was asked for, shown or closed

byId("dialog-close").addEventListener("click", () => dialog.close());
// A click beside the content is one on the dialog itself.
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => turns++);

/**
 * Claims the dialog for content that is on its way; the function that is returned tells whether
 * that is still wanted: nothing else claimed or filled the dialog, and nobody closed it, since.
 */
export function claim() {
  const turn = ++turns;
  return () => turn === turns;
}

/** Shows nodes under a title until a person closes them. */
export function open(title, ...content) {
  turns++;
  byId("dialog-title").textContent = title;
  byId("dialog-content").replaceChildren(...content);
  if (!dialog.open) dialog.showModal();
}

/** Calls `done` when the dialog is closed next. */
export function whenClosed(done) {
  dialog.addEventListener("close", done, { once: true });
}

/** A list of terms, each with a text or a node; those without are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const rows = known.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)));
  return element("dl", { class: "pairs" }, ...rows);
}
