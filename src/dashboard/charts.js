// Lines in SVG: drawn anew with each document, coloured by the style sheet, described in words.
const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 52, right: 8, top: 8, bottom: 20 };

function make(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 1.02);
}

// series: [{ name, points: [[x, y], …] }]; y null leaves a gap.
export function chart(holder, { series, yFormat, xFormat, xRange, log, top, bands, mark, dots, label }) {
  let svg = holder.querySelector("svg.chart");
  if (!svg) {
    svg = make("svg", { class: "chart", role: "img" }, holder);
    holder.append(document.createElement("ul"));
    holder.lastChild.className = "legend";
  }
  const width = Math.max(svg.clientWidth, 200);
  const height = 210;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", label);
  svg.replaceChildren();
  const values = series.flatMap((one) => one.points.map((point) => point[1])).filter((y) => y !== null && (!log || y > 0));
  const high = top ?? niceTop(Math.max(...values, 0));
  const least = log ? 10 ** Math.floor(Math.log10(Math.min(...values, high))) : 0;
  const most = log ? Math.max(10 ** Math.ceil(Math.log10(Math.max(...values, least * 10))), least * 10) : high;
  const [from, to] = xRange;
  const inner = { w: width - EDGE.left - EDGE.right, h: height - EDGE.top - EDGE.bottom };
  const x = (value) => EDGE.left + (inner.w * (value - from)) / (to - from || 1);
  const part = (value) => log ? Math.log(Math.max(value, least) / least) / Math.log(most / least) : value / most;
  const y = (value) => EDGE.top + inner.h * (1 - Math.min(Math.max(part(value), 0), 1));
  for (const band of bands ?? []) {
    make("rect", { class: "band-" + band.name, x: EDGE.left, width: inner.w, y: y(band.to), height: Math.max(y(band.from) - y(band.to), 0) }, svg);
  }
  const ticks = log ? Array.from({ length: Math.round(Math.log10(most / least)) + 1 }, (_, i) => least * 10 ** i) : [0, 0.25, 0.5, 0.75, 1].map((step) => step * most);
  for (const tick of ticks) {
    make("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }, svg);
    make("text", { x: EDGE.left - 6, y: y(tick) + 4, "text-anchor": "end" }, svg, yFormat(tick));
  }
  for (const [value, anchor] of [[from, "start"], [(from + to) / 2, "middle"], [to, "end"]]) {
    make("text", { x: x(value), y: height - 5, "text-anchor": anchor }, svg, xFormat(value));
  }
  series.forEach((one, index) => {
    let path = "";
    let pen = "M";
    for (const [px, py] of one.points) {
      if (py === null) { pen = "M"; continue; }
      path += `${pen}${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
      pen = "L";
    }
    make("path", { class: `curve s${(one.style ?? index) + 1}`, d: path }, svg);
    if (dots) for (const [px, py] of one.points) make("circle", { class: "dot fill1", cx: x(px), cy: y(py), r: 3.5 }, svg);
  });
  if (mark !== undefined) make("line", { class: "mark", x1: x(mark), x2: x(mark), y1: EDGE.top, y2: EDGE.top + inner.h }, svg);
  legend(holder.querySelector(".legend"), series, yFormat);
}

function legend(list, series, yFormat) {
  const items = series.filter((one) => one.name).map((one, index) => {
    const item = document.createElement("li");
    const swatch = make("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" }, item);
    make("path", { class: `curve s${(one.style ?? index) + 1}`, d: "M0 4H26" }, swatch);
    const last = one.points.length ? one.points[one.points.length - 1][1] : null;
    const value = document.createElement("b");
    value.textContent = last === null ? "–" : yFormat(last);
    item.append(one.name + " ", value);
    return item;
  });
  list.replaceChildren(...items);
}
