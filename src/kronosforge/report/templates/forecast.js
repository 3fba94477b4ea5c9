// The known candles of a series, the fan of what may follow, and, where they are asked for, the paths.
let pathsShown = false;

function draw(element) {
  const one = data.forecasts[element.dataset.index];
  const middle = times => times.map(ts => ts + one.slot / 2);
  const known = middle(one.ts), ahead = middle(one.ahead), last = known.at(-1);
  const from = values => [one.close.at(-1), ...values]; // every future begins at the last known close
  const unseen = name => ({ name, kind: "data", x: known, y: one[name] });
  const paths = pathsShown ? one.paths.map(y => ({ kind: "path", colour: "test", x: [last, ...ahead], y: from(y) })) : [];
  const bands = one.bands.map(({ name, kind, lower, upper }) => (
    { name: inReaderLanguage(name), kind, colour: "val", x: [last, ...ahead], y: from(lower), upper: from(upper) }));
  const median = { name: say("median"), kind: "line", colour: "val", x: [last, ...ahead], y: from(one.median) };
  plot(element, {
    label: say("fan", { key: one.key }), x: null, range: [one.ts[0], one.ahead.at(-1) + one.slot], areas: [],
    marks: [{ x: last, text: say("known") }],
    panels: [{
      title: say("price"), share: 1, series: [unseen("low"), unseen("high"), ...bands, ...paths, median], draw: u => bodies(u, one),
    }],
    read: index => {
      const step = index - known.length;
      if (step < 0) {
        return [["", instant(one.ts[index])], ...["open", "high", "low", "close"].map(name => [say(name), digits.format(one[name][index])])];
      }
      const fan = one.bands.map(({ name, lower, upper }) => [inReaderLanguage(name), `${short.format(lower[step])} – ${short.format(upper[step])}`]);
      return [["", instant(one.ahead[step])], [say("median"), short.format(one.median[step])], ...fan];
    },
  });
}

const redraw = start(draw);
const button = document.getElementById("paths");
button.addEventListener("click", () => {
  pathsShown = !pathsShown;
  button.setAttribute("aria-pressed", pathsShown);
  redraw();
});
