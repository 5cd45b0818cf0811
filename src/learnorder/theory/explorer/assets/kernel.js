// The infinite-width limit on a training set: learnorder/theory/kernel.py, separate blocks.

/** Return the powers and coefficients/2π of arcsin's series for angles down to r. */
function arcsineSeries(table, r) {
  let count = table.exact;
  let start = table.exact;
  while (start < table.reach / r ** 2) {
    count += table.perOctave;
    start *= 2;
  }
  const powers = Float64Array.from([...table.powers.slice(0, count), 6 * start + 1]);
  const given = table.coefficients.slice(0, count);
  const rest = Math.PI / 2 - given.reduce((sum, value) => sum + value, 0);
  return { powers, coefficients: Float64Array.from([...given, rest], (c) => c / (2 * Math.PI)) };
}

class Kernel {
  constructor(examples, table) {
    const { n, d, x1, r } = examples;
    Object.assign(this, arcsineSeries(table, r), { examples, n, d, K: 0 });
    this.K = this.powers.length;
    this.gram = new Float64Array(n * n);
    this.quadratic = new Float64Array(n * n);
    this.norm = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += x1[i * d + k] * x1[j * d + k];
        this.gram[i * n + j] = this.gram[j * n + i] = sum;
      }
      this.norm[i] = Math.sqrt(this.gram[i * n + i]);
    }
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const norms = this.norm[i] * this.norm[j];
        if (norms > 0) this.quadratic[i * n + j] = (this.coefficients[0] * this.gram[i * n + j] ** 2) / norms;
      }
    const near = -0.5 * Math.log1p(r ** 2);
    const far = r < 1 ? Math.log1p(-(r ** 2)) - Math.log1p(r ** 2) : -Infinity;
    this.logCos = [0, near, far, near, 0, near, far, near, 0];
    this.dot = this.logCos.map((_, at) => 1 + r ** 2 * ((at / 3) | 0 ? ((at / 3) | 0) - 1 : -1) * ((at % 3) - 1));
    this.series = this.logCos.map((log, at) => this.powers.map((power) => this.dot[at] * Math.exp(log * power)));
  }

  empty() {
    return {
      linear: new Float64Array(this.d), // Σ_i M_i·x1_i
      linearQ: new Float64Array(3),
      quadratic: new Float64Array(this.n), // power 1, by example
      self: new Float64Array(this.n * (this.K - 1)), // powers ≥ 3 of each example with itself
      q: new Float64Array(3 * this.K), // all powers, by direction of Q
    };
  }

  /** Return a state decayed over a transition. */
  carry(state, step) {
    const { n, K } = this;
    const next = this.empty();
    for (let k = 0; k < this.d; k++) next.linear[k] = state.linear[k] * step.gain;
    for (let c = 0; c < 3; c++) {
      next.linearQ[c] = state.linearQ[c] * step.gain;
      for (let k = 0; k < K; k++) next.q[c * K + k] = state.q[c * K + k] * step.decay[k];
    }
    for (let i = 0, at = 0; i < n; i++) {
      next.quadratic[i] = state.quadratic[i] * step.decay[0];
      for (let k = 1; k < K; k++, at++) next.self[at] = state.self[at] * step.decay[k];
    }
    return next;
  }

  /** Add a transition's gradient, with residual a, to a state in place. */
  add(state, a, step) {
    const { n, d, K } = this;
    const { x1, amplitude, b } = this.examples;
    const byDirection = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      byDirection[b[i] + 1] += amplitude[i] * a[i];
      const weight = step.linearWeight * a[i];
      for (let k = 0; k < d; k++) state.linear[k] += weight * x1[i * d + k];
      state.quadratic[i] += a[i] * step.weight[0];
      for (let k = 1; k < K; k++) state.self[i * (K - 1) + k - 1] += a[i] * step.weight[k];
    }
    for (let c = 0; c < 3; c++) {
      state.linearQ[c] += step.linearWeight * byDirection[c];
      for (let k = 0; k < K; k++) state.q[c * K + k] += byDirection[c] * step.weight[k];
    }
    return state;
  }

  /** Return g_b, the outputs on z + bζ, b = −1, 0, 1. */
  onQ(state, gate = 1) {
    const K = this.K;
    const seen = this.powers.map((power, k) => this.coefficients[k] * gate ** power);
    return [0, 1, 2].map((row) => {
      let sum = 0;
      for (let c = 0; c < 3; c++) {
        const series = this.series[3 * row + c];
        sum += (this.dot[3 * row + c] * state.linearQ[c]) / 4;
        for (let k = 0; k < K; k++) sum += series[k] * state.q[c * K + k] * seen[k];
      }
      return sum;
    });
  }

  /** Return f on the training set. */
  outputs(state, gate = 1) {
    const { n, d, K } = this;
    const { x1, amplitude, b } = this.examples;
    const seen = this.powers.map((power, k) => this.coefficients[k] * gate ** power);
    const g = this.onQ(state, gate);
    const f = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let linear = 0, quadratic = 0, self = 0;
      for (let k = 0, at = i * d; k < d; k++, at++) linear += x1[at] * state.linear[k];
      for (let j = 0, at = i * n; j < n; j++, at++) quadratic += this.quadratic[at] * state.quadratic[j];
      for (let k = 1, at = i * (K - 1); k < K; k++, at++) self += state.self[at] * seen[k];
      f[i] = linear / 4 + gate * quadratic + this.norm[i] ** 2 * self + amplitude[i] * g[b[i] + 1];
    }
    return f;
  }

  /** Return K_h, the map from a transition's residual to its effect on f. */
  oneStep(step, gate) {
    const { n, K } = this;
    const { amplitude, b } = this.examples;
    const seen = this.powers.map((power, k) => this.coefficients[k] * step.weight[k] * gate ** power);
    const linear = step.linearWeight / 4;
    const first = step.weight[0] * gate;
    const core = this.series.map((series, at) => {
      let sum = this.dot[at] * linear;
      for (let k = 0; k < K; k++) sum += series[k] * seen[k];
      return sum;
    });
    let self = 0;
    for (let k = 1; k < K; k++) self += seen[k];
    const matrix = new Float64Array(n * n); // P's part
    const { gram, quadratic } = this;
    for (let i = 0; i < n * n; i++) matrix[i] = linear * gram[i] + first * quadratic[i];
    for (let i = 0; i < n; i++) matrix[i * n + i] += self * this.norm[i] ** 2;
    const full = () => {
      const whole = matrix.slice();
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++)
          whole[i * n + j] += amplitude[i] * amplitude[j] * core[3 * (b[i] + 1) + b[j] + 1];
      return whole;
    };
    const apply = (a) => {
      const q = [0, 0, 0];
      for (let i = 0; i < n; i++) q[b[i] + 1] += amplitude[i] * a[i];
      const g = [0, 1, 2].map((row) => core[3 * row] * q[0] + core[3 * row + 1] * q[1] + core[3 * row + 2] * q[2]);
      const result = new Float64Array(n);
      for (let i = 0; i < n; i++) {
        let sum = amplitude[i] * g[b[i] + 1];
        for (let j = 0, at = i * n; j < n; j++, at++) sum += matrix[at] * a[j];
        result[i] = sum;
      }
      return result;
    };
    return { full, apply };
  }
}
