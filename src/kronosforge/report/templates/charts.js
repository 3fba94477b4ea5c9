// A chart is one or more panels, one above the other, each drawn by uPlot; they share their x axis, cursor and zoom.
//
// chart: { label, x: title of the x axis, or null for time (ms), range: [first, last] of the x axis, panels,
//          areas: [{ from, to, colour, opacity, text, above }], marks: [{ x, text }], read(index): [name, value] pairs }
// panel: { title, share of the height, log, zero: whether values are measured from 0, series, draw(u) }
// series: { name, kind: line, thin, path, dash, dots, bar, band, core or data (not drawn), colour, x, y, upper }
const BELOW = { time: 40, title: 52 }, BESIDE = { narrow: 48, wide: 62 }, ABOVE = 22; // pixels
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 9 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const instant = ms => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const say = (name, values = {}) => inReaderLanguage(data.words[name]).replace(/\{(\w+)\}/g, (_, key) => values[key]);
const DAY = 86400000;
let plots = 0;

function plot(element, chart) {
  (element.panels || []).forEach(panel => panel.destroy());
  element.replaceChildren();
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", chart.label);
  const key = `plot ${++plots}`, last = chart.panels.length - 1, below = chart.x ? BELOW.title : BELOW.time;
  const room = element.clientHeight - below;
  element.panels = chart.panels.map((panel, i) => {
    const height = Math.floor(panel.share * room) + (i === last ? below : 0);
    const size = { width: element.clientWidth, height };
    return new uPlot({ ...size, ...options(chart, panel, i === last ? below : 0, key) }, columns(panel.series), element);
  });
  element.panels.forEach((u, i) => label(u, chart, chart.panels[i], i));
  const reading = element.closest("figure").querySelector(".reading");
  element.panels[0].hooks.setCursor = [u => show(reading, u.cursor.idx, chart, element.panels)];
  show(reading, null, chart);
}

// The x values of all series, then each one's y values and, of a band, its upper edge.
function columns(series) {
  const tables = series.map(({ x, y, upper }) => (upper && upper.length ? [x, y, upper] : [x, y]));
  return tables.length > 1 ? uPlot.join(tables) : tables[0];
}

function options(chart, panel, below, key) {
  const [first, last] = chart.range;
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink("muted"), grid: { stroke: ink("grid"), width: 1 }, ticks: { show: false }, font };
  const beside = innerWidth < 600 ? BESIDE.narrow : BESIDE.wide;
  return {
    ms: 1, tzDate: ms => uPlot.tzDate(new Date(ms), "Etc/UTC"), legend: { show: false }, padding: [ABOVE, 0, below ? 0 : 4, 14],
    scales: {
      x: { time: !chart.x, range: (u, from, to) => (from <= u.data[0][0] && to >= u.data[0].at(-1) ? [first, last] : [from, to]) },
      y: { distr: panel.log ? 3 : 1, ...(panel.zero ? { range: (u, from, to) => [0, (to || 1) * 1.05] } : {}) },
    },
    axes: [
      { ...axis, show: below > 0, size: chart.x ? 34 : BELOW.time, space: 90, ...(chart.x ? { label: chart.x, labelSize: 18, labelFont: font, labelGap: 0 } : { values: times }) },
      { ...axis, side: 1, size: beside, space: 34, values: (u, values) => values.map(value => (value === null ? "" : Math.abs(value) < 1e5 ? short.format(value) : compact.format(value))) },
    ],
    ...drawn(panel.series),
    cursor: { y: false, sync: { key, scales: ["x", null] }, drag: { x: !touch.matches, y: false, dist: 5 } },
    hooks: {
      drawClear: [u => chart.areas.filter(area => !area.above).forEach(area => shade(u, area))],
      draw: [
        u => clipped(u, () => panel.draw && panel.draw(u)),
        u => chart.areas.filter(area => area.above).forEach(area => shade(u, area)),
        u => chart.marks.forEach(({ x }) => upright(u, x)),
        u => (u.labels || []).forEach(place => place(u)),
      ],
    },
  };
}

// uPlot's series, and the fills between the edges of bands.
function drawn(series) {
  const out = { series: [{}], bands: [] };
  const bars = series.filter(({ kind }) => kind === "bar");
  for (const one of series) {
    const colour = one.colour && ink(one.colour), points = { show: one.kind === "dots", size: 7, fill: colour };
    if (one.kind === "band" || one.kind === "core") {
      const edge = { stroke: "transparent", width: 0, points, spanGaps: false };
      out.bands.push({ series: [out.series.length + 1, out.series.length], fill: colour + (one.kind === "core" ? "60" : "30") });
      out.series.push(edge, edge);
    } else if (one.kind === "data") {
      out.series.push({ paths: () => null, points });
    } else if (one.kind === "bar") {
      const align = bars.length === 1 ? 0 : bars.indexOf(one) ? 1 : -1;
      out.series.push({ fill: colour, width: 0, points, paths: uPlot.paths.bars({ size: [0.85 / bars.length, 100], align }) });
    } else {
      out.series.push({
        stroke: colour, width: one.kind === "thin" || one.kind === "path" ? 1 : 2, alpha: { thin: 0.65, path: 0.3 }[one.kind] || 1, points,
        ...(one.kind === "dash" ? { dash: [2, 4] } : {}),
      });
    }
  }
  return out;
}

