// The tables. Rows are made of text alone: nothing of the gateway is read as markup.
import { show } from "./format.js";

function cell(kind, text, className) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function state(name) {
  const made = document.createElement("td");
  made.className = "words";
  made.append(cell("span", name, "state " + name));
  return made;
}

// head: [[title, class]]; rows: [[name, …cells]], a cell a text, or an element.
function table(id, head, rows, none) {
  const table = document.getElementById(id);
  // One that is read or held by the keyboard is not swapped where nothing changed.
  const key = JSON.stringify([rows.map((row) => row.map((one) => one.textContent ?? one)), none]);
  if (table.dataset.key === key) return;
  table.dataset.key = key;
  const top = document.createElement("tr");
  for (const [title, className] of head) {
    const made = cell("th", title, className);
    made.scope = "col";
    top.append(made);
  }
  const thead = document.createElement("thead");
  thead.append(top);
  const body = document.createElement("tbody");
  for (const [name, ...cells] of rows) {
    const row = document.createElement("tr");
    const title = cell("th", name);
    title.scope = "row";
    row.append(title, ...cells.map((one) => typeof one === "string" ? cell("td", one) : one));
    body.append(row);
  }
  if (!rows.length) {
    const empty = cell("td", none, "words");
    empty.colSpan = head.length;
    body.append(document.createElement("tr"));
    body.lastChild.append(empty);
  }
  table.replaceChildren(thead, body);
}

export const OUTCOMES = [["hit_l1", "hit in L1"], ["hit_l2", "hit in L2"], ["hit_l3", "hit in L3"], ["miss", "miss"], ["coalesced", "coalesced"], ["stale", "stale"], ["bypass", "bypass"], ["error", "own error"]];

function outcomes(doc) {
  const rows = doc.response_times.by_route ?? [];
  const named = OUTCOMES.map(([outcome, title]) => {
    const times = rows.find((row) => row.route === null && row.outcome === outcome);
    const ms = (name) => show(times?.[name], "ms");
    return [title, show(doc.requests.outcomes?.[outcome], "count"), ms("mean_ms"), ms("p50_ms"), ms("p90_ms"), ms("p95_ms"), ms("p99_ms"), ms("p99_9_ms"), ms("max_ms")];
  });
  table("outcomes", [["Outcome"], ["Requests"], ["Mean"], ["p50"], ["p90"], ["p95"], ["p99"], ["p99.9"], ["Longest"]], named, "");
}

function levels(doc) {
  const rows = Object.entries(doc.levels).map(([name, level]) => {
    const counters = level.counters ?? {};
    return [name.toUpperCase(), state(level.status), show(level.asked, "count"), show(level.hits, "count"), show(level.hit_ratio, "ratio"), show(level.lookups?.p50_ms, "ms"), show(level.lookups?.p99_ms, "ms"), show(counters.entries, "count"), show(counters.bytes, "bytes"), show(counters.evictions, "count"), show(counters.errors, "count"), cell("td", level.reason ?? "", "wide")];
  });
  table("levels", [["Level"], ["State", "words"], ["Asked"], ["Hits"], ["Hit ratio"], ["Lookup p50"], ["p99"], ["Entries"], ["Bytes"], ["Evicted"], ["Errors"], ["Why", "words"]], rows, "");
}

function warming(doc) {
  const part = doc.warming;
  const note = document.getElementById("warming-note");
  const ledger = part.ledger;
  note.textContent = !ledger ? part.status + ": " + part.reason
    : `${part.reason ? part.reason + ". " : ""}${show(ledger.done, "count")} done (${show(ledger.calls, "count")} calls), ${show(ledger.used, "count")} used, ${show(ledger.wasted, "count")} not; calls today ${show(part.budget.calls_per_day.spent, "count")} of ${show(part.budget.calls_per_day.most, "count")}${part.budget.held_back_by ? "; held back by " + part.budget.held_back_by : ""}.`;
  const rows = (ledger?.kinds ?? []).filter((kind) => kind.used + kind.wasted > 0).map((kind) => [kind.kind, show(kind.confidence_from, "ratio"), show(kind.used, "rate"), show(kind.wasted, "rate"), show(kind.precision, "ratio")]);
  table("warming", [["Kind of guess"], ["Confidence from"], ["Came true"], ["Did not"], ["Precision"]], rows, "No guess has been judged yet.");
}

function decisions(doc) {
  const part = doc.scaling;
  document.getElementById("scaling-note").textContent = part.status === "ok" ? `Mode: ${part.mode}.` : `${part.status}: ${part.reason}`;
  const rows = [...(part.decisions ?? [])].reverse().map((one) => {
    const unit = one.of === "l1_bytes" ? "bytes" : "count";
    return [show(one.at_ms, "time"), cell("td", one.of === "l1_bytes" ? "size of L1" : `calls at once of ${one.upstream}`, "words"), show(one.before, unit), show(one.after, unit), cell("td", String(one.reason).replaceAll("_", " "), "words"), cell("td", one.applied ? "done" : "only advised", "words")];
  });
  table("decisions", [["When"], ["Of", "words"], ["Before"], ["After"], ["Why", "words"], ["Done?", "words"]], rows, "No decision yet.");
}

function actors(doc) {
  const rows = doc.actors.map((actor) => [actor.name, state(actor.state), show(actor.pending, "count"), show(actor.restarts, "count"), cell("td", actor.last_error ?? "", "wide")]);
  table("actors", [["Actor"], ["State", "words"], ["Pending"], ["Restarts"], ["Last error", "words"]], rows, "The sentinel does not answer.");
}

function notes(doc) {
  const compression = [doc.compression, doc.payload].filter((part) => part.reason).map((part) => `${part.status}: ${part.reason}`);
  document.getElementById("compression-note").textContent = compression.join("; ");
  const failures = Object.entries(doc.upstream.failures ?? {}).map(([label, count]) => `${label} ${count}`);
  document.getElementById("upstream-note").textContent = [doc.upstream.reason, ...failures].filter(Boolean).join("; ");
}

export function tables(doc) {
  for (const one of [outcomes, levels, warming, decisions, actors, notes]) one(doc);
}
