// Takes the live document, once a second, and shows it.
import { chart } from "./charts.js";
import { fill, formats } from "./format.js";
import { OUTCOMES, tables } from "./tables.js";
import { signedIn, start } from "./operate.js";

const by = (id) => document.getElementById(id);
const MOST_POINTS = 300;
const history = [];
let latest;
let longer;

function remember(doc) {
  const seconds = Math.max(doc.window.seconds, 1);
  const all = doc.response_times.all;
  history.push({
    at: doc.at_unix_ms,
    rates: OUTCOMES.map(([outcome]) => doc.requests.outcomes ? (doc.requests.outcomes[outcome] ?? 0) / seconds : null),
    times: ["p50_ms", "p95_ms", "p99_ms"].map((name) => all?.[name] ?? null),
    memory: doc.memory.resident_bytes ?? null,
  });
  if (history.length > MOST_POINTS) history.shift();
}

const line = (pick) => history.map((one) => [one.at, pick(one)]);

function timeCharts(doc) {
  const last = history[history.length - 1].at;
  const xRange = [Math.min(history[0].at, last - 60000), last];
  const xFormat = (value) => value === last ? "now" : `${formats.hours((last - value) / 1000)} ago`;
  const lively = OUTCOMES.map(([, name], index) => ({ name, style: index, points: line((one) => one.rates[index]) }))
    .filter((one, index) => index === 0 || one.points.some((point) => point[1] > 0));
  chart(by("chart-traffic"), { series: lively, xRange, xFormat, yFormat: formats.rate, label: `Requests a second over the last minute: ${doc.requests.per_second === undefined ? "not known" : formats.rate(doc.requests.per_second)}` });
  const names = ["p50", "p95", "p99"];
  const series = names.map((name, index) => ({ name, points: line((one) => one.times[index]) }));
  chart(by("chart-latency"), { series, xRange, xFormat, yFormat: formats.ms, log: true, label: "Time to an answer's head: " + names.map((name, index) => `${name} ${history.at(-1).times[index] === null ? "not known" : formats.ms(history.at(-1).times[index])}`).join(", ") });
  const { limit_bytes: limit, bands, pressure } = doc.memory;
  const shaded = limit && [{ name: "elevated", from: bands.elevated_from * limit, to: bands.critical_from * limit }, { name: "critical", from: bands.critical_from * limit, to: limit }];
  chart(by("chart-memory"), { series: [{ name: "in use", points: line((one) => one.memory) }], xRange, xFormat, yFormat: formats.bytes, top: limit, bands: shaded, label: `Memory: ${limit ? formats.ratio(doc.memory.used_ratio) : "not known"} of the limit, pressure ${pressure ?? "not known"}` });
}

function curve(doc) {
  const { curve: points, l1 } = doc.scaling;
  if (!points) {
    by("chart-curve").textContent = `${doc.scaling.status}: ${doc.scaling.reason}`;
    return;
  }
  const log = Math.log2;
  chart(by("chart-curve"), {
    series: [{ name: "", points: points.map((point) => [log(point.bytes), point.hit_ratio]) }],
    xRange: [log(points[0].bytes), log(points.at(-1).bytes)], xFormat: (value) => formats.bytes(2 ** value),
    yFormat: (value) => formats.ratio(value), top: 1, dots: true, mark: log(l1.bytes),
    label: `L1 of ${formats.bytes(l1.bytes)} now. ` + points.map((point) => `${formats.bytes(point.bytes)}: ${formats.ratio(point.hit_ratio)}`).join(", "),
  });
}

function status(doc) {
  const text = doc.ill.length ? `${doc.status}: ${doc.ill.join(", ")}` : doc.status;
  const badge = by("status");
  if (badge.textContent !== text) {
    badge.textContent = text;
    badge.className = "status " + doc.status;
  }
  by("age").textContent = "as of " + formats.time(doc.at_unix_ms);
}

function paint() {
  const minute = latest;
  // Traffic is that of the window chosen, all else of now.
  const { window, requests, response_times, upstream, compression, payload, levels, savings } = longer ?? minute;
  const doc = { ...minute, window, requests, response_times, upstream, compression, payload, levels, savings };
  status(minute);
  fill(doc);
  tables(doc);
  timeCharts(minute);
  curve(minute);
}

async function fetchLonger() {
  const wanted = by("window").value;
  if (wanted === "1m") {
    longer = undefined;
    return paint();
  }
  if (longer?.window.name !== wanted) longer = undefined;
  const response = await fetch("/api/v1/performance?window=" + wanted).catch(() => undefined);
  if (response?.ok && by("window").value === wanted) { longer = await response.json(); paint(); }
}

function listen() {
  const events = new EventSource("/api/v1/live");
  events.onmessage = (event) => {
    latest = JSON.parse(event.data);
    remember(latest);
    paint();
  };
  events.onerror = () => {
    by("status").textContent = "no connection";
    by("status").className = "status unavailable";
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

start();
by("window").addEventListener("change", () => { if (latest) fetchLonger(); });
await signedIn();
listen();
setInterval(() => { if (latest && by("window").value !== "1m") fetchLonger(); }, 5000);
