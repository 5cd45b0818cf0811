// What is shown: epoch, arm, seed and image; kept in the address of the page.

const DATA = JSON.parse($("data").textContent);
const ALL = "all";

const seedNames = Object.keys(DATA.seeds);
const armNamed = (name) => DATA.arms.find((arm) => arm.name === name);
const ofSeed = (state) => DATA.seeds[state.seed];
const lastEpoch = (state) => Math.max(...Object.values(ofSeed(state).runs).map((run) => run.epochs));

/** Return the arms that are shown and have a run of the seed. */
const shownArms = (state) => DATA.arms.filter(({ name }) => ofSeed(state).runs[name] && [ALL, name].includes(state.arm));
/** Return the index of an epoch in a run, which may have ended before. */
const at = (run, epoch) => Math.min(epoch, run.epochs) - 1;

const defaults = () => ({ epoch: 1, arm: ALL, seed: seedNames[0], image: null });

/** Return the state that an address holds, and a sentence for each value that it had to replace. */
function readAddress(hash) {
  const state = defaults();
  const complaints = [];
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const names = { seed: seedNames, arm: [ALL, ...DATA.arms.map((arm) => arm.name)] };
  for (const key of ["seed", "arm"])
    if (given.has(key)) {
      if (names[key].includes(given.get(key))) state[key] = given.get(key);
      else complaints.push(`The address gives the ${key} “${given.get(key).slice(0, 40)}”, which is not here.`);
    }
  const most = { epoch: lastEpoch(state), image: ofSeed(state).images.length };
  for (const key of ["epoch", "image"])
    if (given.has(key)) {
      const number = Number(given.get(key));
      if (Number.isInteger(number) && number >= 1 && number <= most[key]) state[key] = number;
      else complaints.push(`The address gives the ${key} “${given.get(key).slice(0, 20)}”; there are 1 to ${most[key]}.`);
    }
  for (const key of given.keys())
    if (!(key in state)) complaints.push(`The address has “${key.slice(0, 40)}”, which this page does not know; it is ignored.`);
  return { state, complaints };
}

/** Return the address of a state: what differs from the defaults. */
function address(state) {
  const start = defaults();
  const parts = Object.entries(state).filter(([key, value]) => value !== start[key] && value !== null);
  return "#" + new URLSearchParams(parts);
}
