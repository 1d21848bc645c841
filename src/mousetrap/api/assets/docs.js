// The API may be below a path of its host, so everything is relative to this file.
const API = new URL("../../", document.currentScript.src);
const DEADLINE = 2_000; // ms
const ACCEPTED = 202;
const MOST_LOOKS = 120;
const BETWEEN_LOOKS = 500; // ms
const dark = matchMedia("(prefers-color-scheme: dark)");

follow(dark);
dark.addEventListener("change", follow);
start();

async function start() {
  const first = await usefulIds();
  const ui = SwaggerUIBundle({
    url: new URL("docs/openapi.json", API).href,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    syntaxHighlight: { theme: "tomorrow-night" }, // the default one has dark red on grey
    validatorUrl: null,
    plugins: [withoutNestedLinks],
    responseInterceptor(answer) {
      if (answer.status === ACCEPTED) ended(answer.body.job_id).then(async () => fill(ui, await usefulIds()));
      return answer;
    },
    onComplete() {
      putErrorsLast();
      fill(ui, first);
    },
  });
}

/** Swagger UI has dark colours, and no setting for them. */
function follow({ matches }) {
  document.documentElement.classList.toggle("dark-mode", matches);
}

/** The ids of jobs for which the requests can be sent as they are, as far as the caller may know of some. */
async function usefulIds() {
  const [succeeded, failed, changed] = await Promise.all([
    newest("jobs?state=succeeded&limit=1"),
    newest("jobs?state=failed&limit=1"),
    newest("summaries?limit=50", ({ changes }) => changes),
  ]);
  // The answer to another one says at least which job is needed.
  return { job: succeeded, retry: failed ?? succeeded, changes: changed ?? succeeded };
}

async function newest(page, fits = () => true) {
  return (await read(page))?.items.find(fits)?.job_id;
}

/** Reads of the API; undefined without an answer, as the document can be read without the API. */
async function read(path) {
  try {
    const answer = await fetch(new URL(path, API), { signal: AbortSignal.timeout(DEADLINE) });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

/** Waits for the end of a job, as long as somebody may look. */
async function ended(id) {
  for (let left = MOST_LOOKS; left > 0; left -= 1) {
    const job = await read(`jobs/${id}`);
    if (!job || ["succeeded", "failed"].includes(job.state)) return;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS));
  }
}

/** Puts ids where nobody has typed one. */
function fill({ specActions, specSelectors }, ids) {
  for (const [path, operations] of Object.entries(specSelectors.specJson().get("paths").toJS())) {
    const id = ids[path.split("/").at(-1)] ?? ids.job;
    for (const [method, { parameters = [] }] of Object.entries(operations)) {
      if (!id || !parameters.some(({ name }) => name === "job_id")) continue;
      // By its name: a value that is typed has a longer key, and hides this one.
      specActions.changeParam([path, method], "job_id", "path", id, false);
    }
  }
}

/** The path of an operation is in a button that does what the link in it did. */
function withoutNestedLinks({ React }) {
  return { components: { DeepLink: ({ text }) => React.createElement("span", {}, text) } };
}

/** Moves the table of all problems behind the operations. */
function putErrorsLast() {
  const table = document.querySelector(".swagger-ui .info table");
  const end = document.querySelector("#problems");
  if (!table || !end) return;
  end.append(table);
  end.hidden = false;
}
