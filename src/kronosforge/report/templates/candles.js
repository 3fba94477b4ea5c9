// Candles with volume and turnover, a series each.
const { cuts, series } = data;
const ROOM = 2.5; // pixels that a candle needs to be read as one
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
  return ["train", "val", "test"].slice(0, cuts.length + 1).map((colour, i) => ({ colour, from: edges[i], to: edges[i + 1] }))
    .filter(part => part.to > part.from);
}

// Bars from 0, in the colours of their splits.
function columnsOf(u, shown, values, parts) {
  const width = Math.max(1, (u.valToPos(shown.slot, "x", true) - u.valToPos(0, "x", true)) * 0.7);
  const floor = u.valToPos(0, "y", true);
  values.forEach((value, i) => {
    const middle = shown.ts[i] + shown.slot / 2, top = u.valToPos(value, "y", true);
    u.ctx.fillStyle = ink((parts.find(part => middle < part.to) || parts.at(-1)).colour);
    u.ctx.fillRect(u.valToPos(middle, "x", true) - width / 2, top, width, floor - top);
  });
}

function chartOf(one, shown) {
  const first = shown.ts[0], last = shown.ts.at(-1) + shown.slot;
  const parts = splits(first, last);
  const x = shown.ts.map(ts => ts + shown.slot / 2);
  const unseen = name => ({ name, kind: "data", x, y: shown[name] });
  const amounts = name => ({ title: say(name), share: 0.22, zero: true, series: [unseen(name)], draw: u => columnsOf(u, shown, shown[name], parts) });
  return {
    label: say("label", { key: one.key }), x: null, range: [first, last], marks: [],
    areas: [
      ...parts.map(part => ({ ...part, opacity: part.colour === "train" ? 0.05 : 0.12, text: say(part.colour) })),
      ...one.gaps.map(([from, to]) => ({ from, to, colour: "gap", opacity: 0.75, above: true })),
    ],
    panels: [
      { title: say("price"), share: 0.56, series: ["low", "high"].map(unseen), draw: u => bodies(u, shown) },
      amounts("vol"), amounts("amt"),
    ],
    read: index => [
      ["", `${instant(shown.ts[index])} → ${instant(shown.ts[index] + shown.slot)}`],
      ...["open", "high", "low", "close"].map(name => [say(name), digits.format(shown[name][index])]),
      ...["vol", "amt"].map(name => [say(name), compact.format(shown[name][index])]),
    ],
  };
}

function draw(element) {
  const one = series[element.dataset.index];
  if (!one.ts.length) return;
  const shown = fitted(one, Math.max(element.clientWidth - BESIDE.wide, 100));
  const bars = shown.slot / one.length;
  element.closest("figure").querySelector(".each").textContent = bars > 1 ? say("joined", { bars }) : say("single");
  element.candles = shown;
  plot(element, chartOf(one, shown));
}

start(draw);
