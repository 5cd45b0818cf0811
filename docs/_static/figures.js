// Draw the figures of a notebook in the colours of the theme, light or dark.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function restyle() {
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(`--color-${name}`).trim();
    const ink = colour("foreground-primary"), line = colour("foreground-border");
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
      const changes = { "font.color": ink, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel.bgcolor": colour("background-primary"), "hoverlabel.font.color": ink };
      for (const axis of Object.keys(plot.layout).filter((key) => /^[xy]axis/.test(key))) {
        changes[`${axis}.linecolor`] = changes[`${axis}.tickcolor`] = line;
        changes[`${axis}.gridcolor`] = colour("background-border");
      }
      (plot.layout.shapes || []).forEach((_, i) => { changes[`shapes[${i}].line.color`] = ink; });
      Plotly.relayout(plot, changes);
    }
  }

  restyle();
  dark.addEventListener("change", restyle);
  new MutationObserver(restyle).observe(document.body, { attributeFilter: ["data-theme"] });
})();
