// Activation patterns as small maps: which units are on for which examples, and which have switched.

/** Return a map: a row for each example, a column for each unit. */
function patternMap({ title, start, now, rows, color, width, description }) {
  const size = fontSize();
  const [left, top] = [size * 3.6, size * 1.6];
  const cell = (width - left) / start[0].length;
  const high = Math.max(5, Math.min(cell, size * 0.8));
  const paths = { on: "", off: "", switchedOn: "", switchedOff: "" };
  start.forEach((gates, row) => gates.forEach((gate, column) => {
    const name = gate === now[row][column] ? (gate ? "on" : "off") : gate ? "switchedOff" : "switchedOn";
    paths[name] += `M${(left + column * cell).toFixed(1)},${(top + row * high).toFixed(1)}h${(cell - 0.7).toFixed(1)}v${(high - 0.7).toFixed(1)}h${(0.7 - cell).toFixed(1)}z`;
  }));
  let content = label(0, size, title, { fill: "var(--ink)" });
  rows.forEach((text, at) => { content += label(0, top + (at + 0.5) * high * (start.length / rows.length) + size * 0.35, text); });
  content += tag("path", { d: paths.off, fill: "var(--off)" }) + tag("path", { d: paths.on, fill: "var(--on)" });
  content += tag("path", { d: paths.switchedOff, fill: color, opacity: 0.5 }) + tag("path", { d: paths.switchedOn, fill: color });
  return svg(width, Math.ceil(top + start.length * high), `${title}. ${description}`, content);
}
