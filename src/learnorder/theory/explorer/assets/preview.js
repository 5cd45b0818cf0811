// A first answer, interpolated between the runs that Python computed: explorer/grid.py.

function decodeGrid(grid) {
  const bytes = Uint8Array.from(atob(grid.values), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  grid.numbers = Int16Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true));
  grid.width = 3 * grid.points + 2;
  return grid;
}

/** Return the neighbours of a value on an axis with their weights; the ends extend beyond it. */
function neighbours(axis, value) {
  const x = Math.min(Math.max(value, axis[0]), axis[axis.length - 1]);
  let at = 0;
  while (at + 2 < axis.length && axis[at + 1] < x) at++;
  const share = (x - axis[at]) / (axis[at + 1] - axis[at]);
  return [[at, 1 - share], [at + 1, share]];
}

/**
 * Return the runs that surround a setting, by their index, with weights: between those of L-S with
 * the nearest η1/η*, or of S + noise with the nearest σ. S is either at a hundredth of the smallest.
 */
function variants(grid, arm, setting) {
  const small = grid.runs.findIndex(([name]) => name === "S");
  if (arm === "S") return [[small, 1]];
  const own = grid.runs.flatMap(([name, value], at) => (name === arm ? [{ at, log: Math.log10(value) }] : []));
  const all = [{ at: small, log: own[0].log - 2 }, ...own];
  const near = neighbours(all.map(({ log }) => log), Math.log10(arm === "L-S" ? setting.eta : setting.sigma));
  return near.map(([place, weight]) => [all[place].at, weight]);
}

/** Return an estimate of a run. */
function preview(grid, arm, setting) {
  let corners = [[0, 1]];
  for (const [name, values] of Object.entries(grid.axes)) {
    const value = setting[name === "weight_decay" ? "lambda" : name];
    const near = neighbours(values.map(Math.log), Math.log(value));
    corners = corners.flatMap(([index, weight]) => near.map(([at, share]) => [index * values.length + at, weight * share]));
  }
  const sum = new Float64Array(grid.width);
  for (const [point, share] of corners)
    for (const [variant, part] of variants(grid, arm, setting)) {
      const offset = (point * grid.runs.length + variant) * grid.width;
      for (let i = 0; i < grid.width; i++) sum[i] += share * part * grid.numbers[offset + i];
    }
  const { d } = derived(setting);
  const [end, anneal] = [sum[grid.width - 2], sum[grid.width - 1]].map((log) => d * 10 ** (log / 1000));
  const stop = arm !== "S" && setting.anneal !== null ? Math.min(setting.anneal, anneal) : end;
  const points = [];
  const add = (time, k) => {
    const marginQ = sum[grid.points + k] / 500;
    points.push({ time, marginP: sum[k] / 500, marginQ, errorP: sum[2 * grid.points + k] / 30000, secondDifference: -8 * marginQ });
  };
  for (let k = 0; k < grid.points && d * 10 ** (-3 + k / 6) < stop; k++) add(d * 10 ** (-3 + k / 6), k);
  if (stop === end) add(end, grid.points - 1); // the last values are those at the end
  return { arm, points, annealed: arm === "S" || anneal >= stop ? null : anneal, status: "estimate" };
}
