// What a network predicts of each image: right, the pattern's class, or wrong.

const SYMBOLS = { right: "✓", pattern: "◆", wrong: "✕" };
const MEANINGS = { right: "right", pattern: "follows the pattern", wrong: "wrong" };
const SETS = { mixed: "as in training", clean: "no pattern", patch_only: "pattern alone", conflict: "in conflict" };
const CELL = [1.75, 3], NAMES = 6.2; // least and largest width of a column of marks, and that of their names, in rem

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
const setsOf = (run) => Object.keys(SETS).filter((set) => run.predictions[set]);
const setName = (run, set) => (setsOf(run).length > 1 ? SETS[set] : "the image");
const picture = (image, set) => `data:image/png;base64,${image.pictures[set]}`;
const className = (label) => DATA.classes[label];

/** Return right, pattern or wrong. With the pattern alone only its class can be right. */
function kindOf(image, set, predicted) {
  const alone = set === "patch_only" || (set === "mixed" && image.mixed === "patch_only");
  if (predicted === image.label) return alone ? "pattern" : "right";
  return set === "conflict" && predicted === image.conflict ? "pattern" : "wrong";
}

/** Return the kind of each image in a set at an epoch. */
const kindsOf = (images, run, set, epoch) => images.map((image, i) => kindOf(image, set, run.predictions[set][at(run, epoch)][i]));

const markHtml = (kind, words) => `<i class="mark ${kind}" role="img" title="${escapeText(words)}">${SYMBOLS[kind]}</i>`;
const lineHtml = ({ color, dash }) => `<svg class="line" width="30" height="8" aria-hidden="true"><line x1="0" x2="30" y1="4" y2="4" stroke="${escapeText(color)}" stroke-width="3" stroke-dasharray="${escapeText(dash)}"/></svg>`;
const describe = (image, number) => `image ${number}, class ${className(image.label)}${image.conflict === null ? "" : `, in conflict with the pattern of ${className(image.conflict)}`}`;

/** Return an arm's marks in words, e.g. for its heading. */
function summaryWords(images, run, epoch) {
  const count = (set, kind) => kindsOf(images, run, set, epoch).filter((one) => one === kind).length;
  const parts = [`learning rate ${Number(run.curves.rate[at(run, epoch)].toPrecision(3))}`];
  const without = setsOf(run).length > 1 ? " without the pattern" : "";
  parts.push(`${count("clean", "right")} of ${images.length} right${without}`);
  if (run.predictions.conflict) parts.push(`in conflict ${count("conflict", "pattern")} follow the pattern, ${count("conflict", "right")} the content`);
  if (epoch > run.epochs) parts.push(`ended after epoch ${run.epochs}`);
  return parts.join(" · ");
}

function drawLegend(state) {
  const planted = shownArms(state).some(({ name }) => ofSeed(state).runs[name].predictions.conflict);
  const kinds = planted ? Object.keys(SYMBOLS) : ["right", "wrong"];
  const note = planted ? "In conflict, the image carries the pattern of another class. Choose an image to see it in all forms." : "Choose an image to see it larger.";
  $("legend").innerHTML = kinds.map((kind) => `<span><i class="mark ${kind}" aria-hidden="true">${SYMBOLS[kind]}</i> ${MEANINGS[kind]}</span>`).join("") + `<span>${note}</span>`;
}

