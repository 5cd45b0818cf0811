// The charts.

const STYLES = {
  "L-S": { color: "var(--large)", dash: "" },
  S: { color: "var(--small)", dash: "8 5" },
  "S+noise": { color: "var(--noise)", dash: "2 4" },
};

function decades(low, high) {
  const ticks = [];
  const from = Math.ceil(Math.log10(low) - 1e-9);
  const to = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((to - from) / 5));
  for (let power = from; power <= to; power += every) ticks.push(10 ** power);
  return ticks;
}

const logScale = (low, high, from, to) => (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low);

/**
 * Return a chart of one quantity against η·t, for all algorithms. `behind` may hold other runs and
 * their value, as thin lines.
 */
function lineChart({ title, runs, value, behind = { runs: {} }, width, range, log = false, format = numberText, description }) {
  const size = fontSize();
  const height = Math.round(Math.max(200, Math.min(330, width * 0.55)));
  const [left, right, top, bottom] = [size * 4.2, size * 2, size * 2.4, size * 3.2];
  const within = (run) => run.points.filter((point) => point.time >= range[0] * 0.999 && point.time <= range[1] * 1.001);
  const all = [...ARMS.map((arm) => within(runs[arm]).map(value)), ...Object.values(behind.runs).map((run) => within(run).map(behind.value))].flat().filter(Number.isFinite);
  const most = Math.max(...all, log ? 1e-9 : 0.1);
  const [low, high] = log ? [most * 1e-5, most * 1.5] : [Math.min(0, ...all), most * 1.05];
  const x = logScale(...range, left, width - right);
  const y = (log ? logScale : linearScale)(low, high, height - bottom, top);
  let content = label(0, size, title, { fill: "var(--ink)", "font-weight": 600, "font-size": size * 1.1 });
  for (const tick of log ? decades(low, high) : niceTicks(low, high)) {
    content += tag("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), stroke: "var(--line)" });
    content += label(left - 6, y(tick) + size / 3, format(tick), { "text-anchor": "end" });
  }
  for (const tick of decades(...range)) {
    content += tag("line", { x1: x(tick), x2: x(tick), y1: height - bottom, y2: height - bottom + 4, stroke: "var(--quiet)" });
    content += label(x(tick), height - bottom + size * 1.4, numberText(tick), { "text-anchor": "middle" });
  }
  content += label(width - right, height - 3, "training time η·t", { "text-anchor": "end" });
  const line = (run, of, stroke) => {
    const path = within(run).map((point) => `${x(point.time).toFixed(1)},${y(Math.max(of(point), low)).toFixed(1)}`).join(" ");
    return path && tag("polyline", { points: path, fill: "none", ...stroke });
  };
  for (const [arm, run] of Object.entries(behind.runs)) content += line(run, behind.value, { stroke: STYLES[arm].color, "stroke-width": 1 });
  for (const arm of ARMS) {
    const { color, dash } = STYLES[arm];
    content += line(runs[arm], value, { stroke: color, "stroke-width": 2.5, "stroke-dasharray": dash, opacity: runs[arm].status === "estimate" ? 0.45 : 1 });
    if (runs[arm].annealed && arm !== "S") {
      const at = x(Math.max(runs[arm].annealed, range[0]));
      content += tag("line", { x1: at, x2: at, y1: top, y2: height - bottom, stroke: color, "stroke-dasharray": "1 3" });
    }
  }
  return svg(width, height, `${title}. ${description}`, content);
}

/** Return the order of learning: for each algorithm, when P and Q are learned. */
function orderChart({ runs, width, range, description }) {
  const size = fontSize();
  const rowHeight = size * 2.7;
  const left = size * 5.6;
  const top = size * 0.9;
  const height = top + rowHeight * ARMS.length + size * 3.3;
  const x = logScale(...range, left, width - size * 2.2);
  let content = "";
  for (const tick of decades(...range)) {
    content += tag("line", { x1: x(tick), x2: x(tick), y1: top, y2: height - size * 3.2, stroke: "var(--line)" });
    content += label(x(tick), height - size * 1.9, numberText(tick), { "text-anchor": "middle" });
  }
  content += label(width - size * 2.2, height - size * 0.4, "training time η·t", { "text-anchor": "end" });
  ARMS.forEach((arm, row) => {
    const y = top + rowHeight * (row + 0.5);
    const { color } = STYLES[arm];
    const { p, q } = orderOf(runs[arm]);
    content += label(0, y + size / 3, SHORT[arm], { fill: color, "font-weight": 600 });
    const end = runs[arm].points[runs[arm].points.length - 1].time;
    content += tag("line", { x1: left, x2: x(Math.max(end, range[0])), y1: y, y2: y, stroke: color, "stroke-width": 2, opacity: runs[arm].status === "estimate" ? 0.25 : 0.6 });
    if (runs[arm].annealed && arm !== "S") {
      const at = x(Math.max(runs[arm].annealed, range[0]));
      content += tag("path", { d: `M${at},${y - size * 0.9} l${-size * 0.4},${-size * 0.55} h${size * 0.8} z`, fill: color });
    }
    for (const [time, name, shift] of [[p, "P", -0.55], [q, "Q", 0.55]]) {
      if (time === Infinity) continue;
      const near = Math.abs(Math.log(p / q)) < 0.12 * Math.log(range[1] / range[0]) * (300 / width) ? shift * size : 0;
      const at = x(Math.min(Math.max(time, range[0]), range[1]));
      const shape = name === "P" ? { rx: size } : { rx: 2 };
      content += tag("rect", { x: at - size * 0.85, y: y - size * 0.85 + near * 0.5, width: size * 1.7, height: size * 1.7, ...shape, fill: name === "P" ? color : "var(--ground)", stroke: color, "stroke-width": 2 });
      content += label(at, y + size * 0.36 + near * 0.5, name, { "text-anchor": "middle", "font-weight": 700, fill: name === "P" ? "var(--ground)" : color });
    }
  });
  return svg(width, height, `When each algorithm learns P and Q. ${description}`, content);
}

/** Return one half of the training examples as points: horizontal and vertical coordinates, by label. */
function scatter({ title, points, width, xLabel, yLabel, lines = "", description }) {
  const size = fontSize();
  const height = Math.round(Math.min(330, width * 0.75));
  const [left, right, top, bottom] = [size * 2, 10, size * 2.4, size * 2.4];
  const reach = (at) => 1.08 * Math.max(...points.map((point) => Math.abs(point[at])), 1e-12);
  const xs = points.map((point) => point[0]);
  const x = linearScale(Math.min(...xs) < 0 ? -reach(0) : -0.04 * reach(0), reach(0), left, width - right);
  const y = linearScale(-reach(1), reach(1), height - bottom, top);
  let content = label(0, size, title, { fill: "var(--ink)", "font-weight": 600, "font-size": size * 1.1 });
  content += tag("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom, fill: "none", stroke: "var(--line)" });
  content += label(width - right, height - 4, xLabel, { "text-anchor": "end" });
  content += tag("g", { transform: `translate(${size},${height - bottom}) rotate(-90)` }, label(0, 0, yLabel));
  for (const [fromX, fromY, toX, toY] of lines || []) {
    const scaled = { x1: x(fromX), y1: y(fromY * reach(1)), x2: x(toX * (fromX === toX ? 1 : reach(0))), y2: y(toY * reach(1)) };
    content += tag("line", { ...scaled, stroke: "var(--quiet)", "stroke-dasharray": "3 4" });
  }
  for (const [a, b, sign] of points) {
    const [cx, cy] = [x(a), y(b)];
    content += sign > 0
      ? tag("circle", { cx, cy, r: 4, fill: "var(--plus)", opacity: 0.85 })
      : tag("path", { d: `M${cx - 4},${cy - 4} l8,8 M${cx - 4},${cy + 4} l8,-8`, stroke: "var(--minus)", "stroke-width": 2, fill: "none" });
  }
  return svg(width, height, `${title}. ${description}`, content);
}
