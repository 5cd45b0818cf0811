// Draw each figure from the JSON beside it, in the colours of the page's theme.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".figure")].map((box) => ({
    box, spec: JSON.parse(box.querySelector("script").textContent),
    target: box.querySelector(".plot"),
  }));

  function colours(printing) {
    const isDark = dark.matches && !printing;
    return { ink: isDark ? "#e6e9ef" : "#1d2330", line: isDark ? "#5d6676" : "#9aa2b1",
      grid: isDark ? "#2a303b" : "#e7eaef", ground: isDark ? "#1c2029" : "#ffffff" };
  }

  function restyle(layout, printing) {
    const c = colours(printing);
    const changes = { "font.color": c.ink, "hoverlabel.bgcolor": c.ground,
      "hoverlabel.font.color": c.ink };
    for (const key of Object.keys(layout).filter((k) => /^[xy]axis/.test(k))) {
      changes[`${key}.linecolor`] = changes[`${key}.tickcolor`] = c.line;
      changes[`${key}.gridcolor`] = c.grid;
    }
    (layout.shapes || []).forEach((_, i) => { changes[`shapes[${i}].line.color`] = c.ink; });
    return changes;
  }

  const draw = (printing) => Promise.all(plots.map((plot) =>
    Plotly.relayout(plot.target, restyle(plot.spec.layout, printing))));

  Promise.all(plots.map(({ target, spec }) =>
    Plotly.newPlot(target, spec.data, spec.layout, { displayModeBar: false, responsive: true })
  )).then(() => draw(false)).then(() => { document.body.dataset.drawn = plots.length; });

  // Downloads: the numbers of a figure, a line for each mark, with the interval where it is drawn.
  const text = (html) => new DOMParser().parseFromString(String(html ?? "").replace(/<br>/g, "; "),
    "text/html").body.textContent;
  const quoted = (value) => typeof value === "number" ? Number(value.toPrecision(9)) : `"${text(value).replace(/"/g, '""')}"`;
  function named(axis, value) {
    const { tickvals, ticktext } = axis || {};
    const rows = tickvals && tickvals.every((each, i) => each === i);
    return rows ? ticktext[Math.round(value)] ?? value : value;
  }
  function ends(bar, value, i) {
    return bar && bar.array ? [value - (bar.arrayminus || bar.array)[i], value + bar.array[i]] : null;
  }
  function csv({ data, layout }) {
    const lines = [["name", layout.xaxis.title.text || "x", layout.yaxis.title.text || "y", "low", "high",
      "note"]];
    let band = {};
    for (const trace of data) {
      if (trace.type === "heatmap") {
        trace.y.forEach((y, j) => trace.x.forEach((x, i) =>
          lines.push(["", x, y, "", "", trace.text[j][i]])));
        continue;
      }
      const n = trace.x.length;
      if (trace.fill === "toself") {  // out along the upper ends, back along the lower
        band = Object.fromEntries(trace.x.slice(0, n / 2).map((x, i) =>
          [x, [trace.y[n - 1 - i], trace.y[i]]]));
        continue;
      }
      const [xaxis, yaxis] = ["x", "y"].map((a) => layout[(trace[`${a}axis`] || a).replace(a, `${a}axis`)]);
      trace.x.forEach((x, i) => {
        if (x === null) return;
        const y = trace.y[i], notes = trace.customdata || trace.text || [];
        const { meta } = trace;  // the ends of intervals that are not drawn in full
        const [low, high] = meta ? [meta.low[i], meta.high[i]] : ends(trace.error_x, x, i) || ends(trace.error_y, y, i) || band[x] || ["", ""];
        lines.push([trace.name, named(xaxis, x), named(yaxis, y), low, high, notes[i]]);
      });
      band = {};
    }
    return lines.map((line) => line.map(quoted).join(",")).join("\r\n");
  }
  plots.forEach(({ box, spec }, i) => box.querySelector(".csv").addEventListener("click", (event) => {
    const title = text(spec.layout.title.text) || `figure ${i + 1}`;
    event.target.download = `${title.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
    event.target.href = URL.createObjectURL(new Blob(["\ufeff", csv(spec)], { type: "text/csv" }));
  }));

  dark.addEventListener("change", () => draw(false));
  // On paper the column is narrower than the window, and plots do not follow by themselves.
  const fit = (width) => plots.forEach(({ box, target }) => Plotly.relayout(target, width
    ? { autosize: false, width: box.closest(".panels") ? width / 2 - 12 : width }
    : { autosize: true, width: null }));
  window.addEventListener("beforeprint", () => { draw(true); fit(660); });
  window.addEventListener("afterprint", () => { draw(false); fit(null); });
})();
