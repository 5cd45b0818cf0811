r"""The claims about images in float32 and in bf16, on the same seeds: ``results/precision``.

    python -m studies.precision.measure
    python -m studies.precision.measure laptop --precisions bf16 --experiments plain \
        --arms large small

The first trains on digits, 25 minutes on one core. The second makes, for the runs in float32 in
``results/laptop``, their partners in bf16; CIFAR-10 is in ``data/cifar10``.
No setting is chosen here: everything but the precision is that of ``learnorder reproduce``. Runs go
to ``runs/precision``; the same command continues interrupted ones.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from learnorder import Execution
from learnorder.execution.driver import run_plans
from learnorder.images.run import image_plans
from learnorder.reproduce.run import reproduction_recipe
from learnorder.reproduce.scales import SEEDS, Reproduction
from studies.common import DATA, RESULTS, ROOT
from studies.records import pack

SCALES = ("demo", "laptop")
PRECISIONS = ("fp32", "bf16")
EXPERIMENTS = ("plain", "patch")
RUNS = ROOT / "runs" / "precision"


def reproduction(scale: str, precision: str) -> Reproduction:
    """Return the experiments of a scale, on images in a precision."""
    recipe = reproduction_recipe(scale)
    if scale != "demo":
        recipe = recipe.on(DATA)
    images = {name: getattr(recipe, name) for name in EXPERIMENTS}
    return replace(recipe, **{
        name: replace(each, training=replace(each.training, precision=precision))
        for name, each in images.items()
    })  # fmt: skip


def run_seed(scale: str, precision: str, name: str, seed: int, arms: list[str] | None) -> None:
    """Make the runs of an experiment on a seed."""
    experiment = replace(getattr(reproduction(scale, precision), name), seeds=1, first_seed=seed)
    plans = {
        folder: plan
        for folder, plan in image_plans(experiment, name, scale).items()
        if arms is None or plan.labels["arm"] in arms
    }
    run_plans(plans, folder_of(scale, precision) / name, Execution(workers=1, threads=1))


def folder_of(scale: str, precision: str, runs: Path = RUNS) -> Path:
    """Return the folder of the runs of a scale in a precision."""
    return runs / scale / precision


def main() -> None:
    """Make the runs that the command line names, and pack all there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", nargs="?", choices=SCALES, default="demo")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=EXPERIMENTS)
    parser.add_argument("--arms", nargs="+", default=None, help="Default: all.")
    parser.add_argument("--seeds", nargs="+", type=int, default=range(SEEDS))
    given = parser.parse_args()
    for seed in given.seeds:
        for precision in given.precisions:
            for name in given.experiments:
                run_seed(given.scale, precision, name, seed, given.arms)
    pack(RUNS / given.scale, RESULTS / "precision" / given.scale)


if __name__ == "__main__":
    main()
