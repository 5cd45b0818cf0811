"""Simulate the design on surfaces with a known ridge: ``results/ridge/simulation.json``.

    python -m studies.ridge.simulate

The score of a pair is −(distance from the ridge in steps of the grid of learning rates)², −¼ (steps
from the best value)², and noise: a level of each seed and independent noise of each run, in units
of what the first step from the ridge costs. Nine learning rates and five values, both half a decade
apart. The ridge passes the middle value somewhere between the two learning rates beside the middle
one, and the best value is anywhere. ``bent`` has slope 0 up to the middle value and −1 beyond.

The same scores are given to the design, which sees those of the pairs that it asks for, and to the
full grid, which has all. *Regret* is the true score of the best pair of the grid minus that of the
one with the best mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from learnorder.advise.along.result import AlongResult, Pair
from learnorder.advise.jointly.result import slope_of
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.scores import BySeed
from learnorder.advise.settings import LRSearch
from learnorder.statistics import side_of
from learnorder.statistics.as_json import json_text
from studies.common import RESULTS
from studies.ridge.designs import of_pairs, searched

STEP = 0.5
RATES = tuple(10.0 ** (-4 + STEP * i) for i in range(9))
VALUES = tuple(10.0 ** (-4 + STEP * i) for i in range(5))
SETTING = "training.weight_decay"
SLOPES = {"-1": (-1.0, -1.0), "-0.5": (-0.5, -0.5), "0": (0.0, 0.0), "bent": (0.0, -1.0)}
"""Slope of the ridge below and above the middle value."""
NOISES = (0.2, 0.5, 1.0, 2.0)
"""Standard deviation of a run, in units of what the first step from the ridge costs."""
REPEATS = 300
SEEDS = 5


@dataclass(frozen=True)
class Surface:
    """True scores over the grid.

    Attributes:
        ridge: log10 of the best learning rate at each value.
        best: log10 of the best value.
    """

    ridge: Mapping[float, float]
    best: float

    @classmethod
    def drawn(cls, slopes: tuple[float, float], generator: np.random.Generator) -> Surface:
        """Return a surface with a ridge of two slopes and a random place."""
        middle, logs = math.log10(VALUES[2]), np.log10(VALUES)
        centre = math.log10(RATES[4]) + STEP * generator.uniform(-0.5, 0.5)
        below, above = slopes
        ridge = {
            value: centre + (below if x < middle else above) * (x - middle)
            for value, x in zip(VALUES, logs, strict=True)
        }
        return cls(ridge, float(generator.uniform(logs[0], logs[-1])))

    def score(self, pair: Pair) -> float:
        """Return the true score of a pair."""
        value, rate = pair
        across = (math.log10(rate) - self.ridge[value]) / STEP
        along = (math.log10(value) - self.best) / STEP
        return -(across**2) - along**2 / 4

    def scores(self, noise: float, generator: np.random.Generator) -> dict[Pair, BySeed]:
        """Return scores of all pairs by seed."""
        level = generator.normal(0, 2 * noise, SEEDS)
        return {
            (value, rate): {
                seed: self.score((value, rate)) + level[seed] + noise * generator.normal()
                for seed in range(SEEDS)
            }
            for value in VALUES
            for rate in RATES
        }


def settings(baseline: float) -> JointSettings:
    """Return the settings of a simulated search."""
    search = LRSearch(learning_rates=RATES, seeds=SEEDS)
    return JointSettings.of(search, {SETTING: VALUES}, baseline)


def best_pair(result: AlongResult) -> Pair:
    """Return the pair with the best mean."""
    means = {
        (value, rate): sum(by_seed.values())
        for value, by_rate in result.scored.items()
        for rate, by_seed in by_rate.items()
    }
    return max(means, key=lambda pair: means[pair])


def simulate(
    slopes: tuple[float, float], noise: float, baseline: float, repeats: int, seed: int = 0
) -> dict[str, float]:
    """Return how the design and the full grid do, as means over repetitions.

    Args:
        slopes: Those of the ridge.
        noise: Standard deviation of a run.
        baseline: The value with all learning rates.
        repeats: Number of surfaces.
        seed: Of the surfaces and the noise.
    """
    generator, joint, rows = np.random.default_rng(seed), settings(baseline), []
    for _ in range(repeats):
        surface = Surface.drawn(slopes, generator)
        scores = surface.scores(noise, generator)
        found = searched(joint, scores, "score")
        full = of_pairs(joint.along, scores, "score")
        top = max(map(surface.score, scores))
        rows.append({
            "pairs": sum(map(len, found.scored.values())),
            "regret": top - surface.score(best_pair(found)),
            "full_regret": top - surface.score(best_pair(full)),
            "same_pair": best_pair(found) == best_pair(full),
            **_of_slope("", found, slopes[0]), **_of_slope("full_", full, slopes[0]),
        })  # fmt: skip
    means = {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
    return {
        **means,
        "pairs_most": max(row["pairs"] for row in rows),
        "all_pairs": len(RATES) * len(VALUES),
    }


def _of_slope(prefix: str, result: AlongResult, true: float) -> dict[str, float]:
    """Return whether the slope is covered and bounded, and whether a bend is seen."""
    drift = result.drift
    if drift is None:
        return {f"{prefix}covered": math.nan, f"{prefix}bounded": 0.0, f"{prefix}bend": 0.0}
    slope = slope_of(drift.factor)
    bend = drift.bend is not None and side_of(drift.bend) != "inconclusive"
    return {
        f"{prefix}covered": float(slope.low <= true <= slope.high),
        f"{prefix}bounded": float(drift.bounded),
        f"{prefix}bend": float(bend),
    }


def main() -> None:
    """Simulate all cases."""
    cases = [(noise, "middle", VALUES[2]) for noise in NOISES] + [(NOISES[1], "end", VALUES[0])]
    rows = []
    for name, slopes in SLOPES.items():
        for noise, place, baseline in cases:
            row = simulate(slopes, noise, baseline, REPEATS)
            rows.append({"slope": name, "noise": noise, "baseline": place, **row})
            print(rows[-1], flush=True)
    path = RESULTS / "ridge" / "simulation.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json_text({"repeats": REPEATS, "cases": rows}))


if __name__ == "__main__":
    main()
