// Takes the live document, once a second, and shows it.
import { chart, instead } from "./charts.js";
import { fill, formats, show } from "./format.js";
import { PERCENTILES, points, remember } from "./history.js";
import { OUTCOMES, tables } from "./tables.js";
import { signedIn, start } from "./operate.js";

const by = (id) => document.getElementById(id);
let latest;
let longer;

const told = (series, format) => series.map((one) => `${one.name} ${show(one.values.at(-1), format)}`).join(", ");

function timeCharts(doc) {
  const last = points.at(-1).at;
  const shared = {
    xs: points.map((one) => one.at),
    xRange: [Math.min(points[0].at, last - 60000), last],
    xFormat: (value) => value === last ? "now" : `${formats.hours(Math.round((last - value) / 1000))} ago`,
  };
  const traffic = OUTCOMES.map(([, name], index) => ({ name, style: index + 1, values: points.map((one) => one.rates[index]) }))
    .map((one, index) => ({ ...one, shown: index === 0 || one.values.some((value) => value > 0) }));
  chart(by("chart-traffic"), { ...shared, series: traffic, yFormat: formats.rate,
    label: `Requests a second over the last minute: ${show(doc.requests.per_second, "rate")}; ${told(traffic.filter((one) => one.shown), "rate")}` });
  const times = PERCENTILES.map((name, index) => ({ name, style: index + 1, values: points.map((one) => one.times[index]) }));
  chart(by("chart-latency"), { ...shared, series: times, yFormat: formats.ms, log: true,
    label: `Time to an answer's head: ${told(times, "ms")}` });
  const { limit_bytes: limit, bands, pressure } = doc.memory;
  const memory = [{ name: "in use", style: 1, values: points.map((one) => one.memory) }];
  const shaded = limit && [{ colour: "ill-bg", from: bands.elevated_from * limit, to: bands.critical_from * limit }, { colour: "bad-bg", from: bands.critical_from * limit, to: limit }];
  chart(by("chart-memory"), { ...shared, series: memory, yFormat: formats.bytes, top: limit, bands: shaded,
    label: `Memory: ${told(memory, "bytes")}, ${limit ? formats.ratio(doc.memory.used_ratio) : "not known"} of the limit, pressure ${pressure ?? "not known"}` });
}

function curve(doc) {
  const { curve: sizes, l1 } = doc.scaling;
  if (!sizes?.length) return instead(by("chart-curve"), `${doc.scaling.status}: ${doc.scaling.reason}`);
  const xs = sizes.map((point) => point.bytes);
  chart(by("chart-curve"), {
    xs, xLog: true, xRange: [Math.min(xs[0], l1.bytes), Math.max(xs.at(-1), l1.bytes)], xFormat: formats.bytes,
    series: [{ name: "hit ratio", style: 1, values: sizes.map((point) => point.hit_ratio), isOfNow: false }],
    yFormat: formats.ratio, top: 1, dots: true, mark: { name: "present size", at: l1.bytes },
    label: `Hit ratio by the size of L1, ${formats.bytes(l1.bytes)} now. ` + sizes.map((point) => `${formats.bytes(point.bytes)}: ${formats.ratio(point.hit_ratio)}`).join(", "),
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
  // Nobody looks: it is painted when the page is seen again.
  if (!latest || document.hidden) return;
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
document.addEventListener("visibilitychange", paint);
by("window").addEventListener("change", () => { if (latest) fetchLonger(); });
await signedIn();
listen();
setInterval(() => { if (latest && by("window").value !== "1m") fetchLonger(); }, 5000);
