// What the charts over time show: a point a document, in order of time, and no more than some minutes of them.
import { OUTCOMES } from "./tables.js";

const MOST_POINTS = 300;
export const PERCENTILES = ["p50", "p95", "p99"];
export const points = [];

export function remember(doc) {
  const seconds = Math.max(doc.window.seconds, 1);
  const all = doc.response_times.all;
  // A clock that was set back, or another host's, begins anew: a chart needs times that rise.
  while (points.length && points.at(-1).at >= doc.at_unix_ms) points.pop();
  points.push({
    at: doc.at_unix_ms,
    rates: OUTCOMES.map(([outcome]) => doc.requests.outcomes ? (doc.requests.outcomes[outcome] ?? 0) / seconds : null),
    times: PERCENTILES.map((name) => all?.[name + "_ms"] ?? null),
    memory: doc.memory.resident_bytes ?? null,
  });
  if (points.length > MOST_POINTS) points.shift();
}
