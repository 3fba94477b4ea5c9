// Candles with volume and turnover, a series each.
const { cuts, series } = data;
const ROOM = 2.5; // pixels that a candle needs to be read as one
const WORDS = {
  en: {
    price: "price", vol: "volume", amt: "turnover", point: "Point at a candle to read it; drag to look closer, double-click to go back.",
    tap: "Tap a candle to read it.", each: n => n > 1 ? `each candle shows up to ${n} bars` : "each candle is one bar",
    chart: key => `Candlestick chart of ${key} with volume and turnover; the numbers per split are in the table of windows.`,
    train: "train", val: "validation", test: "test", open: "open", high: "high", low: "low", close: "close",
  },
  zh: {
    price: "价格", vol: "成交量", amt: "成交额", point: "指向蜡烛可读数值；拖动放大，双击还原。",
    tap: "点按蜡烛可读数值。", each: n => n > 1 ? `每根蜡烛合并至多 ${n} 根K线` : "每根蜡烛即一根K线",
    chart: key => `${key} 的K线图，含成交量与成交额；各分割的数字见窗口表。`,
    train: "训练", val: "验证", test: "测试", open: "开", high: "高", low: "低", close: "收",
  },
};
const words = () => WORDS[root.lang] || WORDS.en;
const candles = new Map(); // chart element → those that it shows

// Neighbouring candles joined until each has room: as exact as the joins made when the page was written.
function fitted(one, width) {
  const slots = one.ts.length ? (one.ts.at(-1) - one.ts[0]) / one.slot + 1 : 1;
  const slot = one.slot * Math.max(1, Math.ceil((slots * ROOM) / width));
  const out = { slot, ts: [], open: [], high: [], low: [], close: [], vol: [], amt: [] };
  one.ts.forEach((ts, i) => {
    const start = ts - ((ts - one.ts[0]) % slot);
    const last = out.ts.length - 1;
    if (out.ts[last] === start) {
      out.high[last] = Math.max(out.high[last], one.high[i]);
      out.low[last] = Math.min(out.low[last], one.low[i]);
      out.close[last] = one.close[i];
      out.vol[last] += one.vol[i];
      out.amt[last] += one.amt[i];
    } else {
      out.ts.push(start);
      for (const name of ["open", "high", "low", "close", "vol", "amt"]) out[name].push(one[name][i]);
    }
  });
  return out;
}

function splits(start, stop) {
  const edges = [start, ...cuts.map(cut => Math.min(Math.max(cut, start), stop)), stop];
  return ["train", "val", "test"].slice(0, cuts.length + 1).map((name, i) => ({ name, x0: edges[i], x1: edges[i + 1] }))
    .filter(split => split.x1 > split.x0);
}