/** Build the tables of marks, in bands that fit the page. */
function buildBands(state) {
  const { images, runs } = ofSeed(state);
  const room = widthOf("bands") / rem() - NAMES;
  const fit = Math.max(1, Math.floor(room / CELL[0]));
  const size = Math.ceil(images.length / Math.ceil(images.length / fit));
  const cell = Math.min(room / size, CELL[1]);
  const bands = [];
  for (let from = 0; from < images.length; from += size) {
    const columns = images.slice(from, from + size).map((image, i) => ({ image, number: from + i + 1 }));
    const heads = columns.map(({ image, number }) => `<th scope="col"><button class="thumb" data-image="${number}" aria-pressed="false"><img src="${picture(image, "clean")}" alt="${escapeText(describe(image, number))}"></button></th>`);
    const bodies = shownArms(state).map((arm) => {
      const rows = setsOf(runs[arm.name]).map((set) => `<tr><th scope="row">${setName(runs[arm.name], set)}</th>${columns.map(({ number }) => `<td data-number="${number}" data-set="${set}" data-arm="${escapeText(arm.name)}"></td>`).join("")}</tr>`);
      const summary = from ? "" : `<span class="quiet" data-summary="${escapeText(arm.name)}"></span>`;
      return `<tbody><tr class="arm"><th scope="rowgroup" colspan="${columns.length + 1}">${lineHtml(arm)}<b>${escapeText(arm.title)}</b> ${summary}</th></tr>${rows.join("")}</tbody>`;
    });
    bands.push(`<table class="band" style="width:${NAMES + cell * columns.length}rem; --cell:${cell}rem"><caption class="hidden">Predictions of images ${from + 1} to ${from + columns.length}</caption><colgroup><col style="width:${NAMES}rem"></colgroup><thead><tr><th class="corner">image</th>${heads.join("")}</tr></thead>${bodies.join("")}</table>`);
  }
  $("bands").innerHTML = bands.join("");
}

/** Write the marks of the epoch into the tables. */
function fillBands(state) {
  const { images, runs } = ofSeed(state);
  for (const cell of $("bands").querySelectorAll("td")) {
    const { number, set, arm } = cell.dataset;
    const image = images[number - 1];
    const predicted = runs[arm].predictions[set][at(runs[arm], state.epoch)][number - 1];
    const kind = kindOf(image, set, predicted);
    const key = `${kind} ${predicted}`;
    if (cell.dataset.key === key) continue;
    cell.dataset.key = key;
    cell.innerHTML = markHtml(kind, `${MEANINGS[kind]}: predicts ${className(predicted)}`);
  }
  for (const place of $("bands").querySelectorAll("[data-summary]"))
    place.textContent = summaryWords(images, runs[place.dataset.summary], state.epoch);
  for (const button of $("bands").querySelectorAll(".thumb"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.image) === state.image));
}

const FORMS = {
  clean: (image) => `${SETS.clean}: class ${className(image.label)}`,
  mixed: (image) => `${SETS.mixed}: ${{ clean: "no pattern", both: "with the pattern of its class", patch_only: "the pattern alone" }[image.mixed]}`,
  patch_only: (image) => `${SETS.patch_only}, of class ${className(image.label)}`,
  conflict: (image) => `${SETS.conflict}: with the pattern of ${className(image.conflict)}`,
};

/** Show the chosen image in all its forms, with each arm's prediction in words. */
function fillChosen(state) {
  if (state.image === null) {
    $("chosen").innerHTML = "";
    return;
  }
  const { images, runs } = ofSeed(state);
  const image = images[state.image - 1];
  const figures = Object.keys(FORMS).filter((set) => image.pictures[set]).map((set) => {
    const lines = shownArms(state).filter(({ name }) => runs[name].predictions[set]).map(({ name, title }) => {
      const predicted = runs[name].predictions[set][at(runs[name], state.epoch)][state.image - 1];
      const kind = kindOf(image, set, predicted);
      return `<div>${markHtml(kind, MEANINGS[kind])}${escapeText(title)}: ${escapeText(className(predicted))}</div>`;
    });
    const title = image.conflict === null ? `class ${className(image.label)}` : FORMS[set](image);
    return `<figure><img src="${picture(image, set)}" alt=""><figcaption><b>${escapeText(title)}</b>${lines.join("")}</figcaption></figure>`;
  });
  $("chosen").innerHTML = `<h3>Image ${state.image} (number ${image.index} of the evaluation images) at epoch ${state.epoch}</h3><div class="forms">${figures.join("")}</div>`;
}
