// The panel of networks of finite width that train while one watches.

/** The values of a network that trains in seconds; the sliders' ranges are mapped onto these. */
const LIVE_RANGES = { s: [1, 25], r: [0.05, 0.4], kappa: [0.3, 0.55], lambda: [3e-4, 1e-2] };
const GROWTH = 1.05; // of the time, between two pictures

const finite = { engines: {}, playing: false, ticket: 0 };

/** Return the setting of the networks: the place of each slider, on a smaller range. */
function liveSetting(setting) {
  const live = { ...setting };
  for (const [key, [low, high]] of Object.entries(LIVE_RANGES)) {
    const control = CONTROLS.find((one) => one.key === key);
    live[key] = fromSlider({ low, high }, toSlider(control, setting[key]));
  }
  if (setting.anneal !== null) live.anneal = (setting.anneal * derived(live).d) / derived(setting).d;
  return live;
}

/** Whether the networks have started and not ended. */
const trainable = () => finite.frames !== null && !finite.ended;
const whenTrainable = (act) => () => { if (trainable()) act(); };

const liveWidth = () => Number($("units").value);

/** Start again from the initial weights, at the current setting, and wait. */
function resetFinite() {
  const setting = liveSetting(settingOf(state));
  const runs = Object.fromEntries(ARMS.map((arm) => [arm, { arm, points: [], annealed: null }]));
  Object.assign(finite, { setting, runs, limits: null, frames: null, time: 0, ended: false });
  setPlaying(false);
  $("finite-summary").textContent = "";
  describeFinite();
  askFinite({ start: { setting, width: liveWidth() }, until: 0 });
}

/** Ask each network's engine; the answers are shown together. */
function askFinite(message) {
  finite.ticket += 1;
  finite.asked = performance.now();
  finite.answers = {};
  for (const arm of ARMS) {
    finite.engines[arm] ||= new Engine((reply) => finiteAnswered(arm, reply));
    finite.engines[arm].post({ task: "watch", ticket: finite.ticket, arm, ...message });
  }
}

/** Ask for the curves at infinite width of the same setting, once. */
function askLimits() {
  if (finite.limits) return;
  finite.limits = {};
  const ticket = JSON.stringify(finite.setting);
  finite.limitEngine ||= new Engine((reply) => {
    if (!reply.result || reply.ticket !== JSON.stringify(finite.setting)) return;
    finite.limits = reply.result;
    drawFinite();
  });
  finite.limitEngine.post({ task: "limits", ticket, setting: finite.setting, table: DATA.arcsine });
}

function train() {
  askLimits();
  askFinite({ until: Math.max(finite.time + derived(finite.setting).etaStar, finite.time * GROWTH) });
}

function finiteAnswered(arm, { ticket, result, error }) {
  if (ticket !== finite.ticket) return;
  notice("finite", error ? `The finite networks stopped: ${error}. Press Reset to start them again.` : "");
  if (error) return setPlaying(false);
  finite.answers[arm] = result;
  if (Object.keys(finite.answers).length === ARMS.length) showFrames(ARMS.map((one) => finite.answers[one]));
}

function showFrames(frames) {
  for (const { arm, point, annealed } of frames) {
    const { points } = finite.runs[arm];
    if (point.time > (points.length ? points[points.length - 1].time : 0)) points.push(point);
    finite.runs[arm].annealed = annealed;
  }
  Object.assign(finite, { frames, time: Math.max(...frames.map(({ point }) => point.time)), ended: frames.every(({ ended }) => ended) });
  setPlaying(finite.playing && !finite.ended);
  if (finite.playing) finite.timer = setTimeout(train, Math.max(0, 33 - (performance.now() - finite.asked)));
  else if (finite.time > 0) $("finite-summary").textContent = finiteWords();
  if (!finite.playing || !calm.matches || performance.now() - finite.drawn > 1000) drawFinite();
}

function setPlaying(playing) {
  finite.playing = playing;
  clearTimeout(finite.timer);
  $("play").textContent = playing ? "Pause" : "Play";
  for (const id of ["play", "step"]) $(id).ariaDisabled = String(!trainable()); // which keeps the focus
}

function playOrPause() {
  setPlaying(!finite.playing);
  if (finite.playing) train();
  else if (finite.frames && finite.time > 0) $("finite-summary").textContent = finiteWords();
}

// ---------------------------------------------------------------------------- showing

