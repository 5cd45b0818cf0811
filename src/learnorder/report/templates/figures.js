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

  dark.addEventListener("change", () => draw(false));
  // On paper the column is narrower than the window, and plots do not follow by themselves.
  const fit = (width) => plots.forEach(({ box, target }) => Plotly.relayout(target, width
    ? { autosize: false, width: box.closest(".panels") ? width / 2 - 12 : width }
    : { autosize: true, width: null }));
  window.addEventListener("beforeprint", () => { draw(true); fit(660); });
  window.addEventListener("afterprint", () => { draw(false); fit(null); });
})();
