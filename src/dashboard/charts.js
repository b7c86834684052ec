// uPlot (vendor/) in the terms of this page: a chart is made once, is given its data anew each second, takes
// its colours from the style sheet, and is told in words.
const { uPlot } = globalThis;
const HEIGHT = 210;
const DASHES = [[], [7, 3], [2, 3]];
const NOWHERE = { left: -10, top: -10 };
const FONT = "11px system-ui, sans-serif";
// What is drawn, by the element that holds it: { plot, area, reading, items, spec }.
export const drawn = new Map();

const palette = getComputedStyle(document.documentElement);
let colours = {};
const colour = (name) => colours[name] ??= palette.getPropertyValue("--" + name).trim();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = {};
  for (const { plot } of drawn.values()) plot.redraw();
});

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const plot = drawn.get(target.parentElement)?.plot;
    if (!plot || plot.width === room(target).width) continue;
    plot.setCursor(NOWHERE);
    plot.setSize(room(target));
  }
});
const room = (area) => ({ width: Math.max(area.clientWidth, 200), height: HEIGHT });

function make(kind, className, parent) {
  const element = document.createElement(kind);
  element.className = className;
  parent.append(element);
  return element;
}

function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const written = (value, format) => value === null || value === undefined ? "–" : format(value);

function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10, 20].map((step) => step * power).find((step) => step >= value * 1.02);
}

// Whole decades around what is above zero.
function decades(least, most) {
  const exponent = least > 0 ? Math.floor(Math.log10(least)) : 0;
  return [10 ** exponent, 10 ** Math.max(most > 0 ? Math.ceil(Math.log10(most)) : 0, exponent + 1)];
}

function spread(from, to, parts, log) {
  const at = (part) => log ? from * (to / from) ** part : from + (to - from) * part;
  return Array.from({ length: parts + 1 }, (_, index) => at(index / parts));
}

const multiples = (step, to) => Array.from({ length: Math.floor(to / step + 1e-9) + 1 }, (_, index) => index * step);

function axes(spec) {
  const shared = { scale: "y", stroke: () => colour("quiet"), font: FONT, gap: 5, ticks: { show: false }, grid: { show: false }, filter: (plot, splits) => splits };
  const across = { ...shared, scale: "x", size: 26, gap: 9,
    splits: (plot, axis, from, to) => spread(from, to, plot.width < 400 ? 2 : 4, plot.scales.x.distr === 3),
    values: (plot, splits) => splits.map((value) => spec().xFormat(value)) };
  const up = { ...shared, size: 62, space: 35, grid: { stroke: () => colour("line"), width: 1 },
    splits: (plot, axis, from, to, step) => spec().log ? spread(from, to, Math.round(Math.log10(to / from)), true) : spec().top ? spread(from, to, 4) : multiples(step, to),
    values: (plot, splits) => splits.map((value) => spec().yFormat(value)) };
  return [across, up];
}

function yRange(spec, least, most) {
  return spec.log ? decades(least, most) : [0, spec.top || niceTop(most)];
}

function shade(plot, bands) {
  const { ctx, bbox } = plot;
  for (const { colour: name, from, to } of bands ?? []) {
    const top = Math.max(plot.valToPos(to, "y", true), bbox.top);
    ctx.fillStyle = colour(name);
    ctx.fillRect(bbox.left, top, bbox.width, Math.max(plot.valToPos(from, "y", true) - top, 0));
  }
}

