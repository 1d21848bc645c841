// Names and roles that Swagger UI leaves out, for people who do not see the page or use no mouse. It renders
// again and again, and keeps attributes that it does not know.

const SCROLLED = ".responses-inner, pre.microlight";
const REGIONS = ".information-container, .scheme-container";
const NAMES = [
  [".information-container", () => "Introduction"],
  [".scheme-container", () => "Server and token"],
  ["#servers", () => "Server"],
  [".close-modal", () => "Close"],
  [".examples-select-element", () => "Example"],
  [".body-param__text", () => "Body of the request"],
  ["[data-param-name] select", (it) => it.closest("[data-param-name]").dataset.paramName],
];

new MutationObserver(mend).observe(document.querySelector("#swagger-ui"), { childList: true, subtree: true });

function mend() {
  for (const [selector, name] of NAMES) each(selector, (it) => it.setAttribute("aria-label", name(it)));
  each(REGIONS, (it) => it.setAttribute("role", "region"));
  each(SCROLLED, (it) => it.setAttribute("tabindex", "0"));
  // As regions all of them would have the same name, and no rows.
  each(".responses-table[role]", (it) => it.removeAttribute("role"));
  // There is no heading of the second level.
  each("h3, h4, h5, h6", (it) => it.setAttribute("aria-level", String(Number(it.tagName[1]) - 1)));
}

function each(selector, change) {
  document.querySelectorAll(`#swagger-ui :is(${selector})`).forEach(change);
}
