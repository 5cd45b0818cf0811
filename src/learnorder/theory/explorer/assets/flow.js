// The limit integrated with implicit, adaptive steps: learnorder/theory/flow.py.

const TOLERANCE = 2e-3;
const MOST_ITERATIONS = 30;
const REFACTOR_AT = 0.35;
const LONGEST = 20;
const MOST_REJECTIONS = 60;
const AT_THRESHOLD = 1e-4;

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const largest = (values) => values.reduce((most, value) => (Math.abs(value) <= most ? most : Math.abs(value)), 0);

/** Return the mean logistic loss. */
const lossOf = (f, y) => f.reduce((sum, value, i) => sum + softplus(-y[i] * value), 0) / y.length;

/** Return a_i = −(1/N)·∂ℓ_i/∂f_i. */
const residualOf = (f, y) => f.map((value, i) => (y[i] * sigmoid(-y[i] * value)) / y.length);

/** Factor a symmetric positive definite matrix in place; return whether it worked. */
function cholesky(matrix, n) {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = matrix[i * n + j];
      for (let k = 0, p = i * n, q = j * n; k < j; k++, p++, q++) sum -= matrix[p] * matrix[q];
      if (i === j) {
        if (!(sum > 0)) return false;
        matrix[j * n + j] = Math.sqrt(sum);
      } else matrix[i * n + j] = sum / matrix[j * n + j];
    }
  }
  return true;
}

function choleskySolve(factor, n, x) {
  for (let i = 0; i < n; i++) {
    let sum = x[i];
    for (let k = 0, at = i * n; k < i; k++, at++) sum -= factor[at] * x[k];
    x[i] = sum / factor[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    const value = (x[i] /= factor[i * n + i]);
    for (let k = 0, at = i * n; k < i; k++, at++) x[k] -= factor[at] * value;
  }
  return x;
}

/** Newton's method for f = f0 + K·a(f); it reuses its matrix I + D^½·K·D^½ while it converges. */
class Newton {
  solve(f0, kernel, y, guess) {
    const n = y.length;
    let f = guess;
    let previous = Infinity;
    for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
      const pushed = kernel.apply(residualOf(f, y));
      const residual = f.map((value, i) => f0[i] - value + pushed[i]);
      const size = largest(residual);
      if (!this.factor || size > REFACTOR_AT * previous) {
        if (!this.refactor(kernel, f, y)) break;
      }
      previous = size;
      const inner = choleskySolve(this.factor, n, residual.map((value, i) => value * this.root[i]));
      for (let i = 0; i < n; i++) inner[i] *= this.root[i];
      const change = residual.slice();
      const matrix = this.matrix;
      for (let i = 0, at = 0; i < n; i++) {
        let sum = residual[i];
        for (let j = 0; j < n; j++, at++) sum -= matrix[at] * inner[j];
        change[i] = sum;
      }
      const length = largest(change);
      if (!(length < Infinity)) break;
      const scale = Math.min(1, LONGEST / length);
      f = f.map((value, i) => value + scale * change[i]);
      if (length < 1e-3 * TOLERANCE) return f;
    }
    this.factor = null;
    return null;
  }

  refactor(kernel, f, y) {
    const n = y.length;
    this.matrix = kernel.full();
    this.root = f.map((value, i) => {
      const share = sigmoid(-y[i] * value);
      return Math.sqrt((share * (1 - share)) / n);
    });
    this.factor = this.matrix.slice();
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) this.factor[i * n + j] *= this.root[i] * this.root[j];
      this.factor[i * n + i] += 1;
    }
    if (cholesky(this.factor, n)) return true;
    this.factor = null;
    return false;
  }
}

class Flow {
  constructor(kernel, etaStar, weightDecay) {
    this.kernel = kernel;
    this.y = kernel.examples.y;
    this.law = new NoiseLaw(etaStar, weightDecay);
    this.time = 0;
    this.step = 0.01 / (kernel.examples.s ** 2 / 24 + 0.25);
    const state = kernel.empty();
    this.point = { state, variance: 1, f: kernel.outputs(state) };
    this.loss = lossOf(this.point.f, this.y);
  }

