// What an operator does: inspect, explain, warm, purge.
const by = (id) => document.getElementById(id);

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, { ...options, credentials: "same-origin" });
  const answer = await response.json().catch(() => ({}));
  return { ok: response.ok, status: response.status, answer };
}

function tell(title, text, json) {
  by("result").hidden = false;
  by("result-title").textContent = title;
  by("result-text").textContent = text;
  by("result-json").hidden = json === undefined;
  by("result-json").textContent = json === undefined ? "" : JSON.stringify(json, null, 2);
  by("result-title").focus();
}

function failed(what, { status, answer }) {
  tell(what, answer.error?.message ?? `the gateway answered ${status}`);
}

function confirmed(text) {
  const dialog = by("confirm");
  by("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function inspect() {
  const key = by("inspect-key").value.trim().toLowerCase();
  const found = await ask("/api/v1/cache/entry/" + encodeURIComponent(key));
  if (found.ok) tell("Entry", "It is held by: " + ["l1", "l2", "l3"].filter((level) => found.answer[level]?.state === "held").join(", ").toUpperCase() + ".", found.answer);
  else if (found.status === 404) tell("Entry", "No level holds it.", found.answer);
  else failed("Entry", found);
}

function submitted() {
  try {
    return JSON.parse(by("request").value);
  } catch (error) {
    tell("Request", "It is not JSON: " + error.message);
    return undefined;
  }
}

async function explain() {
  const request = submitted();
  if (request === undefined) return;
  const found = await ask("/api/v1/cache/explain", request);
  if (!found.ok) return failed("Explanation", found);
  const { would, reason, key, nearest_miss: nearest } = found.answer;
  if (key) by("inspect-key").value = key;
  const differs = nearest ? ` The nearest kept answer differs at ${nearest.differs_at.join(", ")}.` : "";
  tell("Explanation", `It would be: ${would}${reason ? " (" + reason + ")" : ""}.${differs}`, found.answer);
}

async function warm() {
  const request = submitted();
  if (request === undefined || !(await confirmed(`Have the answer to ${request.path} ready now? It may cost an upstream call.`))) return;
  const found = await ask("/api/v1/warming", { requests: [request] });
  if (found.ok) tell("Warming", `Errand ${found.answer.errand} has begun.`, found.answer);
  else failed("Warming", found);
}

async function purge() {
  const kind = by("purge-kind").value;
  const value = by("purge-value").value.trim();
  if (kind !== "all" && !value) return tell("Purge", "Say which " + kind + ".");
  const what = kind === "all" ? "everything that is kept" : `what is kept of ${kind} ${value}`;
  if (!(await confirmed(`Purge ${what}? It is asked for upstream again.`))) return;
  const found = await ask("/api/v1/cache/purge", kind === "all" ? { all: true } : { [kind]: value });
  if (found.ok) tell("Purge", found.answer.status === "complete" ? "It holds everywhere." : "It holds here, and not yet everywhere.", found.answer);
  else failed("Purge", found);
}

function on(id, handler) {
  by(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...by(id).querySelectorAll("button")];
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await handler(event.submitter?.value);
    } catch (error) {
      tell("No answer", String(error));
    }
    buttons.forEach((button) => { button.disabled = false; });
  });
}

export function start() {
  on("inspect", inspect);
  on("explain", (which) => which === "warm" ? warm() : explain());
  on("purge", purge);
  by("purge-kind").addEventListener("change", () => { by("purge-value").disabled = by("purge-kind").value === "all"; });
}

// Returns once this browser may see the numbers.
export async function signedIn() {
  const { answer } = await ask("/dashboard/session");
  by("sign-out").hidden = !(answer.token_wanted && answer.signed_in);
  by("sign-out").onclick = async () => { await ask("/dashboard/session/end", {}); location.reload(); };
  if (answer.signed_in) return;
  const dialog = by("sign-in");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  await new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      const found = await ask("/dashboard/session", { token: by("token").value });
      by("token").value = "";
      if (found.ok) { dialog.close(); resolve(); } else by("sign-in-error").textContent = found.answer.error?.message ?? "It did not work.";
    };
  });
  by("sign-out").hidden = false;
}
