// Asks the API. Every failure is a Problem with words for a person.

const ROOT = new URL("..", import.meta.url).pathname; // the API may be below a path of its host
const DEADLINE = 15_000; // ms
const SESSION = "/dashboard/session";
const UNAUTHENTICATED = 401;
const NO_CONTENT = 204;

/** An error that the API tells of (RFC 9457), or that it could not be asked at all. */
export class Problem extends Error {
  constructor(title, detail, type = "about:blank", status = 0) {
    super(detail);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.type = type;
  }
}

/** Returns where something of the API is, by its path in the documentation. */
export function at(path) {
  return ROOT + path.slice(1);
}

export function get(path, query = {}) {
  return ask(path, query);
}

/** `key`, if there is one, makes the request safe to repeat: the API accepts it once. */
export function post(path, { body, key } = {}) {
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(key && { "Idempotency-Key": key }) };
  return ask(path, {}, { method: "POST", headers, body: body && JSON.stringify(body) });
}

/** Saves an answer in one of its media types as a file, however long it takes to arrive. */
export async function download(path, type, name) {
  const file = await arrived(ask(path, {}, { headers: { Accept: type }, signal: null }, (response) => response.blob()));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Gives the token to the API, which keeps it in a cookie. */
export async function signIn(token) {
  // A header takes no other characters, and no token has any.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Problem("No token", "A token has no such characters.");
  await request(SESSION, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
}

export function signOut() {
  return ask(SESSION, {}, { method: "DELETE" });
}

/** Leaves the page for the one that asks for a token. */
export function leave() {
  location.replace(at(`/dashboard/sign-in.html${location.search}`));
}

// Other requests are made again by the page itself, as their problems say.
async function arrived(file) {
  try {
    return await file;
  } catch (error) {
    if (error.type !== "unreachable") throw error;
    throw new Problem(error.title, "The file did not arrive: press the button again.");
  }
}

async function ask(path, query, options, read) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null));
  const url = parameters.size ? `${path}?${parameters}` : path;
  try {
    return await request(url, options, read);
  } catch (error) {
    if (error.status !== UNAUTHENTICATED) throw error;
    leave();
    return new Promise(() => {}); // nothing more is to happen on this page
  }
}

async function request(url, options, read = decoded) {
  try {
    return await read(await fetched(url, options));
  } catch (error) {
    throw error instanceof Problem ? error : unreachable(error);
  }
}

function decoded(response) {
  return response.status === NO_CONTENT ? null : response.json();
}

async function fetched(url, options) {
  try {
    const response = await fetch(at(url), { signal: AbortSignal.timeout(DEADLINE), ...options });
    if (!response.ok) throw await problem(response);
    return response;
  } catch (error) {
    throw error instanceof Problem ? error : unreachable(error);
  }
}

async function problem(response) {
  try {
    const { title, detail, type } = await response.json();
    if (title && detail) return new Problem(title, detail, type, response.status);
  } catch {
    // Not the API's own answer but that of something on the way to it.
  }
  return new Problem(
    `The answer was ${response.status}`,
    "Something between this page and the API answers in its place; the page tries again.",
    response.status < 500 ? "about:blank" : "unreachable",
    response.status,
  );
}

function unreachable(error) {
  return error.name === "TimeoutError"
    ? new Problem("No answer", `The API did not answer within ${DEADLINE / 1000} s.`, "unreachable")
    : new Problem("The API cannot be reached", "The page tries again by itself.", "unreachable");
}
