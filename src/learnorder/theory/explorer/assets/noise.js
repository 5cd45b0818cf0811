// The law of the noise in the weights, in units of τ0: learnorder/theory/noise_law.py.

const RELAXATION_PER_PIECE = 0.01;
const MOST_PIECES = 256;

/** Return τ/√(τ² + σ²). */
const gateOf = (variance, sigma) => 1 / Math.sqrt(1 + sigma ** 2 / variance);

/** Return (1 − q^n)/(1 − q), and n if q is 1. */
function geometric(logQ, n) {
  const below = Math.expm1(logQ);
  return below === 0 ? n : Math.expm1(n * logQ) / below;
}

class NoiseLaw {
  constructor(etaStar, weightDecay) {
    this.weightDecay = weightDecay;
    const shrink = etaStar * weightDecay;
    this.xiVariance = (shrink * (2 - shrink)) / etaStar ** 2;
  }

  stationary(eta) {
    const shrink = eta * this.weightDecay;
    return (eta ** 2 * this.xiVariance) / (shrink * (2 - shrink));
  }

  variance(start, eta, n) {
    const limit = this.stationary(eta);
    return limit + Math.exp(2 * n * Math.log1p(-eta * this.weightDecay)) * (start - limit);
  }

  logCorrelation(variance, eta, n) {
    const logKept = 2 * n * Math.log1p(-eta * this.weightDecay);
    const fresh = this.stationary(eta) * -Math.expm1(logKept);
    if (logKept < -100) return 0.5 * (logKept + Math.log(variance / fresh));
    return -0.5 * Math.log1p(fresh / (Math.exp(logKept) * variance));
  }

  /** Return the effect of n steps at η with a constant residual, for each power of the kernel. */
  transition(powers, variance, eta, n, sigma) {
    const K = powers.length;
    const logGain = Math.log1p(-eta * this.weightDecay);
    const relaxing = Math.abs(this.stationary(eta) / variance - 1) > 1e-12;
    let pieces = 1;
    if (relaxing && n > 1) {
      const needed = Math.ceil((-logGain * n) / RELAXATION_PER_PIECE);
      pieces = Math.max(1, Math.min(needed, MOST_PIECES));
    }
    const logDecay = new Float64Array(K);
    const weight = new Float64Array(K);
    let linearWeight = 0;
    const steps = n / pieces;
    for (let piece = 0; piece < pieces; piece++) {
      const after = this.variance(variance, eta, steps);
      const logH = this.logCorrelation(variance, eta, steps) / steps;
      let logGate = Math.log(gateOf(variance, sigma));
      if (steps > 1) logGate = (logGate + Math.log(gateOf(after, sigma))) / 2;
      for (let k = 0; k < K; k++) {
        const logQ = logGain + powers[k] * logH;
        const added = eta * Math.exp(powers[k] * (logH + logGate)) * geometric(logQ, steps);
        weight[k] = Math.exp(steps * logQ) * weight[k] + added;
        logDecay[k] += steps * logQ;
      }
      linearWeight = Math.exp(steps * logGain) * linearWeight + eta * geometric(logGain, steps);
      variance = after;
    }
    return { gain: Math.exp(n * logGain), decay: logDecay.map(Math.exp), linearWeight, weight, variance };
  }
}
