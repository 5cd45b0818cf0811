// The page: slider, play, choices.

let state;
let playing = null; // the timer
let saying = null; // another

/** Show another arm or seed: build everything anew. */
function rebuild() {
  state.epoch = Math.min(state.epoch, lastEpoch(state));
  if (!shownArms(state).length) state.arm = ALL;
  $("epoch").max = lastEpoch(state);
  $("arm").value = state.arm;
  $("seed").value = state.seed;
  drawLegend(state);
  const focused = document.activeElement.dataset.image;
  buildBands(state);
  if (focused) $("bands").querySelector(`[data-image="${focused}"]`)?.focus();
  buildOrder(state);
  buildFilters(state);
  show();
}

/** Show the epoch. */
function show() {
  const words = `epoch ${state.epoch} of ${lastEpoch(state)}`;
  $("epoch").value = state.epoch;
  $("epoch").setAttribute("aria-valuetext", words);
  $("now").textContent = words;
  fillBands(state);
  fillChosen(state);
  fillOrder(state);
  drawCurves(state);
  fillFilters(state);
  history.replaceState(null, "", address(state));
  document.body.dataset.epoch = state.epoch;
  clearTimeout(saying);
  if (playing === null) saying = setTimeout(() => say(resultWords()), 700); // once the slider rests
}

/** Return the epoch's results as a screen reader says them. */
function resultWords() {
  const { images, runs } = ofSeed(state);
  const arms = shownArms(state).map(({ name, title }) => `${title}: ${summaryWords(images, runs[name], state.epoch)}.`);
  const chosen = state.image === null ? "" : ` Image ${state.image} is shown in all its forms below the table.`;
  return `Epoch ${state.epoch}. ${arms.join(" ")}`.replaceAll(" · ", ", ") + chosen;
}

function goTo(epoch) {
  state.epoch = Math.min(Math.max(epoch, 1), lastEpoch(state));
  notice("address", "");
  show();
}

/** Play to the end, about a quarter of a minute in all, or stop; with reduced motion, a change a second. */
function play(start) {
  clearInterval(playing);
  playing = null;
  if (start) {
    if (state.epoch === lastEpoch(state)) goTo(1);
    const pause = Math.min(500, Math.max(100, 15000 / lastEpoch(state)));
    const stride = calm.matches ? Math.ceil(1000 / pause) : 1;
    playing = setInterval(() => {
      goTo(state.epoch + stride);
      if (state.epoch === lastEpoch(state)) play(false);
    }, stride * pause);
  }
  $("play").textContent = start ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", start ? "Stop" : "Play");
}

function choose(key, value) {
  state[key] = value;
  notice("address", "");
  rebuild();
}

function onKey(event) {
  const { target, key } = event;
  if (event.altKey || event.ctrlKey || event.metaKey || target.closest("select")) return;
  if (key === " " && !target.closest("button, summary, a")) {
    event.preventDefault();
    play(playing === null);
  } else if (["ArrowLeft", "ArrowRight"].includes(key) && target !== $("epoch")) {
    event.preventDefault();
    goTo(state.epoch + (key === "ArrowLeft" ? -1 : 1));
  }
}

function options(select, choices) {
  select.innerHTML = choices.map(([value, text]) => `<option value="${escapeText(value)}">${escapeText(text)}</option>`).join("");
}

function readState() {
  const read = readAddress(location.hash);
  state = read.state;
  notice("address", read.complaints.join(" "));
  rebuild();
}

function start() {
  options($("arm"), [[ALL, "all, side by side"], ...DATA.arms.map(({ name, title }) => [name, title])]);
  options($("seed"), seedNames.map((seed) => [seed, seed]));
  $("arm-label").hidden = DATA.arms.length < 2;
  $("seed-label").hidden = seedNames.length < 2;
  DATA.missing.forEach((text, i) => notice(`missing-${i}`, text));
  $("epoch").addEventListener("input", (event) => goTo(Number(event.target.value)));
  $("play").addEventListener("click", () => play(playing === null));
  $("arm").addEventListener("change", (event) => choose("arm", event.target.value));
  $("seed").addEventListener("change", (event) => choose("seed", event.target.value));
  $("bands").addEventListener("click", ({ target }) => {
    const number = Number(target.closest(".thumb")?.dataset.image);
    if (!number) return;
    state.image = state.image === number ? null : number;
    show();
  });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", readState);
  let resizing;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(rebuild, 100); });
  readState();
}

try {
  start();
} catch (error) {
  notice("broken", `This page could not start: ${error.message || error}. A current Firefox, Chrome, Edge or Safari opens it.`);
}