function strike(plot, mark) {
  if (!mark) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(mark.at, "x", true);
  ctx.save();
  ctx.strokeStyle = colour("text");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

// What the chart says where it is pointed at.
function read({ plot, reading, spec }) {
  const { idx, left } = plot.cursor;
  if (idx === null || idx === undefined) return tell(reading, "");
  // On the side that is not pointed at.
  reading.classList.toggle("left", left > plot.over.clientWidth / 2);
  const values = spec.series.filter((one) => one.shown !== false).map((one) => `${one.name} ${written(one.values[idx], spec.yFormat)}`);
  tell(reading, `${spec.xFormat(spec.xs[idx])}: ${values.join(", ")}`);
}

function point(one, event) {
  const { plot, reading, spec } = one;
  const last = spec.xs.length - 1;
  const { idx } = plot.cursor;
  const to = { ArrowLeft: (idx ?? last + 1) - 1, ArrowRight: (idx ?? last) + 1, Home: 0, End: last, Escape: -1 }[event.key];
  if (to === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  // Said aloud because it was asked for; what changes by itself is not.
  reading.ariaLive = "polite";
  const at = Math.min(Math.max(to, 0), last);
  plot.setCursor(event.key === "Escape" ? NOWHERE : { left: plot.valToPos(spec.xs[at], "x"), top: 0 });
}

function begin(holder, spec) {
  holder.replaceChildren();
  const area = make("div", "plot", holder);
  const one = { area, spec };
  area.role = "img";
  area.tabIndex = 0;
  one.reading = make("p", "reading", holder);
  one.items = legend(make("ul", "legend", holder), spec);
  const line = ({ style }) => ({ stroke: () => colour("c" + style), width: 2, dash: DASHES[(style - 1) % 3], points: { show: Boolean(spec.dots), size: 7, width: 0, fill: () => colour("c" + style) } });
  one.plot = new uPlot({
    ...room(area),
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8, fill: (plot, index) => colour("c" + spec.series[index - 1].style), stroke: () => colour("card"), width: 1 } },
    scales: {
      x: { time: false, distr: spec.xLog ? 3 : 1, log: 2, range: () => one.spec.xRange },
      y: { distr: spec.log ? 3 : 1, clamp: (plot, value, from) => from, range: (plot, least, most) => yRange(one.spec, least, most) },
    },
    axes: axes(() => one.spec),
    series: [{}, ...spec.series.map(line)],
    hooks: { drawClear: [(plot) => shade(plot, one.spec.bands)], draw: [(plot) => strike(plot, one.spec.mark)], setCursor: [() => read(one)] },
  }, columns(spec), area);
  area.addEventListener("keydown", (event) => point(one, event));
  area.addEventListener("blur", () => one.plot.setCursor(NOWHERE));
  drawn.set(holder, one);
  sizes.observe(area);
  return one;
}

function legend(list, { series, mark }) {
  return [...series, ...mark ? [mark] : []].map(({ name, style = "mark" }) => {
    const item = make("li", "", list);
    make("i", "swatch s" + style, item);
    item.append(name + " ");
    return { item, value: make("b", "", item) };
  });
}

const columns = (spec) => [spec.xs, ...spec.series.map((one) => one.values)];

// spec: xs, xRange, xFormat, xLog; series: [{ name, style, values, shown, isOfNow }], where a value that is null leaves
// a gap, and isOfNow says whether the last value is the present one; yFormat, top, log; bands: [{ colour, from, to }];
// mark: { name, at }; dots; label. Names, styles, logs, dots and whether there is a mark stay as they were at first.
export function chart(holder, spec) {
  const one = drawn.get(holder) ?? begin(holder, spec);
  one.spec = spec;
  one.reading.ariaLive = "off";
  one.plot.batch(() => {
    spec.series.forEach(({ shown = true }, index) => {
      if (one.plot.series[index + 1].show !== shown) one.plot.setSeries(index + 1, { show: shown });
    });
    one.plot.setData(columns(spec));
  });
  if (one.area.ariaLabel !== spec.label) one.area.ariaLabel = spec.label;
  spec.series.forEach(({ values, shown = true, isOfNow = true }, index) => {
    const { item, value } = one.items[index];
    item.hidden = !shown || !isOfNow;
    tell(value, written(values.at(-1), spec.yFormat));
  });
  if (spec.mark) tell(one.items.at(-1).value, spec.xFormat(spec.mark.at));
}

// Says in a chart's place why there is none.
export function instead(holder, text) {
  const one = drawn.get(holder);
  if (one) {
    sizes.unobserve(one.area);
    one.plot.destroy();
    drawn.delete(holder);
  }
  tell(holder, text);
}
