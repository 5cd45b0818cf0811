// Curves with a cursor, and filters.

const CURVES = {
  accuracy: "Accuracy without the pattern",
  reliance: "Reliance on the pattern, in conflict",
};

const percent = (value) => `${(100 * value).toFixed(1).replace("-", "−")} %`;

/** Return a chart of a share over the epochs, with a cursor at one of them. */
function curveChart(title, lines, epoch, epochs, width) {
  const size = fontSize();
  const height = Math.round(Math.max(170, Math.min(300, width * 0.42)));
  const [left, right, top, bottom] = [size * 3.4, size * 0.8, size * 2.2, size * 2.6];
  const low = Math.min(0, ...lines.flatMap(({ values }) => values));
  const x = linearScale(1, Math.max(epochs, 2), left, width - right);
  const y = linearScale(low, 1, height - bottom, top);
  let content = label(0, size, title, { fill: "var(--ink)", "font-weight": 600, "font-size": size * 1.1 });
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    content += tag("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), stroke: "var(--line)" });
    content += label(left - 6, y(tick) + size / 3, `${100 * tick} %`, { "text-anchor": "end" });
  }
  for (const tick of niceTicks(0, epochs).filter((one) => one >= 1 && Number.isInteger(one)))
    content += label(x(tick), height - bottom + size * 1.3, tick, { "text-anchor": "middle" });
  content += label(width - right, height - 2, "epoch", { "text-anchor": "end" });
  content += tag("line", { x1: x(epoch), x2: x(epoch), y1: top, y2: height - bottom, stroke: "var(--ink)", "stroke-width": 1.5 });
  for (const { color, dash, values } of lines) {
    const points = values.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    content += tag("polyline", { points, fill: "none", stroke: color, "stroke-width": 2.5, "stroke-dasharray": dash });
    content += tag("circle", { cx: x(Math.min(epoch, values.length)), cy: y(values[Math.min(epoch, values.length) - 1]), r: 4, fill: color });
  }
  const said = lines.map(({ title: arm, values }) => `${arm} ${percent(values[Math.min(epoch, values.length) - 1])}`).join(", ");
  return svg(width, height, `${title}, at epoch ${epoch}: ${said}`, content);
}

function drawCurves(state) {
  const { runs } = ofSeed(state);
  const shown = Object.entries(CURVES).map(([name, title]) => {
    const lines = shownArms(state).filter((arm) => runs[arm.name].curves[name]).map((arm) => ({ ...arm, values: runs[arm.name].curves[name] }));
    return { name, title: lines.some((arm) => runs[arm.name].curves.reliance) ? title : "Accuracy", lines };
  }).filter(({ lines }) => lines.length);
  if ($("curves").childElementCount !== shown.length) $("curves").innerHTML = shown.map(({ name }) => `<div id="curve-${name}"></div>`).join("");
  for (const { name, title, lines } of shown) {
    const key = lines.map((arm) => `<span>${lineHtml(arm)}${escapeText(arm.title)} <b>${percent(arm.values[Math.min(state.epoch, arm.values.length) - 1])}</b></span>`);
    $(`curve-${name}`).innerHTML = curveChart(title, lines, state.epoch, lastEpoch(state), widthOf(`curve-${name}`)) + `<p class="legend">${key.join("")}</p>`;
  }
}

const bytesOf = (filters) => (filters.decoded ||= Uint8Array.from(atob(filters.bytes), (c) => c.charCodeAt(0)));

/** Return the colour of a pixel from its channels in [−1, 1]: one from blue over white to orange, three as RGB. */
function pixelColor(channels) {
  if (channels.length === 3) return channels.map((value) => 128 + 127 * value);
  const end = channels[0] < 0 ? [20, 75, 160] : [190, 85, 0];
  return end.map((value) => 250 + (value - 250) * Math.abs(channels[0]));
}

/** Draw the filters of an epoch side by side, a pixel apart. */
function drawFilters(canvas, filters, index) {
  const [count, channels, height, width] = filters.shape;
  const columns = Math.min(8, count);
  [canvas.width, canvas.height] = [columns * (width + 1) - 1, Math.ceil(count / columns) * (height + 1) - 1];
  canvas.style.width = `${Math.min(16, canvas.width * 0.6)}rem`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const bytes = bytesOf(filters);
  const start = index * count * channels * height * width;
  for (let filter = 0; filter < count; filter++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const values = Array.from({ length: channels }, (_, c) => (bytes[start + ((filter * channels + c) * height + row) * width + column] - 128) / 127);
        const px = (filter % columns) * (width + 1) + column;
        const py = Math.floor(filter / columns) * (height + 1) + row;
        image.data.set([...pixelColor(values), 255], 4 * (py * canvas.width + px));
      }
  context.putImageData(image, 0, 0);
}

function buildFilters(state) {
  const { runs } = ofSeed(state);
  $("filters").innerHTML = shownArms(state).map((arm) => {
    const { filters, firstLayer } = runs[arm.name];
    const few = filters ? `${escapeText(firstLayer)}${filters.shape[0] === 32 ? ", 32 of them here" : ""}. ` : "";
    const none = `Its first layer is ${escapeText(firstLayer)}: there are no filters to draw. They are drawn of an nn.Conv2d with 1 or 3 input channels.`;
    return `<div><h3>${lineHtml(arm)}${escapeText(arm.title)}</h3>${filters ? `<canvas data-arm="${escapeText(arm.name)}" role="img"></canvas>` : ""}<p class="quiet">${filters ? `${few}<span></span>` : none}</p></div>`;
  }).join("");
}

function fillFilters(state) {
  for (const canvas of $("filters").querySelectorAll("canvas")) {
    const run = ofSeed(state).runs[canvas.dataset.arm];
    const index = at(run, state.epoch);
    drawFilters(canvas, run.filters, index);
    const words = `Largest weight ${Number(run.filters.largest[index].toPrecision(3))}`;
    canvas.setAttribute("aria-label", `${run.filters.shape[0]} filters at epoch ${state.epoch}. ${words}.`);
    canvas.parentElement.querySelector("span").textContent = `${words}.`;
  }
}
