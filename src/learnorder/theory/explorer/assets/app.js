// The page: sliders, runs in workers, pictures, words.

const DATA = JSON.parse($("data").textContent);
const GRID = decodeGrid(DATA.grid);

let state;
let runs = {}; // the run of each algorithm that is shown
let exact = {}; // those of the current setting that the flow has finished
let ticket = 0;
let failures = [];
const engines = {};

function settingOf(current) {
  const { mode, ...setting } = current;
  return setting;
}

// ---------------------------------------------------------------------------- running

function finished(arm, reply) {
  if (reply.ticket !== ticket) return;
  if (reply.error) failures.push(arm);
  else runs[arm] = exact[arm] = reply.result;
  show();
}

/** Show an estimate of the current setting, and run it. */
function update() {
  ticket += 1;
  exact = {};
  failures = [];
  for (const arm of ARMS) {
    runs[arm] = preview(GRID, arm, state);
    engines[arm] ||= new Engine((reply) => finished(arm, reply));
    engines[arm].post({ task: "run", ticket, arm, setting: settingOf(state), table: DATA.arcsine });
  }
  history.replaceState(null, "", address(state));
  drawData();
  resetFinite();
  show();
}

// ---------------------------------------------------------------------------- showing

const complete = () => ARMS.every((arm) => exact[arm]);
const range = () => { const { d, last } = derived(state); return [d / 100, last]; };

function show() {
  const waiting = ARMS.filter((arm) => !exact[arm] && !failures.includes(arm));
  document.body.dataset.ready = waiting.length ? "" : "yes";
  $("summary").ariaBusy = String(waiting.length > 0); // an estimate is not announced
  $("status").textContent = waiting.length
    ? "Faint lines: an estimate from runs computed in advance. The exact runs are on their way…"
    : failures.length ? "" : `Exact runs at infinite width, with 100 training examples (draw ${state.seed + 1} of the data).`;
  notice("failed", failures.length ? `The solver found no accurate step for ${failures.map((arm) => SHORT[arm]).join(" and ")} at this setting; the faint lines are an estimate. Try a smaller s, or a larger r.` : "");
  const hidden = state.mode === "predict" && !predicting.revealed;
  document.body.classList.toggle("hide-results", hidden);
  if (hidden) return;
  draw();
  if (!waiting.length) {
    const text = summaryWords(runs);
    if ($("summary").textContent !== text) $("summary").textContent = text;
    fillTable();
    if (state.mode === "predict") score();
  } else if (!$("summary").textContent) $("summary").textContent = summaryWords(runs);
}

const CHARTS = [
  { id: "chart-p", title: "P: mean margin", value: (point) => point.marginP, words: (run) => lastWords(run, "marginP") },
  { id: "chart-q", title: "Q: mean margin", value: (point) => point.marginQ, words: (run) => lastWords(run, "marginQ") },
  { id: "chart-error", title: "Mistakes on new examples with only P", value: (point) => point.errorP, format: (v) => `${Number((100 * v).toPrecision(2))} %`, words: (run) => percent(finalError(run)) },
  { id: "chart-second", title: "Q: second difference, size", value: (point) => Math.abs(point.secondDifference), log: true, words: (run) => lastWords(run, "secondDifference") },
];

function lastWords(run, name) {
  return numberWords(run.points[run.points.length - 1][name]);
}

function draw() {
  const shared = { runs, range: range() };
  const order = ARMS.map((arm) => orderWords(runs[arm])).join(" ");
  $("chart-order").innerHTML = orderChart({ ...shared, width: widthOf("chart-order"), description: order });
  for (const chart of CHARTS) {
    const description = "At the end: " + ARMS.map((arm) => `${SHORT[arm]} ${chart.words(runs[arm])}`).join(", ") + ".";
    $(chart.id).innerHTML = lineChart({ ...shared, ...chart, width: widthOf(chart.id), description });
  }
  drawFinite();
}

