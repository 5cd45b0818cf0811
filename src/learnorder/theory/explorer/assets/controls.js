// The settings, their ranges, meaning, and values as a screen reader says them; the address of the page holds them after its #.

const CONTROLS = [
  { key: "eta", name: "η1 / η*", title: "first learning rate of L-S", low: 1e-12, high: 1, start: 1, words: (value) => `${numberWords(value)} times η*`,
    help: "η* is 5/6 of the largest stable learning rate, at which the noise in the weights keeps its initial size. S trains at 10⁻¹² η*." },
  { key: "anneal", name: "anneal at η·t", title: "when L-S lowers its learning rate, and S + noise drops its noise", low: 1, high: 1e4, start: null, auto: 300, words: (value) => `training time ${numberWords(value)}`,
    help: "η·t is training time: the sum of all learning rates so far. Automatic: at a training loss of 0.12 + q·log 2, q being the share of examples without P." },
  { key: "sigma", name: "σ", title: "noise before the activations, S + noise", low: 1e-6, high: 100, start: 30, words: (value) => `${numberWords(value)} times τ0`,
    help: "In units of τ0, the standard deviation of the initial weights." },
  { key: "s", name: "s", title: "scale of Q", low: 1, high: 3000, start: 1000, words: (value) => numberWords(value),
    help: "1 in the paper, where the order appears only in huge dimensions. A larger s makes Q faster to learn." },
  { key: "r", name: "r", title: "length of ζ: how close Q's directions are", low: 1e-5, high: 0.3, start: 1e-4, words: (value) => numberWords(value),
    help: "The smaller, the harder Q is to fit." },
  { key: "kappa", name: "κ", title: "√(d / N): dimensions per example", low: 0.5, high: 1.4, start: 1, words: (value) => `${numberWords(value)}, ${Math.round(value ** 2 * N)} dimensions`,
    help: "N is 100 here, so d = 100 κ². The larger, the harder P is to generalise." },
  { key: "lambda", name: "λ", title: "weight decay", low: 1e-6, high: 1e-3, start: 1e-5, words: (value) => numberWords(value),
    help: "Together with the noise it makes the weights forget their old activation pattern." },
  { key: "p0", name: "p0", title: "share of examples that have only P", low: 0.02, high: 0.5, start: 0.06, words: (value) => `${numberWords(100 * value)} % of the examples`,
    help: "The only ones that S still learns P from, once it knows Q." },
];

const SEEDS = 1000;

const defaults = () => ({ ...Object.fromEntries(CONTROLS.map((control) => [control.key, control.start])), seed: 0, mode: "explore" });

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Return a number as a reader writes it: 1,000 or 3·10⁻⁵. */
function numberText(value) {
  if (value < 0) return `−${numberText(-value)}`;
  if (value === 0) return "0";
  if (value >= 0.01 && value < 1e5) return Number(value.toPrecision(2 + (value >= 100))).toLocaleString("en", { maximumSignificantDigits: 3 });
  const power = Math.floor(Math.log10(value) + 1e-9);
  const factor = Number((value / 10 ** power).toPrecision(2));
  const raised = String(power).replace("-", "⁻").replace(/\d/g, (digit) => RAISED[digit]);
  return factor === 1 ? `10${raised}` : `${factor}·10${raised}`;
}

/** Return a number as it is spoken, as screen readers skip raised digits: 3 times 10 to the power of minus 5. */
function numberWords(value) {
  const power = (raised) => ` to the power of ${[...raised].map((c) => (c === "⁻" ? "minus " : RAISED.indexOf(c))).join("")}`;
  return numberText(value).replace("·", " times ").replace(new RegExp(`[⁻${RAISED}]+$`), power);
}

/** Return the state that an address holds, and a sentence for each value that it had to replace. */
function readAddress(hash) {
  const state = defaults();
  const complaints = [];
  let text = hash.replace(/^#/, "");
  try {
    text = decodeURIComponent(text);
  } catch {
    complaints.push("The address of this page is damaged; the settings that could be read are used.");
  }
  for (const part of text.split("&").filter(Boolean)) {
    const [key, value = ""] = part.split("=");
    const control = CONTROLS.find((one) => one.key === key);
    const number = value.trim() === "" ? NaN : Number(value);
    if (key === "mode" && ["explore", "predict"].includes(value)) state.mode = value;
    else if (key === "anneal" && value === "auto") state.anneal = null;
    else if (key === "seed" && Number.isInteger(number) && number >= 0 && number < SEEDS) state.seed = number;
    else if (!control) complaints.push(`The address has “${part.slice(0, 40)}”, which this page does not know; it is ignored.`);
    else if (!Number.isFinite(number)) complaints.push(`The address gives ${control.name} as “${value.slice(0, 20)}”, which is not a number; ${control.start === null ? "automatic" : numberText(control.start)} is used.`);
    else if (number < control.low || number > control.high) {
      state[key] = Math.min(Math.max(number, control.low), control.high);
      complaints.push(`${control.name} goes from ${numberText(control.low)} to ${numberText(control.high)}; the address gives ${value.slice(0, 20)}, and the nearest value is used.`);
    } else state[key] = number;
  }
  return { state, complaints };
}

/** Return the address of a state: what differs from the defaults. */
function address(state) {
  const parts = [];
  for (const [key, value] of Object.entries(defaults()))
    if (state[key] !== value) parts.push(`${key}=${typeof state[key] === "number" ? Number(state[key].toPrecision(4)) : state[key]}`);
  return "#" + parts.join("&");
}

const toSlider = (control, value) => Math.round((1000 * Math.log(value / control.low)) / Math.log(control.high / control.low));
const fromSlider = (control, place) => Number((control.low * (control.high / control.low) ** (place / 1000)).toPrecision(3));
