// Draw each figure from the JSON beside it, in the colours of the page's theme.
(() => {
  const TYPES = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array, i2: Int16Array, u2: Uint16Array,
    i1: Int8Array, u1: Uint8Array };
  /** Return the numbers of a list that plotly has written as bytes; any other value as it is. */
  function listed(_, value) {
    if (value?.bdata === undefined) return value;
    const bytes = Uint8Array.from(atob(value.bdata), (c) => c.charCodeAt(0));
    return [...new TYPES[value.dtype](bytes.buffer)];
  }
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isBlack = (trace) => [trace.line, trace.marker].some((style) => style?.color === "#000000");
  const plots = [...document.querySelectorAll(".figure")].map((box) => {
    const spec = JSON.parse(box.querySelector("script").textContent, listed);
    const black = spec.data.flatMap((trace, i) => (isBlack(trace) ? [i] : []));
    return { box, spec, black, target: box.querySelector(".plot") };
  });

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

  const draw = (printing) => Promise.all(plots.map(({ target, spec, black }) => {
    const { ink } = colours(printing);
    const inked = Object.fromEntries(["line", "marker", "marker.line", "error_y"].map((part) => [`${part}.color`, ink]));
    const layout = restyle(spec.layout, printing);
    return black.length ? Plotly.update(target, inked, layout, black) : Plotly.relayout(target, layout);
  }));

  /** Break a text into lines of some length at most, where its words allow it. */
  function broken(words, length) {
    const lines = [""];
    for (const word of words.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (longer.length > length && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines;
  }
  /** Return the layout of a figure; in a narrow one titles begin at the edge, titles and names of rows are broken into lines, and there is room for the legend. */
  function fitted({ data, layout }, width) {
    if (width > 480) return layout;
    const lines = broken(layout.title.text || "", width / 8), more = 20 * (lines.length - 1);
    const { margin, yaxis } = layout;
    const entries = layout.showlegend ? new Set(data.filter(({ showlegend }) => showlegend !== false).map(({ name }) => name)).size : 0;
    const below = entries > 3 ? Math.max(0, 60 + 19 * entries - margin.b) : 0;
    const rows = yaxis.ticktext?.map((name) => broken(String(name), 14).join("<br>"));
    return { ...layout, title: { ...layout.title, text: lines.join("<br>"), xref: "container", pad: { t: 8 + more / 2 } },
      height: layout.height + more + below, margin: { ...margin, t: margin.t + more, b: margin.b + below },
      yaxis: rows ? { ...yaxis, ticktext: rows } : yaxis };
  }

  Promise.all(plots.map(({ target, spec }) => Plotly.newPlot(target, spec.data,
    fitted(spec, target.clientWidth), { displayModeBar: false, responsive: true })
  )).then(() => draw(false)).then(() => {
    document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true"); // where Plotly measures text
    document.body.dataset.drawn = plots.length;
  });

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
  const axisTitles = ({ layout }) => [layout.xaxis.title.text || "x", layout.yaxis.title.text || "y"];
  /** Return the marks of each trace that is drawn: name, x, y, ends of the interval, note. */
  function marks({ data, layout }) {
    const traces = [];
    let band = {};
    for (const trace of data) {
      if (trace.type === "heatmap") {
        traces.push({ trace, rows: trace.y.flatMap((y, j) => trace.x.map((x, i) => ["", x, y, "", "", trace.text[j][i]])) });
        continue;
      }
      const n = trace.x.length;
      if (trace.fill === "toself") {  // out along the upper ends, back along the lower
        band = Object.fromEntries(trace.x.slice(0, n / 2).map((x, i) =>
          [x, [trace.y[n - 1 - i], trace.y[i]]]));
        continue;
      }
      const [xaxis, yaxis] = ["x", "y"].map((a) => layout[(trace[`${a}axis`] || a).replace(a, `${a}axis`)]);
      const rows = [];
      trace.x.forEach((x, i) => {
        if (x === null) return;
        const y = trace.y[i], notes = trace.customdata || trace.text || [];
        const { meta } = trace;  // the ends of intervals that are not drawn in full
        const [low, high] = meta ? [meta.low[i], meta.high[i]] : ends(trace.error_x, x, i) || ends(trace.error_y, y, i) || band[x] || ["", ""];
        rows.push([trace.name, named(xaxis, x), named(yaxis, y), low, high, notes[i]]);
      });
      traces.push({ trace, rows });
      band = {};
    }
    return traces;
  }
  function csv(spec) {
    const lines = [["name", ...axisTitles(spec), "low", "high", "note"], ...marks(spec).flatMap(({ rows }) => rows)];
    return lines.map((line) => line.map(quoted).join(",")).join("\r\n");
  }

  // Figures in words: of a line its end, of other marks all, as when one points at them; seeds are in the data.
  const short = (value) => typeof value === "number" ? String(Number(value.toPrecision(3))).replace("-", "−") : text(value);
  function markWords({ hovertemplate = "%{y} at %{x}" }, [, x, y, , , note]) {
    const said = text(hovertemplate.replace(/<extra>.*<\/extra>/, "")
      .replace(/%\{(\w+)[^}]*\}/g, (_, key) => ({ x: short(x), y: short(y) })[key] ?? note));
    const row = [x, y].filter((place) => typeof place === "string" && !said.includes(text(place)));
    return [...row.map(text), said].join(": ");
  }
  function traceWords({ trace, rows }, x) {
    const isLine = /^lines/.test(trace.mode), name = text(trace.name);
    if (isLine && !name) return "";
    const said = rows.length > 50 && !isLine ? `${rows.length} points`
      : (trace.mode === "lines" ? rows.slice(-1) : rows).map((row) => markWords(trace, row) + (isLine && typeof row[1] === "number" ? ` at ${x} ${short(row[1])}` : "")).join("; ");
    return said && name && !said.includes(name) ? `${name}: ${said}` : said;
  }
  function words(spec) {
    const [x, y] = ["xaxis", "yaxis"].map((axis) => text(spec.layout[axis].title.text));
    const first = ({ trace }, i, all) => !trace.name || i === all.findIndex((other) => other.trace.name === trace.name && other.rows.length);
    const traces = marks(spec).filter(first).map((each) => traceWords(each, x));
    return [text(spec.layout.title.text), [y, x].filter(Boolean).join(" by "), ...traces].filter(Boolean).join(". ");
  }
  plots.forEach(({ box, target, spec }, i) => {
    const title = text(spec.layout.title.text) || `figure ${i + 1}`, link = box.querySelector(".csv");
    target.setAttribute("role", "img");
    target.setAttribute("aria-label", words(spec));
    link.setAttribute("aria-label", `data (CSV): ${title}`);
    link.addEventListener("click", () => {
      link.download = `${title.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
      link.href = URL.createObjectURL(new Blob(["\ufeff", csv(spec)], { type: "text/csv" }));
    });
  });

  dark.addEventListener("change", () => draw(false));
  // On paper the column is narrower than the window, and plots do not follow by themselves.
  const fit = (width) => plots.forEach(({ box, target }) => Plotly.relayout(target, width
    ? { autosize: false, width: box.closest(".panels") ? width / 2 - 12 : width }
    : { autosize: true, width: null }));
  window.addEventListener("beforeprint", () => { draw(true); fit(660); });
  window.addEventListener("afterprint", () => { draw(false); fit(null); });
})();
