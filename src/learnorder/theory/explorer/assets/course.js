// A run of one algorithm, measured on a logarithmic grid of times.

const ARMS = ["L-S", "S", "S+noise"];
const PER_DECADE = 6;

/** Return an algorithm's phases: learning rate, noise before the activations, and what ends them. */
function phasesOf(arm, setting, q) {
  const { etaStar, last } = derived(setting);
  const small = 1e-12 * etaStar;
  const early = setting.anneal === null
    ? { threshold: EPSILON1 + q * Math.log(2), end: last }
    : { threshold: 0, end: Math.min(setting.anneal, last) };
  const final = { eta: small, sigma: 0, threshold: EPSILON2, end: last };
  if (arm === "S") return [final];
  if (arm === "L-S") return [{ eta: Math.max(setting.eta * etaStar, small), sigma: 0, ...early }, final];
  return [{ eta: small, sigma: setting.sigma, ...early }, final];
}

/** Return the standard normal distribution function (Numerical Recipes' erfc, to 1e-7). */
function normalBelow(x) {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * z);
  const series = [1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const polynomial = series.reduceRight((sum, value) => value + t * sum, 0);
  const tail = 0.5 * t * Math.exp(-z * z - 1.26551223 + t * polynomial);
  return x > 0 ? 1 - tail : tail;
}

/** Return the error on P-only test examples: learnorder/theory/measure.py, gaussian_error. */
function errorOnP(kernel, state) {
  const { n, d, gram, norm } = kernel;
  const { x1, gamma0 } = kernel.examples;
  const c = state.quadratic.map((value, i) => (norm[i] > 0 ? (kernel.coefficients[0] * value) / norm[i] : 0));
  const star = new Float64Array(d); // A·w*
  let trace = 0, squares = 0;
  for (let i = 0; i < n; i++) {
    trace += c[i] * gram[i * n + i];
    for (let j = 0; j < n; j++) squares += c[i] * c[j] * gram[i * n + j] ** 2;
    for (let k = 0; k < d; k++) star[k] += c[i] * x1[i * d + 2] * x1[i * d + k];
  }
  const along = state.linear[2] / 4;
  const formAlong = star[2];
  let across2 = 0, mixed2 = 0, both = 0, starSquared = 0;
  for (let k = 0; k < d; k++) {
    starSquared += star[k] ** 2;
    if (k === 2) continue;
    across2 += (state.linear[k] / 4) ** 2;
    mixed2 += star[k] ** 2;
    both += (state.linear[k] / 4) * star[k];
  }
  trace -= formAlong;
  squares += formAlong ** 2 - 2 * starSquared;
  const intervals = 180; // Simpson's rule over |g| in [0, 9]
  let total = 0;
  for (let at = 0; at <= intervals; at++) {
    const g = (9 * at) / intervals;
    const simpson = at === 0 || at === intervals ? 1 : at % 2 ? 4 : 2;
    const density = ((simpson * 9) / intervals / 3) * Math.sqrt(2 / Math.PI) * Math.exp(-(g ** 2) / 2);
    const t = gamma0 + g / Math.sqrt(d);
    const nu = Math.sqrt(t ** 2 + (d - 1) / d);
    for (const y of [-1, 1]) {
      const slope = (2 * y * t) / nu;
      const mean = y * t * along + (t ** 2 * formAlong + trace / d) / nu;
      const variance = (across2 + 2 * slope * both + slope ** 2 * mixed2) / d + (2 * squares) / (d * nu) ** 2;
      total += 0.5 * density * normalBelow((-y * mean) / Math.sqrt(Math.max(variance, 1e-300)));
    }
  }
  return total;
}

/** Return what the page shows of a state. */
function measure(flow) {
  const { kernel, point } = flow;
  const { d, gamma0, s } = kernel.examples;
  const g = kernel.onQ(point.state);
  const second = s * (g[0] + g[2] - 2 * g[1]);
  const wrong = (margin) => (margin < 0 ? 1 : margin === 0 ? 0.5 : 0);
  const expected = gamma0 + Math.sqrt(2 / (Math.PI * d)); // E|⟨w*, x1⟩|
  return {
    time: flow.time,
    marginP: (expected * point.state.linear[2]) / 4,
    marginQ: -second / 8,
    secondDifference: second,
    errorP: flow.time > 0 ? errorOnP(kernel, point.state) : 0.5,
    errorQ: 0.25 * wrong(-g[0]) + 0.5 * wrong(g[1]) + 0.25 * wrong(-g[2]),
    loss: lossOf(kernel.outputs(point.state), kernel.examples.y),
  };
}

/** Run an algorithm to its end. */
function runArm(arm, setting, table, examples = drawExamples(setting)) {
  const { etaStar, first, last } = derived(setting);
  const flow = new Flow(new Kernel(examples, table), etaStar, setting.lambda);
  const q = examples.kind.filter((kind) => kind === "Q").length / examples.n;
  const phases = phasesOf(arm, setting, q);
  const points = [];
  let annealed = null;
  let status = "finished";
  for (const [index, phase] of phases.entries()) {
    flow.begin(phase);
    while (flow.loss > phase.threshold && flow.time < phase.end) {
      let due = 0;
      while (first * 10 ** (due / PER_DECADE) <= flow.time) due++;
      const until = Math.min(first * 10 ** (due / PER_DECADE), phase.end);
      flow.advance(phase, until);
      if (flow.time === until || flow.loss <= phase.threshold) points.push(measure(flow));
    }
    if (index + 1 < phases.length && flow.time < last) annealed = flow.time;
    else if (flow.loss > EPSILON2) status = "out of time";
  }
  return { arm, points, annealed, status };
}