function drawData() {
  const examples = drawExamples(settingOf(state));
  $("picture-p").innerHTML = pictureOfP(examples, widthOf("picture-p"));
  $("picture-q").innerHTML = pictureOfQ(examples, widthOf("picture-q"));
  const count = (kind) => examples.kind.filter((one) => one === kind).length;
  $("kinds").textContent = `Of these 100 training examples, ${count("both")} have both patterns, ${count("P")} only P and ${count("Q")} only Q.`;
}

function fillTable() {
  const time = (value) => (value === Infinity ? "hardly learned" : numberText(value));
  $("values").innerHTML = ARMS.map((arm) => {
    const { p, q } = orderOf(runs[arm]);
    const last = runs[arm].points[runs[arm].points.length - 1];
    const cells = [time(p), time(q), arm === "S" ? "–" : runs[arm].annealed ? numberText(runs[arm].annealed) : "not reached", percent(last.errorP), percent(last.errorQ), numberText(last.time)];
    return `<tr><th scope="row">${TITLES[arm]}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  }).join("");
}

// ---------------------------------------------------------------------------- predict, then reveal

const predicting = { revealed: false };

const QUESTIONS = [
  ...ARMS.map((arm) => ({ name: `first-${arm}`, text: `Which pattern does ${SHORT[arm]} learn first?`, answers: ["P", "Q", "same time or neither"],
    right: () => ({ P: "P", Q: "Q" })[orderOf(runs[arm]).first] || "same time or neither" })),
  { name: "cost", text: "Which makes fewer mistakes on new examples that have only P?", answers: ["L-S", "S", "about equal"],
    right: () => { const ratio = finalError(runs.S) / Math.max(finalError(runs["L-S"]), 1e-9); return ratio > 1.25 ? "L-S" : ratio < 0.8 ? "S" : "about equal"; } },
];

function askQuestions() {
  $("questions").innerHTML = QUESTIONS.map(({ name, text, answers }) =>
    `<fieldset><legend>${text}</legend>${answers.map((answer) => `<label><input type="radio" name="${name}" value="${answer}"> ${answer}</label>`).join("")}<p class="mark"></p></fieldset>`).join("");
  $("score").textContent = "";
  $("task").textContent = "The results are hidden. Choose a setting, answer, then reveal.";
}

function score() {
  let right = 0;
  QUESTIONS.forEach((question, at) => {
    const chosen = document.querySelector(`input[name="${question.name}"]:checked`);
    const answer = question.right();
    const correct = chosen && chosen.value === answer;
    right += correct ? 1 : 0;
    $("questions").querySelectorAll(".mark")[at].textContent = correct ? "✓ Right." : `${chosen ? "✗ No" : "Not answered"}: ${answer}.`;
  });
  $("task").textContent = "Change a setting, or take another at random, and predict again.";
  const text = `${right} of ${QUESTIONS.length} right.`;
  if ($("score").textContent !== text) $("score").textContent = text;
}

function hideAgain() {
  predicting.revealed = false;
  askQuestions();
}

function setMode(mode) {
  state.mode = mode;
  hideAgain();
  $("predict").hidden = mode !== "predict";
  $("mode").setAttribute("aria-pressed", String(mode === "predict"));
  $("summary").textContent = "";
  update();
}

// ---------------------------------------------------------------------------- controls

function buildControls() {
  $("sliders").innerHTML = CONTROLS.map((control) => `
    <div class="control">
      <label for="slider-${control.key}"><b>${control.name}</b> ${control.title}</label>
      <span class="value" id="value-${control.key}" aria-hidden="true"></span>
      <input type="range" id="slider-${control.key}" min="0" max="1000" step="5" aria-describedby="help-${control.key}">
      ${control.start === null ? `<label class="auto"><input type="checkbox" id="auto-${control.key}"> anneal automatically, by the training loss</label>` : ""}
      <p class="quiet" id="help-${control.key}">${control.help}</p>
    </div>`).join("");
  for (const control of CONTROLS) {
    $(`slider-${control.key}`).addEventListener("input", (event) => change(control, fromSlider(control, Number(event.target.value))));
    const auto = $(`auto-${control.key}`);
    if (auto) auto.addEventListener("change", () => change(control, auto.checked ? null : control.auto));
  }
}

function change(control, value) {
  state[control.key] = value;
  notice("address", "");
  if (state.mode === "predict" && predicting.revealed) hideAgain();
  placeControls();
  update();
}

function placeControls() {
  for (const control of CONTROLS) {
    const value = state[control.key];
    const slider = $(`slider-${control.key}`);
    const auto = $(`auto-${control.key}`);
    if (auto) auto.checked = value === null;
    slider.disabled = value === null;
    slider.value = toSlider(control, value ?? control.auto);
    $(`value-${control.key}`).textContent = value === null ? "automatic" : numberText(value);
    slider.setAttribute("aria-valuetext", value === null ? "automatic" : control.words(value));
  }
}

const PRESETS = {
  paper: {},
  slow: { eta: 1e-12 },
  early: { anneal: 3 },
  weak: { s: 30 },
  quiet: { sigma: 1e-5 },
  rare: { p0: 0.5 },
};

function load(values) {
  Object.assign(state, defaults(), { mode: state.mode, seed: state.seed }, values);
  notice("address", "");
  hideAgain();
  placeControls();
  update();
}

function surprise() {
  const values = {};
  for (const key of ["eta", "sigma", "s", "r", "kappa", "lambda", "p0"]) {
    const control = CONTROLS.find((one) => one.key === key);
    if (Math.random() < 0.5) values[key] = fromSlider(control, Math.round(1000 * Math.random()));
  }
  load(values);
}

function readState() {
  const read = readAddress(location.hash);
  state = read.state;
  notice("address", read.complaints.join(" "));
  placeControls();
  setMode(state.mode);
}

function settingWords() {
  const parts = CONTROLS.map(({ key, name }) => (key === "anneal" ? `anneal ${state.anneal === null ? "automatic" : `at η·t = ${numberText(state.anneal)}`}` : `${name} = ${numberText(state[key])}`));
  return `${parts.join(", ")}, data ${state.seed + 1}`;
}

async function savePng() {
  const charts = ["chart-p", "chart-q", "chart-error", "chart-second"].map((id) => $(id).firstElementChild);
  try {
    save(await pngOf(charts, `L-S solid, S dashed, S + noise dotted. ${settingWords()}`), "learnorder-theory.png");
  } catch {
    notice("png", "This browser cannot make a picture of the charts. Save the numbers as CSV instead.");
  }
}

function start() {
  buildControls();
  startFinite();
  $("mode").addEventListener("click", () => setMode(state.mode === "predict" ? "explore" : "predict"));
  $("reveal").addEventListener("click", () => { predicting.revealed = true; show(); });
  $("surprise").addEventListener("click", surprise);
  $("redraw").addEventListener("click", () => { state.seed = (state.seed + 1) % SEEDS; hideAgain(); update(); });
  $("csv").addEventListener("click", () => save(new Blob([csvOf(state, runs)], { type: "text/csv" }), "learnorder-theory.csv"));
  $("png").addEventListener("click", savePng);
  $("link").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      $("link").textContent = "Address copied";
      say("The address is copied.");
      setTimeout(() => { $("link").textContent = "Copy the address"; }, 2000);
    } catch {
      notice("link", "The address could not be copied; it is in the browser's address bar and holds this setting.");
    }
  });
  for (const button of document.querySelectorAll("[data-preset]"))
    button.addEventListener("click", () => load(PRESETS[button.dataset.preset]));
  addEventListener("hashchange", readState);
  let resizing;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { drawData(); show(); }, 100); });
  readState();
}

try {
  start();
} catch (error) {
  notice("broken", `This page could not start: ${error.message || error}. A current Firefox, Chrome, Edge or Safari opens it.`);
}
