// What the runs say, in words.

const TITLES = { "L-S": "L-S (large LR, annealed)", S: "S (small LR)", "S+noise": "S + noise" };
const SHORT = { "L-S": "L-S", S: "S", "S+noise": "S + noise" };
const LEARNED = 0.1; // smallest final margin of a pattern that counts as learned

/** Return η·t at which a margin first reaches half its final value; Infinity if it is not learned. */
function halfTime(points, name) {
  const final = points.length ? points[points.length - 1][name] : 0;
  if (!(final >= LEARNED)) return Infinity;
  const at = points.findIndex((point) => point[name] >= final / 2);
  if (at <= 0) return points[0].time;
  const [a, b] = [points[at - 1], points[at]];
  const share = (final / 2 - a[name]) / (b[name] - a[name]);
  return a.time * (b.time / a.time) ** share;
}

/** Return which pattern a run learns first: P, Q, both or neither, and by what factor. */
function orderOf(run) {
  const p = halfTime(run.points, "marginP");
  const q = halfTime(run.points, "marginQ");
  if (p === Infinity && q === Infinity) return { p, q, first: "neither", factor: 1 };
  const factor = Math.max(p, q) / Math.min(p, q);
  return { p, q, first: factor < 1.25 ? "both" : p < q ? "P" : "Q", factor };
}

const percent = (value) => (value < 0.0005 ? "below 0.05 %" : `${Number((100 * value).toPrecision(2))} %`);
const times = (factor) => (factor >= 1e6 ? "over a million times" : `${Number(factor.toPrecision(2)).toLocaleString("en")} times`);

function orderWords(run) {
  const { first, factor } = orderOf(run);
  const name = SHORT[run.arm];
  if (first === "neither") return `${name} hardly learns either pattern.`;
  if (first === "both") return `${name} learns P and Q at about the same time.`;
  const other = first === "P" ? "Q" : "P";
  if (factor === Infinity) return `${name} learns ${first} and hardly learns ${other}.`;
  return `${name} learns ${first} first, and ${other} at ${times(factor)} that training time.`;
}

const finalError = (run) => run.points[run.points.length - 1].errorP;

/** Compare S's error on P-only examples with that of L-S. */
function costWords(runs) {
  const [large, small] = [finalError(runs["L-S"]), finalError(runs.S)];
  const errors = ARMS.map((arm) => `${SHORT[arm]} ${percent(finalError(runs[arm]))}`).join(", ");
  const ratio = small / Math.max(large, 1e-9);
  const verdict = ratio > 1.25 ? "S generalises worse than L-S" : ratio < 0.8 ? "S generalises better than L-S" : "S and L-S generalise about equally well";
  return `Mistakes on new examples that have only P: ${errors}. Here ${verdict}.`;
}

function summaryWords(runs) {
  const unfinished = ARMS.filter((arm) => runs[arm].status === "out of time").map((arm) => SHORT[arm]);
  const note = unfinished.length ? `\n${unfinished.join(", ")} stopped at the longest time, with a training loss above 0.05.` : "";
  return `${ARMS.map((arm) => orderWords(runs[arm])).join("\n")}\n${costWords(runs)}${note}`;
}
