// The address of the page: what is shown, so that a view can be bookmarked and shared.

/** The value of a parameter; null without one. */
export function parameter(name) {
  return new URLSearchParams(location.search).get(name);
}

/** The query of the present address with other values; null takes a parameter away. */
export function queryWith(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  return `?${query}`;
}

/** Changes parameters, without another entry in the history of the browser. */
export function remember(changes) {
  history.replaceState(null, "", queryWith(changes));
}
