// Failures, in the words of the API, until they are dismissed or over.

import { byId, element } from "./dom.js";

const LIMIT = 4;

/** Shows a Problem, once however often it comes; `about` says what could not be done. */
export function notify(problem, about) {
  const list = byId("notices");
  const key = `${about}|${problem.type}`;
  retract((notice) => notice.dataset.key === key);
  const close = element(
    "button",
    { type: "button", class: "close", "aria-label": `Dismiss: ${problem.title}`, click: () => notice.remove() },
    "×",
  );
  const notice = element(
    "li",
    { "data-key": key, "data-type": problem.type },
    element("div", {}, element("strong", {}, `${about}: ${problem.title}`), element("p", {}, problem.detail)),
    close,
  );
  list.prepend(notice);
  [...list.children].slice(LIMIT).forEach((old) => old.remove());
}

/** Takes away what is over: the problems of what was just done, say. */
export function settle(about) {
  retract((notice) => notice.dataset.key.startsWith(`${about}|`));
}

/** Takes away that the API cannot be reached. */
export function settleUnreachable() {
  retract((notice) => notice.dataset.type === "unreachable");
}

/** Tells people who do not see the page of what came of their doing. */
export function announce(text) {
  byId("announcement").textContent = text;
}

function retract(which) {
  [...byId("notices").children].filter(which).forEach((notice) => notice.remove());
}
