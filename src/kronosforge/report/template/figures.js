// Lines, dots, bars and bands, as figures.py describes them.
const say = words => words[root.lang] || words.en;
const PANELS = [[[0, 1]], [[0.34, 1], [0, 0.26]], [[0.44, 1], [0.225, 0.36], [0, 0.145]]];

function traces({ name, kind, colour, x, y, upper, panel }, points) {
  const yaxis = panel ? `y${panel + 1}` : "y";
  const shared = { x, y, yaxis, name: say(name), hovertemplate: `%{y:${points}}` };
  const line = { color: ink(colour), width: kind === "thin" ? 1 : 2, dash: kind === "dash" ? "dot" : "solid" };
  if (kind === "bar") return [{ ...shared, type: "bar", marker: { color: ink(colour), line: { width: 0 } } }];
  if (kind === "band" || kind === "core") {
    const edge = { ...shared, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip", hovertemplate: null };
    return [edge, { ...edge, y: upper, fill: "tonexty", fillcolor: ink(colour) + (kind === "core" ? "60" : "30") }];
  }
  const mode = kind === "dots" ? "lines+markers" : "lines";
  return [{ ...shared, type: "scatter", mode, line, opacity: kind === "thin" ? 0.65 : 1, marker: { size: 7 } }];
}

// 1, 2 and 5 of every decade, spelled out.
const DECADES = Array.from({ length: 25 }, (_, i) => [1, 2, 5].map(digit => Number(`${digit}e${i - 12}`))).flat();

function axis({ log }, domain) {
  return {
    ...(log ? { tickvals: DECADES, ticktext: DECADES.map(String) } : {}),
    domain, type: log ? "log" : "linear", fixedrange: true, side: "right", gridcolor: ink("grid"), zeroline: false,
    nticks: domain[1] - domain[0] > 0.3 ? 7 : 3, exponentformat: "none", separatethousands: true, tickfont: { size: 11 },
    automargin: true,
  };
}

function draw(element) {
  const one = data[element.dataset.index];
  const { clientWidth: width, clientHeight: height } = element;
  const domains = PANELS[one.axes.length - 1];
  const names = Object.fromEntries(one.axes.map((a, i) => [i ? `yaxis${i + 1}` : "yaxis", axis(a, domains[i])]));
  const word = (text, more) => ({ text, showarrow: false, yref: "paper", font: { size: 11, color: ink("muted") }, ...more });
  const layout = {
    ...sheet(width, height), ...names, hovermode: "x unified", barmode: "group",
    hoverlabel: { bgcolor: ink("surface"), bordercolor: ink("rule"), font: { color: ink("ink"), size: 12 } },
    margin: { l: 8, r: width < 600 ? 48 : 60, t: 24, b: one.x ? 44 : 38 },
    xaxis: {
      type: one.x ? "linear" : "date", title: one.x ? { text: say(one.x), font: { size: 11 }, standoff: 6 } : undefined,
      anchor: one.axes.length > 1 ? `y${one.axes.length}` : "y", gridcolor: ink("grid"), zeroline: false,
      tickfont: { size: 11 }, nticks: Math.max(3, Math.floor(width / 110)), fixedrange: touch.matches,
      tickformatstops: one.x ? undefined : TIMES, hoverformat: one.x ? undefined : "%Y-%m-%d %H:%M",
    },
    shapes: one.marks.map(({ x }) => ({
      type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: ink("good"), width: 1.5, dash: "dot" },
    })),
    annotations: [
      ...one.axes.map(({ title }, i) => word(say(title), { x: 0, xref: "paper", xanchor: "left", y: domains[i][1], yanchor: "bottom" })),
      ...one.marks.map(({ x, name }) => word(say(name), { x, y: 1, yanchor: "bottom", font: { size: 12, color: ink("good") } })),
    ],
  };
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", say(one.label));
  return Plotly.react(element, one.traces.flatMap(trace => traces(trace, ".4~g")), layout, SETTINGS);
}

start(draw);
