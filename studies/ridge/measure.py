"""Every learning rate at every weight decay, with batch norm and without: ``results/ridge``.

    python -m studies.ridge.measure

The settings were chosen on seeds from 1000 on. Two searches, whose full grids are trained, so that
the pairs that the design asks for can be read from them; then the best pair of the full grid, that
of the design and the best at the baseline are trained on new seeds. Runs go to ``runs/ridge``; the
same command continues interrupted ones. About 15 minutes on one core.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import learnorder
from learnorder import DataConfig, Execution, LRSearch, ModelConfig, TrainingConfig
from learnorder.advise.along.result import AlongResult, Pair
from learnorder.advise.along.run import plans_of, points_of, result_of
from learnorder.advise.along.settings import only_full
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.scores import BySeed
from learnorder.execution.driver import run_plans
from learnorder.runs.files import atomic_write
from learnorder.statistics.as_json import json_by_seed, json_text
from studies.common import RESULTS, ROOT, names_chosen
from studies.ridge.designs import compared_pairs

SETTING = "training.weight_decay"
VALUES = (0.0003, 0.001, 0.003, 0.01, 0.03)
BASELINE = 0.001
RUNS = ROOT / "runs" / "ridge"


def settings() -> dict[str, JointSettings]:
    """Return the two searches by name."""
    return {
        "batch_norm": _search(normalised=True),
        "no_norm": _search(normalised=False),
    }


def _search(*, normalised: bool) -> JointSettings:
    network = {"widths": [16, 32], "normalised": normalised}
    search = LRSearch(
        data=DataConfig(train_examples=600, evaluate_on="validation", validation_share=0.4),
        model=ModelConfig("studies.ridge.networks.SmallNet", network),
        training=TrainingConfig(epochs=30, batch_size=32),
        learning_rates=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        anneal="cosine",
        seeds=6,
    )
    return JointSettings.of(only_full(search), {SETTING: VALUES}, BASELINE)


def record(scored: Mapping[Pair, BySeed]) -> list[dict[str, Any]]:
    """Return final scores of pairs for JSON."""
    return [
        {"value": value, "learning_rate": rate, "by_seed": json_by_seed(by_seed)}
        for (value, rate), by_seed in scored.items()
    ]


def on_new_seeds(joint: JointSettings, name: str, pairs: Iterable[Pair]) -> AlongResult:
    """Train pairs on the seeds that the search has not seen."""
    points = points_of(joint.along, pairs, joint.new_seeds)
    plans = plans_of(joint.along, points, "along")
    folders = run_plans(plans, RUNS / name / "new", Execution(workers=1, threads=1))
    return result_of(joint.along, points.values(), folders)


def main() -> None:
    """Run the searches named on the command line."""
    known = settings()
    for name in names_chosen(known, __doc__):
        joint = known[name]
        full = learnorder.run_along(
            {SETTING: VALUES}, joint.along.search, RUNS / name / "grid",
            execution=Execution(workers=1, threads=1),
        )  # fmt: skip
        new = on_new_seeds(joint, name, compared_pairs(joint, full))
        target = RESULTS / "ridge" / f"{name}.json"
        target.parent.mkdir(exist_ok=True)
        with atomic_write(target) as temporary:
            grid = {"grid": record(full.by_pair()), "new_seeds": record(new.by_pair())}
            temporary.write_text(json_text(grid))
        print(f"{target.name} written")


if __name__ == "__main__":
    main()