// Ticks of time: the day or year below the first of its kind.
function times(u, ticks, axis, space, step) {
  let before = "";
  return ticks.map(tick => {
    const [date, clock] = instant(tick).split(" ");
    const [top, below] = step >= 365 * DAY ? [date.slice(0, 4), ""] : step >= 28 * DAY ? [date.slice(0, 7), ""]
      : step >= DAY ? [date.slice(5), date.slice(0, 4)] : [clock, date];
    const text = below === before ? top : `${top}\n${below}`;
    before = below;
    return text;
  });
}

// Bodies and wicks of the candles in `shown`.
function bodies(u, shown) {
  const width = Math.max(1, (u.valToPos(shown.slot, "x", true) - u.valToPos(0, "x", true)) * 0.7);
  const y = value => Math.round(u.valToPos(value, "y", true));
  shown.ts.forEach((ts, i) => {
    const middle = Math.round(u.valToPos(ts + shown.slot / 2, "x", true));
    const [open, close] = [y(shown.open[i]), y(shown.close[i])];
    u.ctx.fillStyle = ink(shown.close[i] < shown.open[i] ? "down" : "up");
    u.ctx.fillRect(middle - 0.5 * devicePixelRatio, y(shown.high[i]), devicePixelRatio, Math.max(1, y(shown.low[i]) - y(shown.high[i])));
    u.ctx.fillRect(middle - width / 2, Math.min(open, close), width, Math.max(1, Math.abs(open - close)));
  });
}

function clipped(u, paint) {
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(left, top, width, height);
  u.ctx.clip();
  paint();
  u.ctx.restore();
}

function shade(u, { from, to, colour, opacity }) {
  clipped(u, () => {
    const left = u.valToPos(from, "x", true), right = u.valToPos(to, "x", true);
    u.ctx.globalAlpha = opacity;
    u.ctx.fillStyle = ink(colour);
    u.ctx.fillRect(left, u.bbox.top, Math.max(right - left, 1), u.bbox.height);
  });
}

function upright(u, x) {
  clipped(u, () => {
    const at = u.valToPos(x, "x", true);
    u.ctx.strokeStyle = ink("good");
    u.ctx.lineWidth = 1.5 * devicePixelRatio;
    u.ctx.setLineDash([2, 4].map(part => part * devicePixelRatio));
    u.ctx.beginPath();
    u.ctx.moveTo(at, u.bbox.top);
    u.ctx.lineTo(at, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
  });
}

// The panel's title, and above the first panel the names of areas and marks, where there is room.
function label(u, chart, panel, index) {
  const texts = index ? [] : [
    ...chart.areas.filter(({ text }) => text).map(({ from, to, colour, text }) => ({ from, to, colour, text })),
    ...chart.marks.map(({ x, text }) => ({ from: x, to: null, colour: "good", text })),
  ];
  const add = (text, kind, colour) => {
    const element = document.createElement("span");
    element.className = kind;
    element.textContent = text;
    if (colour) element.style.color = ink(colour);
    u.over.append(element);
    return element;
  };
  add(panel.title, "title");
  u.labels = texts.map(({ from, to, colour, text }) => {
    const element = add(text, to === null ? "name middle" : "name", colour);
    return () => {
      const left = Math.max(u.valToPos(Math.max(from, u.scales.x.min), "x"), 0), width = u.over.clientWidth;
      const right = to === null ? width + element.clientWidth : Math.min(u.valToPos(to, "x"), width);
      element.hidden = from > u.scales.x.max || (to === null ? from < u.scales.x.min : right - left < element.clientWidth + 4);
      element.style.left = `${left}px`;
    };
  });
  u.labels.forEach(place => place());
}

// What stands under the cursor, or how to ask for it.
function show(reading, index, chart, panels = []) {
  if (index === null || index === undefined) {
    reading.textContent = say(touch.matches ? "tap" : "point");
    return;
  }
  const pairs = chart.read ? chart.read(index) : under(panels, chart);
  reading.replaceChildren(...pairs.map(([name, value]) => {
    const part = document.createElement("span"), strong = document.createElement("b");
    strong.textContent = value;
    part.append(name && `${name} `, strong);
    return part;
  }));
}

// Each series' value under the cursor of its panel.
function under(panels, chart) {
  const x = panels[0].data[0][panels[0].cursor.idx];
  const pairs = [chart.x ? [chart.x, digits.format(x)] : ["", instant(x)]];
  panels.forEach((u, i) => {
    let column = 0;
    for (const { name, kind } of chart.panels[i].series) {
      const edges = kind === "band" || kind === "core" ? 2 : 1;
      const values = u.data.slice(column + 1, column + 1 + edges).map(values => values[u.cursor.idx]);
      column += edges;
      if (values.every(Number.isFinite)) pairs.push([name, values.map(value => short.format(value)).join(" – ")]);
    }
  });
  return pairs;
}
