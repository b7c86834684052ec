// Numbers as people read them. What is not known is a dash.
const DASH = "–";
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function digits(value, count) {
  return Number(value.toPrecision(count)).toLocaleString("en", { maximumSignificantDigits: count });
}

export function scaled(value, units, step) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) { value /= step; unit += 1; }
  return digits(value, 3) + " " + units[unit];
}

export const formats = {
  text: (value) => String(value),
  count: (value) => grouped.format(value),
  rate: (value) => digits(value, 3),
  ratio: (value) => (value * 100).toFixed(value > 0.999 && value < 1 ? 2 : 1) + " %",
  ms: (value) => value < 1 ? digits(value * 1000, 3) + " µs" : value < 1000 ? digits(value, 3) + " ms" : digits(value / 1000, 3) + " s",
  bytes: (value) => scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024),
  hours: (value) => value < 120 ? digits(value, 3) + " s" : value < 7200 ? digits(value / 60, 3) + " min" : digits(value / 3600, 3) + " h",
  money: (value, doc) => Number(value).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: Number(value) < 1 ? 4 : 2 }) + " " + doc.savings.currency,
  time: (value) => new Date(value).toLocaleTimeString(),
};

export function show(value, format, doc) {
  return value === null || value === undefined ? DASH : formats[format](value, doc);
}

export function at(doc, path) {
  return path.split(".").reduce((inner, name) => inner === null || inner === undefined ? undefined : inner[name], doc);
}

// Fills every element that names a number of the document.
export function fill(doc) {
  for (const element of document.querySelectorAll("[data-n]")) {
    const value = at(doc, element.dataset.n);
    const text = show(value, element.dataset.f, doc);
    if (element.textContent !== text) element.textContent = text;
    element.dataset.v = JSON.stringify(value ?? null);
  }
}
