"""Probe a sharp pattern in part of the examples beside a faint one in all of them.

``python -m studies.probe.faint`` runs the two probes below, with CIFAR-10 in ``data/cifar10`` and
the series of :mod:`studies.probe.tasks`, and writes their results to ``results/faint``. Runs go to
``runs/faint``. The same command continues interrupted probes.

The strength of the faint pattern is chosen on seed 1000: the smallest of STRENGTHS at which an arm,
whichever it is, ends at least halfway from chance to 100 % on the faint pattern alone. If there is
none, the largest is taken. The contrast of the sharp pattern is that of the probe of the same kind
without a faint one while the strength is chosen, and is then calibrated as in any probe. The rest
was fixed before any run.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import learnorder
from learnorder.config.settings import TaskConfig
from learnorder.config.training import TrainingConfig
from studies.common import RESULTS, ROOT, names_chosen

STRENGTHS = (0.1, 0.2, 0.4, 0.8)
"""Strengths of the faint pattern that are tried."""
CHOOSING_SEED = 1000
RUNS, RECORDS = ROOT / "runs" / "faint", RESULTS / "faint"


def probes() -> dict[str, learnorder.Probe]:
    """Return the probes by name, without their faint pattern."""
    common = learnorder.Probe(learning_rates=(0.02, 0.5), noise=0.0, seeds=5)
    pictures, vowels = (TaskConfig(f"studies.probe.tasks.{n}", {}) for n in ("pictures", "vowels"))
    return {
        "cifar_wrn": replace(
            common,
            task=pictures,
            training=TrainingConfig(epochs=20, batch_size=64),
            contrasts=(0.4, 0.8, 1.6),
        ),
        "vowels_cnn": replace(
            common,
            task=vowels,
            training=TrainingConfig(epochs=40, batch_size=32),
            contrasts=(0.4, 0.8, 1.6, 3.2),
        ),
    }


CONTRASTS = {"cifar_wrn": 0.8, "vowels_cnn": 1.6}
"""Contrast of the sharp pattern while the strength of the faint one is chosen."""


def tried(name: str, probe: learnorder.Probe, strength: float) -> dict[str, float]:
    """Return what each arm scores on the faint pattern alone, on the seed for choosing."""
    one = replace(
        probe, seeds=1, first_seed=CHOOSING_SEED, contrasts=(CONTRASTS[name],), faint=strength
    )
    result = learnorder.run_probe(one, RUNS / f"{name}-{strength:g}").results
    by_arm = {arm: result.final(arm, "faint_only", "accuracy") for arm in result.arms}
    return {arm: values[CHOOSING_SEED] for arm, values in by_arm.items()}


def choose(name: str, probe: learnorder.Probe) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the strength of the faint pattern, and the scores by which it is chosen."""
    classes = 10 if name == "cifar_wrn" else 9
    scores: dict[str, dict[str, float]] = {}
    for strength in STRENGTHS:
        scores[f"{strength:g}"] = found = tried(name, probe, strength)
        if max(found.values()) >= (1 + 1 / classes) / 2:
            return strength, scores
    return STRENGTHS[-1], scores


def main() -> None:
    """Run the probes named on the command line."""
    known = probes()
    for name in names_chosen(known, __doc__):
        strength, scores = choose(name, known[name])
        folder: Path = RUNS / name
        learnorder.run_probe(replace(known[name], faint=strength), folder)
        RECORDS.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "probe.json", RECORDS / f"{name}.json")
        chosen = {"strength": strength, "scores": scores}
        (RECORDS / f"{name}-strength.json").write_text(json.dumps(chosen, indent=1) + "\n")
        print(f"{name}: strength {strength:g}")


if __name__ == "__main__":
    main()
