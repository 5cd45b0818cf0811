// Networks of finite width in training, one for each algorithm, and what the page shows of them.

const TAU0 = 1000; // standard deviation of the initial weights: so large that learning hardly moves a unit
const TEST_SEEDS = [1000, 1001]; // test examples; the training sets have seeds below 1000
const LIVE_END = 40; // η·t/d at which training ends
const UNITS_SHOWN = 40;
const EXAMPLES_SHOWN = 9;

/** Return the first halves of W and V of a network, equal for all algorithms. */
function initialWeights(d, width, seed) {
  const random = new Random(seed, 5);
  const draw = (length) => Float64Array.from({ length }, () => TAU0 * random.normal());
  return { w: draw((width / 2) * d), v: draw(width) };
}

/**
 * Return (1 − ηλ)^n, the sum of the n learning rates with decay, and the standard deviation of the
 * noise of n steps whose gradient is held.
 */
function stepsAtOnce(law, eta, n) {
  const logKeep = Math.log1p(-eta * law.weightDecay);
  const variance = law.xiVariance * eta ** 2 * geometric(2 * logKeep, n);
  return { keep: Math.exp(n * logKeep), rate: eta * geometric(logKeep, n), spread: TAU0 * Math.sqrt(variance) };
}

class LiveRun {
  constructor(arm, setting, width) {
    const examples = drawExamples(setting);
    const { etaStar } = derived(setting);
    const q = examples.kind.filter((kind) => kind === "Q").length / examples.n;
    Object.assign(this, { arm, examples, etaStar, time: 0, steps: 0, logCorrelation: 0, variance: 1, annealed: null, ended: false });
    this.law = new NoiseLaw(etaStar, setting.lambda);
    this.phases = phasesOf(arm, setting, q).map((phase) => ({ ...phase, end: Math.min(phase.end, LIVE_END * examples.d) }));
    this.network = new Network(examples, initialWeights(examples.d, width, setting.seed), new Random(setting.seed, 6 + ARMS.indexOf(arm)));
    this.tests = TEST_SEEDS.map((seed) => drawExamples({ ...setting, p0: 1, seed }));
    this.network.evaluate(0);
    this.start = { p: this.network.p.active.slice(), q: this.network.q.active.slice() };
    this.shown = { p: shownOf(this.network.p, this.network.p.rows.slice(0, EXAMPLES_SHOWN)), q: shownOf(this.network.q, byDirection(examples, this.network.q)) };
    this.apart = this.tellingApart();
    this.enter();
  }

  get phase() {
    return this.phases[0];
  }

  /** Evaluate with the phase's noise, and go to the next phase where this one ends. */
  enter() {
    this.network.evaluate(this.phase.sigma * TAU0);
    if (this.network.loss > this.phase.threshold && this.time < this.phase.end) return;
    if (this.phases.length === 1) this.ended = true;
    else {
      this.phases.shift();
      this.annealed = this.time;
      this.enter();
    }
  }

  advance(until) {
    while (!this.ended && this.time < until) this.step(until);
  }

  /** Take one step if the learning rate is large, else many at once, with the gradient held. */
  step(until) {
    const { eta, end } = this.phase;
    const room = Math.min(until, end) - this.time;
    const length = eta >= this.etaStar / 4 ? eta : Math.max(eta, Math.min(this.stride(), room));
    const n = length / eta;
    this.network.update(stepsAtOnce(this.law, eta, n));
    this.logCorrelation += this.law.logCorrelation(this.variance, eta, n);
    this.variance = this.law.variance(this.variance, eta, n);
    this.time += length;
    this.steps += 1;
    this.enter();
  }

  /** Return the η·t over which the gradient is held: 2/5 of the stability limit as it now is. */
  stride() {
    const { n, residual, q } = this.network;
    let curvature = 0; // along z; half of the units are active
    for (const i of q.rows) {
      const share = Math.abs(residual[i]) * n;
      curvature += (this.examples.amplitude[i] ** 2 * share * (1 - share)) / (2 * n);
    }
    return Math.min(0.8 / curvature, 4 * this.etaStar);
  }

  /** Return for each of the first m/2 units whether it is on for some of Q's directions only. */
  tellingApart() {
    const { weights, m } = this.network.q;
    return Array.from({ length: m / 2 }, (_, j) => Math.abs(weights[2 * j]) < Math.abs(weights[2 * j + 1]) * this.examples.r);
  }

  measure() {
    const { p, q } = this.network;
    const g = this.network.onQ();
    const secondDifference = this.examples.s * (g[0] + g[2] - 2 * g[1]);
    const margins = this.tests.flatMap(({ x1, y }) => [...p.outputs(x1)].map((f, i) => f * y[i]));
    const correlation = Math.exp(this.logCorrelation) * gateOf(this.variance, this.phase.sigma);
    const apart = this.tellingApart();
    return {
      time: this.time,
      steps: this.steps,
      loss: this.network.loss,
      marginP: margins.reduce((sum, value) => sum + value, 0) / margins.length,
      marginQ: -secondDifference / 8,
      switchedP: switched(p.active, this.start.p),
      switchedQ: switched(q.active, this.start.q),
      expectedSwitched: Math.acos(Math.min(1, correlation)) / Math.PI,
      apart: 2 * apart.filter(Boolean).length,
      apartFromStart: 2 * apart.filter((value, j) => value && this.apart[j]).length,
      noisy: this.phase.sigma > 0,
    };
  }

  frame() {
    const pattern = (half) => ({ start: picked(this.start[half], this.network[half].n, this.shown[half]), now: picked(this.network[half].active, this.network[half].n, this.shown[half]) });
    return { arm: this.arm, point: this.measure(), annealed: this.annealed, ended: this.ended, p: pattern("p"), q: pattern("q") };
  }
}

/** Return the share of gates that differ. */
function switched(now, start) {
  let count = 0;
  for (let at = 0; at < now.length; at++) count += now[at] ^ start[at];
  return count / now.length;
}

/** Return examples with Q, three of each direction in the order of the directions. */
function byDirection({ b }, block) {
  return [-1, 0, 1].flatMap((sign) => block.rows.filter((i) => b[i] === sign).slice(0, EXAMPLES_SHOWN / 3));
}

/** Return the places of some examples and units; the units are in the order of how many of the examples they are on for. */
function shownOf(block, rows) {
  const examples = rows.map((row) => block.rows.indexOf(row));
  const on = (j) => examples.reduce((sum, i) => sum + block.active[j * block.n + i], 0);
  const order = [...Array(block.m / 2).keys()].sort((a, b) => on(b) - on(a));
  const count = Math.min(UNITS_SHOWN, order.length);
  const units = Array.from({ length: count }, (_, k) => order[Math.floor(((k + 0.5) * order.length) / count)]);
  return { examples, units };
}

/** Return gates by example, then unit. */
const picked = (active, n, { examples, units }) => examples.map((i) => units.map((j) => active[j * n + i]));

const live = {};

/** Start an algorithm's network, or train it up to a time; return what the page shows of it. */
function watch({ arm, start, until }) {
  if (start) live[arm] = new LiveRun(arm, start.setting, start.width);
  live[arm].advance(until);
  return live[arm].frame();
}
