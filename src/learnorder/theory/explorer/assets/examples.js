// The training set. Python draws the same one: learnorder/theory/explorer/settings.py.

const N = 100; // training examples; d follows from κ = √(d/N)
const Q0 = 0.1; // share of examples with only a Q pattern
const EPSILON1 = 0.12; // L-S and S + noise anneal at a training loss of ε1 + q·log 2
const EPSILON2 = 0.05; // training loss at which a run ends
const COLUMNS = 256; // normals drawn per example, so that other values of d keep the first ones

/** Return a number in [0, 1) that depends on seed, stream and place alone (mulberry32). */
function uniform(seed, stream, place) {
  let a = (Math.imul(seed + 1, 0x9e3779b1) + Math.imul(stream, 0x85ebca6b)) | 0;
  a = (a + Math.imul(place + 1, 0x6d2b79f5)) | 0;
  let t = Math.imul(a ^ (a >>> 15), 1 | a);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

function normal(seed, place) {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 4, 2 * place)));
  return radius * Math.cos(2 * Math.PI * uniform(seed, 4, 2 * place + 1));
}

/** Return the derived quantities of a setting: d, γ0, and η*, where the noise is stationary. */
function derived(setting) {
  const d = Math.round(setting.kappa ** 2 * N);
  const gamma0 = 1 / Math.sqrt(d);
  const kappa = Math.sqrt(d / N);
  const along = gamma0 ** 2 + 2 * gamma0 * Math.sqrt(2 / (Math.PI * d)) + 1 / d;
  const ofP = ((1 - Q0) / 8) * Math.max(along, (1 + kappa) ** 2 / d);
  const limit = 2 / Math.max((setting.s ** 2 * (1 - setting.p0)) / 24, ofP);
  return { d, gamma0, etaStar: (limit * 5) / 6, first: d / 1000, last: 100 * d };
}

/** Draw the training set. Coordinates: z = e1, ζ = r·e2, w* = e3; x2 = amplitude·(z + bζ). */
function drawExamples(setting) {
  const { d, gamma0 } = derived(setting);
  const x1 = new Float64Array(N * d);
  const amplitude = new Float64Array(N);
  const b = new Int8Array(N);
  const y = new Float64Array(N);
  const kind = [];
  const seed = setting.seed;
  for (let i = 0; i < N; i++) {
    y[i] = uniform(seed, 0, i) < 0.5 ? -1 : 1;
    const share = uniform(seed, 1, i);
    kind.push(share < setting.p0 ? "P" : share >= 1 - Q0 ? "Q" : "both");
    b[i] = y[i] > 0 ? 0 : uniform(seed, 2, i) < 0.5 ? -1 : 1;
    amplitude[i] = kind[i] === "P" ? 0 : setting.s * (1 - uniform(seed, 3, i));
    if (kind[i] === "Q") continue;
    for (let j = 0; j < d; j++) x1[i * d + j] = normal(seed, i * COLUMNS + j) / Math.sqrt(d);
    x1[i * d + 2] = y[i] * (Math.abs(x1[i * d + 2]) + gamma0);
  }
  return { n: N, d, x1, amplitude, b, y, kind, r: setting.r, s: setting.s, gamma0 };
}
