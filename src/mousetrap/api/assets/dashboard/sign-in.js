// Exchanges a token for a cookie, which no script can read.

import { Problem, at, signIn } from "./api.js";
import { byId, isBusy, say, setBusy } from "./dom.js";

const form = byId("sign-in");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isBusy(button)) return;
  setBusy(button, true);
  try {
    await signIn(byId("token").value.trim());
    location.replace(at(`/dashboard${location.search}`));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(byId("refusal"), error.detail);
    byId("token").select();
  } finally {
    setBusy(button, false);
  }
});
