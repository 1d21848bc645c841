// The members of a summary that its source asks for: groups, values, density, changes.

import { at } from "./api.js";
import { byId, element } from "./dom.js";
import { NONE, counted, integer, number } from "./format.js";

const SHOWN = 8; // groups

/** Shows what a summary has of them; null is no summary. */
export function showDetails(summary) {
  const { groups, values, grid, changes } = summary ?? {};
  byId("details").replaceChildren(
    ...(groups ? [block("Groups", list(groupRows(groups)))] : []),
    ...(values ? [block("Values", list(valueRows(values)))] : []),
    ...(grid ? [block("Density", element("p", {}, density(grid)))] : []),
    ...(changes ? [block("Changes", changed(summary.job_id, changes))] : []),
  );
}

function block(title, content) {
  return element("section", {}, element("h3", {}, title), content);
}

function list(rows) {
  const pairs = rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", {}, ...pairs);
}

function groupRows({ counts, others, without }) {
  const all = Object.entries(counts);
  const rest = all.slice(SHOWN).reduce((sum, [, count]) => sum + count, others);
  return [
    ...all.slice(0, SHOWN).map(([value, count]) => [value || "(empty)", integer(count)]),
    ...(rest ? [["others", integer(rest)]] : []),
    ...(without ? [["without a value", integer(without)]] : []),
  ];
}

function valueRows({ count, min, median, mean, max }) {
  const rows = Object.entries({ min, median, mean, max });
  return [
    ...rows.map(([name, value]) => [name, value === null ? NONE : number(value)]),
    ["points", integer(count)],
  ];
}

function density({ degrees, cells }) {
  const most = Math.max(...cells.map(([, , count]) => count));
  return `${counted(cells.length, "cell")} of ${number(degrees)}° with points, the fullest with ${integer(most)}`;
}

function changed(id, { since, new: fresh, gone }) {
  if (since === null) return element("p", {}, "No earlier summary with ids to compare with");
  const link = element("a", { href: at(`/summaries/${id}/changes`) }, `${integer(fresh)} new, ${integer(gone)} gone`);
  return element("p", {}, link);
}
