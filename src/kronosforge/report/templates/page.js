// What every page does: it speaks the reader's language, and draws each chart when it comes near the screen.
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)");
const style = getComputedStyle(root); // it follows the scheme
const ink = name => style.getPropertyValue(`--${name}`).trim();

const inReaderLanguage = texts => texts[root.lang] || texts.en;

function start(draw) {
  const charts = [...document.querySelectorAll(".chart")];
  const drawn = new Map(); // chart element → the width it was drawn for
  function paint(element) {
    drawn.set(element, element.clientWidth);
    draw(element);
    element.dataset.drawn = "yes";
  }
  const redraw = () => drawn.forEach((_, element) => paint(element));

  const button = document.getElementById("language");
  function speak(language) {
    root.lang = language;
    [button.textContent, button.lang] = language === "zh" ? ["English", "en"] : ["中文", "zh"];
    document.title = ["h1", ".kind"].map(name => document.querySelector(name).innerText).join(" · ");
    redraw();
  }
  button.hidden = false;
  button.addEventListener("click", () => speak(root.lang === "zh" ? "en" : "zh"));
  speak(navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

  // A chart is drawn when it comes near the screen, and again when its width, the scheme or the language changes.
  const seen = new IntersectionObserver(entries => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      paint(target);
    }
  }, { rootMargin: "400px" });
  charts.forEach(chart => seen.observe(chart));
  const sized = new ResizeObserver(entries => {
    for (const { target } of entries) if (drawn.has(target) && drawn.get(target) !== target.clientWidth) paint(target);
  });
  charts.forEach(chart => sized.observe(chart));
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => charts.filter(chart => !drawn.has(chart)).forEach(paint));
  return redraw;
}
