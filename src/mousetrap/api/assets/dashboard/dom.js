// Makes nodes. Text always goes in as text nodes: names of points are foreign input.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; a function among the attributes listens to the event of that name. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets an element's text, and leaves alone one that has it: assistive technology hears changes. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A button that is off keeps the focus, which `disabled` would take away. */
export function setBusy(button, busy) {
  button.setAttribute("aria-disabled", String(busy));
}

export function isBusy(button) {
  return button.getAttribute("aria-disabled") === "true";
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
