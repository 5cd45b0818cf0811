// A two-layer network of finite width, by gradient descent with noise: learnorder/theory/finite.py.

/** Random numbers in sequence, from a seed and a stream of examples.js. */
class Random {
  constructor(seed, stream) {
    Object.assign(this, { seed, stream, place: 0, spare: null });
  }

  /** Return a standard normal number (Box and Muller). */
  normal() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(this.seed, this.stream, this.place++)));
    const angle = 2 * Math.PI * uniform(this.seed, this.stream, this.place++);
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/**
 * The units that see one half of the examples. They come in pairs j and j + m/2 of equal weights
 * and noise with output weights 1/√m and −1/√m, so the output starts at 0 (Python: antithetic).
 */
class Block {
  /** `rows` are the places of the examples that have this half, `inputs` their halves, `weights` the first m/2 units. */
  constructor(rows, inputs, d, weights) {
    Object.assign(this, { rows, inputs, d, n: rows.length, m: (2 * weights.length) / d });
    this.weights = Float64Array.from([...weights, ...weights]);
    this.length = rows.map((_, i) => Math.hypot(...inputs.subarray(i * d, (i + 1) * d)));
    this.active = new Uint8Array(this.m * this.n); // by unit, then example, as last computed
  }

  sign(j) {
    return (2 * j < this.m ? 1 : -1) / Math.sqrt(this.m);
  }

  /** Add the block's outputs to f, with noise of level·‖half‖ before the activations. */
  forward(f, level, random) {
    const { n, d, m, inputs, weights, active, rows } = this;
    const u = 1 / Math.sqrt(m);
    for (let j = 0, other = m / 2; other < m; j++, other++)
      for (let i = 0, at = 0; i < n; i++) {
        const noise = level > 0 ? level * this.length[i] * random.normal() : 0;
        let plus = noise, minus = noise;
        for (let k = 0, w = j * d, v = other * d; k < d; k++, w++, v++, at++) {
          plus += weights[w] * inputs[at];
          minus += weights[v] * inputs[at];
        }
        active[j * n + i] = plus > 0 ? 1 : 0;
        active[other * n + i] = minus > 0 ? 1 : 0;
        f[rows[i]] += u * (Math.max(plus, 0) - Math.max(minus, 0));
      }
  }

  /** Update U ← keep·U − rate·∇L̂ + spread·N(0, I), with the gates of the last forward pass. */
  update(residual, { keep, rate, spread }, random) {
    const { n, d, m, inputs, weights, active, rows } = this;
    for (let at = 0; at < weights.length; at++) weights[at] *= keep;
    for (let j = 0; j < m; j++) {
      const step = rate * this.sign(j);
      for (let i = 0; i < n; i++) {
        if (!active[j * n + i]) continue;
        const pull = step * residual[rows[i]];
        for (let k = 0, w = j * d, at = i * d; k < d; k++, w++, at++) weights[w] += pull * inputs[at];
      }
    }
    if (!(spread > 0)) return;
    for (let at = 0, half = weights.length / 2; at < half; at++) {
      const noise = spread * random.normal();
      weights[at] += noise;
      weights[at + half] += noise;
    }
  }

  /** Return the block's outputs on other halves, without noise. */
  outputs(inputs) {
    const { d, m, weights } = this;
    const f = new Float64Array(inputs.length / d);
    for (let j = 0; j < m; j++) {
      const u = this.sign(j);
      for (let i = 0, at = 0; i < f.length; i++) {
        let hidden = 0;
        for (let k = 0, w = j * d; k < d; k++, w++, at++) hidden += weights[w] * inputs[at];
        if (hidden > 0) f[i] += u * hidden;
      }
    }
    return f;
  }
}

class Network {
  /** `initial` holds the first halves of W and V, (m/2, d) and (m/2, 2): along z and ζ/r. */
  constructor(examples, initial, random) {
    const { n, d, x1, amplitude, b, r, kind, y } = examples;
    const places = [...Array(n).keys()];
    const withP = places.filter((i) => kind[i] !== "Q");
    const withQ = places.filter((i) => kind[i] !== "P");
    const halves = Float64Array.from(withP.flatMap((i) => [...x1.subarray(i * d, (i + 1) * d)]));
    const second = Float64Array.from(withQ.flatMap((i) => [amplitude[i], amplitude[i] * b[i] * r]));
    Object.assign(this, { n, r, y, random });
    this.p = new Block(withP, halves, d, initial.w);
    this.q = new Block(withQ, second, 2, initial.v);
    this.f = new Float64Array(n);
  }

  /** Compute outputs, loss and residuals, with noise of the given level before the activations. */
  evaluate(level) {
    this.f.fill(0);
    for (const block of [this.p, this.q]) block.forward(this.f, level, this.random);
    this.loss = lossOf(this.f, this.y);
    this.residual = residualOf(this.f, this.y);
  }

  update(step) {
    for (const block of [this.p, this.q]) block.update(this.residual, step, this.random);
  }

  /** Return g_b, the outputs on z + bζ, b = −1, 0, 1. */
  onQ() {
    return this.q.outputs(Float64Array.of(1, -this.r, 1, 0, 1, this.r));
  }
}
