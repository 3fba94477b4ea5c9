// Lines, dots, bars and bands, as figures.py describes them.
const SHARES = [[1], [0.68, 0.32], [0.56, 0.22, 0.22]];

function draw(element) {
  const figure = data.figures[element.dataset.index];
  const xs = figure.traces.flatMap(trace => trace.x);
  const first = xs.reduce((a, b) => Math.min(a, b), Infinity), last = xs.reduce((a, b) => Math.max(a, b), -Infinity);
  const pad = figure.traces.some(({ kind }) => kind === "bar") ? (last - first) / Math.max(new Set(xs).size - 1, 1) / 2 : 0;
  plot(element, {
    label: inReaderLanguage(figure.label), x: figure.x && inReaderLanguage(figure.x), range: [first - pad, last + pad], areas: [],
    marks: figure.marks.map(({ x, name }) => ({ x, text: inReaderLanguage(name) })),
    panels: figure.axes.map(({ title, log }, i) => {
      const traces = figure.traces.filter(({ panel }) => panel === i);
      return {
        title: inReaderLanguage(title), log, share: SHARES[figure.axes.length - 1][i], zero: traces.some(({ kind }) => kind === "bar"),
        series: traces.map(trace => ({ ...trace, name: inReaderLanguage(trace.name) })),
      };
    }),
  });
}

start(draw);