function figure(one, shown, width, height) {
  const middle = shown.ts.map(ts => ts + shown.slot / 2);
  const start = shown.ts[0], stop = shown.ts.at(-1) + shown.slot;
  const parts = splits(start, stop);
  const splitOf = x => (parts.find(part => x < part.x1) || parts.at(-1)).name;
  const text = words();
  const bars = (name, yaxis) => ({
    type: "bar", x: middle, y: shown[name], yaxis, hoverinfo: "none", width: shown.slot * 0.7,
    marker: { color: middle.map(x => ink(splitOf(x))), line: { width: 0 } },
  });
  const candle = colour => ({ line: { color: colour, width: 1 }, fillcolor: colour });
  const band = (x0, x1, fill, opacity, line, layer) => ({
    type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, fillcolor: fill, opacity, line, layer,
  });
  const axis = domain => ({
    domain, fixedrange: true, side: "right", gridcolor: ink("grid"), zeroline: false, nticks: domain[1] - domain[0] > 0.3 ? 6 : 3,
    exponentformat: "B", separatethousands: true, tickfont: { size: 11 }, automargin: false,
  });
  const panels = [[0.42, 1, text.price], [0.215, 0.36, text.vol], [0, 0.145, text.amt]];
  const none = { width: 0 };
  const roomy = ({ name, x0, x1 }) => ((x1 - x0) / (stop - start)) * width > 7 * text[name].length + 4;
  return {
    data: [
      {
        type: "candlestick", x: middle, open: shown.open, high: shown.high, low: shown.low, close: shown.close,
        hoverinfo: "none", increasing: candle(ink("up")), decreasing: candle(ink("down")), whiskerwidth: 0,
      },
      bars("vol", "y2"), bars("amt", "y3"),
    ],
    layout: {
      ...sheet(width, height), bargap: 0,
      margin: { l: 2, r: width < 600 ? 46 : 58, t: 22, b: 38 },
      xaxis: {
        type: "date", range: [start, stop], anchor: "y3", rangeslider: { visible: false }, fixedrange: touch.matches,
        gridcolor: ink("grid"), tickfont: { size: 11 }, nticks: Math.max(3, Math.floor(width / 110)),
        showspikes: true, spikemode: "across", spikesnap: "hovered data", spikethickness: 1, spikedash: "solid", spikecolor: ink("muted"),
        tickformatstops: TIMES,
      },
      yaxis: axis(panels[0].slice(0, 2)), yaxis2: axis(panels[1].slice(0, 2)), yaxis3: axis(panels[2].slice(0, 2)),
      shapes: [
        ...parts.map(({ name, x0, x1 }) => band(x0, x1, ink(name), name === "train" ? 0.05 : 0.12, none, "below")),
        ...one.holes.map(([x0, x1]) => band(x0, x1, ink("hole"), 0.75, { color: ink("hole"), width: 1 }, "above")),
      ],
      annotations: [
        ...parts.filter(roomy).map(({ name, x0 }) => ({
          text: text[name], x: x0, y: 1, xref: "x", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false,
          font: { size: 12, color: ink(name) },
        })),
        ...panels.map(([, top, title]) => ({
          text: title, x: 0, y: top, xref: "paper", yref: "paper", xanchor: "left", yanchor: top === 1 ? "top" : "bottom",
          showarrow: false, font: { size: 11, color: ink("muted") },
        })),
      ],
    },
  };
}

async function draw(element) {
  const one = series[element.dataset.index];
  if (!one.ts.length) return;
  const { clientWidth: width, clientHeight: height } = element;
  const shown = fitted(one, Math.max(width - 60, 100));
  const { data: traces, layout } = figure(one, shown, width, height);
  const each = element.closest("figure").querySelector(".each");
  each.textContent = words().each(shown.slot / one.length);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", words().chart(one.key));
  candles.set(element, shown);
  await Plotly.react(element, traces, layout, SETTINGS);
  if (!element.dataset.drawn) {
    element.on("plotly_hover", event => read(element, event.points[0].pointIndex ?? event.points[0].pointNumber));
    element.on("plotly_unhover", () => read(element));
  }
  read(element);
}

// What the candle under the pointer says, or how to ask.
function read(element, index) {
  const shown = candles.get(element), text = words();
  const reading = document.getElementById(`reading-${element.dataset.index}`);
  if (index === undefined) {
    reading.textContent = touch.matches ? text.tap : text.point;
    return;
  }
  const instant = ms => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 9 });
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
  const parts = [["", `${instant(shown.ts[index])} → ${instant(shown.ts[index] + shown.slot)}`]];
  for (const name of ["open", "high", "low", "close"]) parts.push([text[name], digits.format(shown[name][index])]);
  for (const name of ["vol", "amt"]) parts.push([text[name], short.format(shown[name][index])]);
  reading.replaceChildren(...parts.map(([name, value]) => {
    const part = document.createElement("span"), strong = document.createElement("b");
    strong.textContent = value;
    part.append(name && `${name} `, strong);
    return part;
  }));
}

start(draw);
