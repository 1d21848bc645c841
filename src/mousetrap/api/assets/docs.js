// The API may be below a path of its host, so everything is relative to this file.
const API = new URL("../../", document.currentScript.src);
const DEADLINE = 2_000; // ms
const dark = matchMedia("(prefers-color-scheme: dark)");

follow(dark);
dark.addEventListener("change", follow);
start();

async function start() {
  const ids = await idsOfJobs();
  SwaggerUIBundle({
    url: new URL("docs/openapi.json", API).href,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    syntaxHighlight: { theme: "tomorrow-night" }, // the default one has dark red on grey
    validatorUrl: null,
    plugins: [
      () => ({ statePlugins: { spec: { wrapActions: { updateJsonSpec: illustrated(ids) } } } }),
      withoutNestedLinks,
    ],
    onComplete: putErrorsLast,
  });
}

/** Swagger UI has dark colours, and no setting for them. */
function follow({ matches }) {
  document.documentElement.classList.toggle("dark-mode", matches);
}

/** The ids of a job that succeeded and of one that failed, as far as the caller may know of some. */
async function idsOfJobs() {
  const [succeeded, failed] = await Promise.all(["succeeded", "failed"].map(newestJob));
  return { succeeded, failed };
}

async function newestJob(state) {
  try {
    const answer = await fetch(new URL(`jobs?state=${state}&limit=1`, API), { signal: AbortSignal.timeout(DEADLINE) });
    return answer.ok ? (await answer.json()).items[0]?.job_id : undefined;
  } catch {
    return undefined; // the document can be read without the API
  }
}

/** Puts ids that exist into the document, so that its requests can be sent as they are. */
function illustrated({ succeeded, failed }) {
  return (update) => (document) => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const id = path.endsWith("/retry") ? failed : succeeded;
      for (const { parameters = [] } of Object.values(operations)) {
        for (const parameter of parameters) if (id && parameter.name === "job_id") parameter.example = id;
      }
    }
    return update(document);
  };
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
