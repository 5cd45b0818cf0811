// Files: the runs as CSV, the charts as PNG.

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Return the runs as CSV; its first lines hold the setting. */
function csvOf(state, runs) {
  const columns = ["time", "marginP", "marginQ", "secondDifference", "errorP", "errorQ", "loss"];
  const names = ["eta_t", "margin_p", "margin_q", "second_difference_q", "error_p_only", "error_q_only", "training_loss"];
  const setting = Object.entries(state).filter(([key]) => key !== "mode").map(([key, value]) => `${key}=${value ?? "auto"}`);
  const rows = ARMS.flatMap((arm) => runs[arm].points.map((point) => [arm, ...columns.map((name) => point[name] ?? "")].join(",")));
  return [`# learnorder theory explore; ${setting.join("; ")}`, ["algorithm", ...names].join(","), ...rows].join("\n") + "\n";
}

/** Draw charts below each other on a canvas and return the picture, at twice their size. */
async function pngOf(charts, caption) {
  const variables = ["ground", "ink", "quiet", "line", "large", "small", "noise", "plus", "minus"];
  const computed = getComputedStyle(document.documentElement);
  const colors = variables.map((name) => `--${name}:${computed.getPropertyValue(`--${name}`)}`).join(";");
  const columns = charts.length > 1 ? 2 : 1;
  const sizes = charts.map((chart) => [Number(chart.getAttribute("width")), Number(chart.getAttribute("height"))]);
  const width = Math.max(...sizes.map(([one]) => one)) + 24;
  let [inner, y] = ["", 44];
  for (let at = 0; at < charts.length; at += columns) {
    const row = charts.slice(at, at + columns);
    row.forEach((chart, place) => { inner += `<g transform="translate(${12 + place * width},${y})">${chart.innerHTML}</g>`; });
    y += Math.max(...sizes.slice(at, at + columns).map(([, height]) => height)) + 16;
  }
  const total = width * columns;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * total}" height="${2 * y}" viewBox="0 0 ${total} ${y}" style="${colors}" font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="var(--ground)"/><text x="12" y="24" font-size="13" fill="var(--ink)">${escapeText(caption)}</text>${inner}</svg>`;
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * total, 2 * y];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