const fixed = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));
const share = (value) => `${Number((100 * value).toPrecision(2))} %`;

function finiteWords() {
  const parts = finite.frames.map(({ arm, point }) => `${SHORT[arm]} ${share(point.switchedQ)}${point.noisy ? " (anew at each step)" : ""}`).join(", ");
  const now = `At η·t = ${numberText(finite.time)}, switched on or off since the start, for examples of Q: ${parts}.`;
  return finite.ended ? `${ARMS.map((arm) => orderWords(finite.runs[arm])).join(" ")}\n${now}` : now;
}

const LIVE_CHARTS = [
  { id: "finite-p", title: "P: mean margin", value: (point) => point.marginP },
  { id: "finite-q", title: "Q: mean margin", value: (point) => point.marginQ },
  { id: "switched-p", title: "Switched since the start, examples of P", value: (point) => point.switchedP, expected: true, format: share },
  { id: "switched-q", title: "Switched since the start, examples of Q", value: (point) => point.switchedQ, expected: true, format: share },
];

function drawFinite() {
  if (!finite.frames || document.body.classList.contains("hide-results")) return;
  finite.drawn = performance.now();
  const { runs, frames } = finite;
  const { d } = derived(finite.setting);
  for (const { expected, ...chart } of LIVE_CHARTS) {
    const behind = expected ? { runs, value: (point) => point.expectedSwitched } : { runs: finite.limits || {}, value: chart.value };
    const description = "Now: " + frames.map(({ arm, point }) => `${SHORT[arm]} ${(chart.format || numberWords)(chart.value(point))}`).join(", ") + ".";
    $(chart.id).innerHTML = lineChart({ runs, behind, range: [d / 100, LIVE_END * d], ...chart, width: widthOf(chart.id), description });
  }
  $("maps").innerHTML = frames.map((frame) => mapOf(frame, "p", widthOf("finite-p")) + mapOf(frame, "q", widthOf("finite-p"))).join("");
  $("finite-status").textContent = finite.time === 0 ? "Not yet trained: press Play." : `Training time η·t = ${numberText(finite.time)}${finite.ended ? ", the end" : ` of at most ${numberText(LIVE_END * d)}`}.`;
  $("finite-values").innerHTML = frames.map(({ arm, point }) => {
    const apart = point.noisy ? ["hidden by noise", "–"] : [point.apart, point.apartFromStart];
    const cells = [point.steps.toLocaleString("en"), fixed(point.marginP), fixed(point.marginQ), share(point.switchedP), share(point.switchedQ), ...apart];
    return `<tr><th scope="row">${SHORT[arm]}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  }).join("");
}

function mapOf(frame, half, width) {
  const [name, switched] = half === "p" ? ["P", frame.point.switchedP] : ["Q", frame.point.switchedQ];
  return `<div>${patternMap({
    title: `${SHORT[frame.arm]}, examples of ${name}: ${share(switched)} switched`,
    ...frame[half], width, color: STYLES[frame.arm].color,
    rows: half === "p" ? [] : ["z − ζ", "z", "z + ζ"],
    description: `A row for each of ${frame[half].now.length} examples, a column for each of ${frame[half].now[0].length} units.`,
  })}</div>`;
}

/** Say how the networks' setting differs from that of the curves. */
function describeFinite() {
  const { d, etaStar } = derived(finite.setting);
  const rows = [
    ["d, dimensions of each half", derived(state).d, d],
    ["s, scale of Q", numberText(state.s), numberText(finite.setting.s)],
    ["r, length of ζ", numberText(state.r), numberText(finite.setting.r)],
    ["λ, weight decay", numberText(state.lambda), numberText(finite.setting.lambda)],
    ["η*, 5/6 of the largest stable learning rate", numberText(derived(state).etaStar), numberText(etaStar)],
    ["units in each half", "infinitely many", liveWidth().toLocaleString("en")],
  ];
  $("finite-setting").innerHTML = rows.map(([name, ...cells]) => `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("");
  const text = `${liveWidth().toLocaleString("en")} units in each half`;
  $("units-value").textContent = text;
  $("units").setAttribute("aria-valuetext", text);
}

function startFinite() {
  $("play").addEventListener("click", whenTrainable(playOrPause));
  $("step").addEventListener("click", whenTrainable(() => { setPlaying(false); train(); }));
  $("reset").addEventListener("click", resetFinite);
  $("units").addEventListener("input", resetFinite);
}