  begin(phase) {
    this.newton = { whole: new Newton(), half: new Newton() };
    this.moveTo(this.point, phase);
  }

  moveTo(point, phase) {
    const f = this.kernel.outputs(point.state, gateOf(point.variance, phase.sigma));
    this.point = { ...point, f };
    this.loss = lossOf(f, this.y);
  }

  /** Take one accepted step, up to `until` or the phase's loss threshold. */
  advance(phase, until) {
    for (let attempt = 0; ; attempt++) {
      if (attempt === MOST_REJECTIONS) throw new Error("no accurate step");
      let h = Math.min(this.step, until - this.time);
      let { trial, error } = this.doubled(phase, h);
      if (!trial || error > TOLERANCE) {
        const factor = trial ? 0.9 * Math.sqrt(TOLERANCE / error) : 0.2;
        this.step = h * Math.max(0.2, factor);
        continue;
      }
      const proposed = h * Math.min(4, 0.9 * Math.sqrt(TOLERANCE / Math.max(error, 1e-12)));
      if (h === this.step || proposed < this.step) this.step = proposed;
      const loss = lossOf(trial.f, this.y);
      if (loss < phase.threshold * (1 - AT_THRESHOLD)) [h, trial] = this.crossing(phase, h, trial, loss);
      this.moveTo(trial, phase);
      this.time = h === until - this.time ? until : this.time + h;
      return;
    }
  }

  /** Return a shorter step that ends with the loss just below the threshold. */
  crossing(phase, h, trial, loss) {
    const target = Math.log(phase.threshold);
    let low = 0, atLow = Math.log(this.loss) - target;
    let high = h, atHigh = Math.log(loss) - target;
    for (let i = 0; i < 40; i++) {
      const share = atLow / (atLow - atHigh);
      const middle = low + (high - low) * Math.min(Math.max(share * 1.0001, 0.02), 0.98);
      const candidate = this.doubled(phase, middle).trial;
      if (!candidate) break;
      const at = Math.log(lossOf(candidate.f, this.y)) - target;
      if (at > 0) {
        [low, atLow] = [middle, at];
        continue;
      }
      [high, atHigh, h, trial] = [middle, at, middle, candidate];
      if (at > -AT_THRESHOLD) break;
    }
    return [h, trial];
  }

  /** Return the extrapolated result of a step, null if Newton fails, and its error. */
  doubled(phase, h) {
    const start = this.point;
    const whole = this.implicit(this.newton.whole, start, phase, h, start.f);
    if (!whole) return { trial: null, error: Infinity };
    const between = start.f.map((value, i) => (value + whole.f[i]) / 2);
    const half = this.implicit(this.newton.half, start, phase, h / 2, between);
    const twice = half && this.implicit(this.newton.half, half, phase, h / 2, whole.f);
    if (!twice) return { trial: null, error: Infinity };
    const state = {};
    for (const name of Object.keys(twice.state)) {
      const [a, b] = [twice.state[name], whole.state[name]];
      const extrapolated = (state[name] = new Float64Array(a.length));
      for (let i = 0; i < a.length; i++) extrapolated[i] = 2 * a[i] - b[i];
    }
    const error = largest(twice.f.map((value, i) => value - whole.f[i]));
    return { trial: { state, variance: twice.variance, f: twice.f.map((value, i) => 2 * value - whole.f[i]) }, error };
  }

  implicit(newton, start, phase, h, guess) {
    const eta = phase.eta;
    const step = this.law.transition(this.kernel.powers, start.variance, eta, h / eta, phase.sigma);
    const gate = gateOf(step.variance, phase.sigma);
    const state = this.kernel.carry(start.state, step);
    const f0 = this.kernel.outputs(state, gate);
    const f = newton.solve(f0, this.kernel.oneStep(step, gate), this.y, guess);
    if (!f) return null;
    return { state: this.kernel.add(state, residualOf(f, this.y), step), variance: step.variance, f };
  }
}
