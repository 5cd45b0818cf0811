// The order in which the images are learned.

/** Return the first epoch from which an image is predicted right in a set until the end; Infinity if there is none. */
function learnedAt(image, place, run, set) {
  const right = (epoch) => kindOf(image, set, run.predictions[set][epoch - 1][place]) !== "wrong";
  let epoch = run.epochs + 1;
  while (epoch > 1 && right(epoch - 1)) epoch--;
  return epoch > run.epochs ? Infinity : epoch;
}

const epochHtml = (kind, symbol, words, epoch) => {
  const [shown, said] = epoch === Infinity ? ["not", `not ${words} at the end`] : [epoch, `${words} from epoch ${epoch}`];
  return `<span class="${kind}" role="img" aria-label="${said}">${symbol} ${shown}</span>`;
};

/** Build each arm's list of the images, in the order in which their content is learned. */
function buildOrder(state) {
  const { images, runs } = ofSeed(state);
  const withPattern = shownArms(state).some(({ name }) => runs[name].predictions.patch_only);
  $("order-note").textContent = `${SYMBOLS.right} the epoch from which the image${withPattern ? " without the pattern" : ""} is predicted right until the end` +
    (withPattern ? `; ${SYMBOLS.pattern} that from which the pattern of its class alone is.` : ".") + " “not”: it is not at the end. Faint images have not been learned at the chosen epoch.";
  $("order").innerHTML = shownArms(state).map((arm) => {
    const run = runs[arm.name];
    const found = images.map((image, place) => ({ image, place, content: learnedAt(image, place, run, "clean"), pattern: run.predictions.patch_only ? learnedAt(image, place, run, "patch_only") : null }));
    found.sort((a, b) => (a.content === b.content ? a.place - b.place : a.content - b.content));
    const items = found.map(({ image, place, content, pattern }) =>
      `<li data-content="${content}" data-pattern="${pattern}"><img src="${picture(image, "clean")}" alt="${escapeText(describe(image, place + 1))}">${epochHtml("content", SYMBOLS.right, "right", content)}${pattern === null ? "" : epochHtml("pattern", SYMBOLS.pattern, "pattern right", pattern)}</li>`);
    return `<h3>${lineHtml(arm)}${escapeText(arm.title)}</h3><ol class="order">${items.join("")}</ol>`;
  }).join("");
}

/** Mark what has been learned at the epoch. */
function fillOrder(state) {
  for (const item of $("order").querySelectorAll("li")) {
    const content = Number(item.dataset.content) <= state.epoch;
    item.classList.toggle("waiting", !content);
    item.querySelector(".content").classList.toggle("done", content);
    const pattern = item.querySelector(".pattern");
    if (!pattern) continue;
    pattern.classList.toggle("done", Number(item.dataset.pattern) <= state.epoch);
    pattern.classList.toggle("unlearned", Number(item.dataset.pattern) > state.epoch);
  }
}
