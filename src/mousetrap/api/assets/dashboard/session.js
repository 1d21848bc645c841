// Shows whose token the page uses, and ends its use.

import { get, leave, signOut } from "./api.js";
import { byId, say } from "./dom.js";

/** Shows the name of the token; nothing where no token is needed. */
export async function showSession() {
  const { name } = await get("/dashboard/session");
  say(byId("caller"), name ?? "");
  byId("session").hidden = name === null;
  byId("sign-out").onclick = async () => {
    await signOut();
    leave();
  };
}
