// Parts of charts as SVG. Colours are variables of the style sheet, so light and dark need no redrawing.

const escapeText = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const tag = (name, attributes, content = "") =>
  `<${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${escapeText(value)}"`).join(" ")}>${content}</${name}>`;
const label = (x, y, text, more = {}) => tag("text", { x, y, fill: "var(--quiet)", "font-size": fontSize(), ...more }, escapeText(text));
const fontSize = () => Math.round(0.8 * parseFloat(getComputedStyle(document.documentElement).fontSize));

function svg(width, height, title, content) {
  return tag("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title, "font-family": "system-ui, sans-serif" }, content);
}

function niceTicks(low, high) {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((one) => one >= rough);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-9); at++) ticks.push(at * step);
  return ticks;
}

const linearScale = (low, high, from, to) => (value) => from + ((to - from) * (value - low)) / (high - low);
