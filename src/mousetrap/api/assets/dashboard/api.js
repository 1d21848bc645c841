// Asks the API. Whatever goes wrong is a Problem with words for a person.

const DEADLINE = 15_000; // ms

/** An error that the API tells of (RFC 9457), or that it could not be asked at all. */
export class Problem extends Error {
  constructor(title, detail, type = "about:blank") {
    super(detail);
    this.title = title;
    this.detail = detail;
    this.type = type;
  }
}

export function get(path, query = {}) {
  return ask(path, query, {});
}

export function post(path, body) {
  const content = body && {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  return ask(path, {}, { method: "POST", ...content });
}

async function ask(path, query, options) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null));
  const url = parameters.size ? `${path}?${parameters}` : path;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE), ...options });
    if (!response.ok) throw await problem(response);
    return await response.json();
  } catch (error) {
    throw error instanceof Problem ? error : unreachable(error);
  }
}

async function problem(response) {
  try {
    const { title, detail, type } = await response.json();
    if (title && detail) return new Problem(title, detail, type);
  } catch {
    // Not the API's own answer but that of something on the way to it.
  }
  return new Problem(
    `The answer was ${response.status}`,
    "Something between this page and the API answers in its place; the page tries again.",
  );
}

function unreachable(error) {
  return error.name === "TimeoutError"
    ? new Problem("No answer", `The API did not answer within ${DEADLINE / 1000} s.`, "unreachable")
    : new Problem("The API cannot be reached", "The page tries again by itself.", "unreachable");
}
