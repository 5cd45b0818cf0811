"""Run the experiments on images: ``patch``, ``plain`` and single runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.config.settings import RunConfig
from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.images import patch, plain
from learnorder.images.experiment import ImageExperiment
from learnorder.report.planned import run_planned
from learnorder.runs.experiment import Experiment
from learnorder.runs.results import Results
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs.results import Results


IMAGE_SCALES: dict[str, Mapping[str, Callable[[], ImageExperiment]]] = {
    "patch": patch.SCALES,
    "plain": plain.SCALES,
}
"""The recipes of the experiments on images, by experiment and scale."""


def recipe(scale: str, experiment: str = "patch") -> ImageExperiment:
    """Return the recipe of an experiment on images.

    Args:
        scale: demo, laptop, paper; for plain also laptop_cifar100, paper_cifar100.
        experiment: patch (with the planted patch) or plain (images as they are).

    Raises:
        ConfigError: There is no recipe of this name.
    """
    if experiment not in IMAGE_SCALES:
        raise ConfigError("experiment", experiment, f"There are {', '.join(IMAGE_SCALES)}.")
    if scale not in (scales := IMAGE_SCALES[experiment]):
        raise ConfigError("scale", scale, f"There are {', '.join(scales)}.")
    return scales[scale]()


def image_plans(
    experiment: ImageExperiment, name: str = "patch", scale: str = "custom"
) -> dict[str, Plan[RunConfig]]:
    """Return the runs of an experiment on images, the arms of a seed beside each other."""
    from learnorder.execution.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(
            experiment.run(arm, seed), {"experiment": name, "scale": scale, "arm": arm}
        )
        for seed in experiment.seed_range()
        for arm in experiment.arm_names()
    }


def on_images(experiment: ImageExperiment, name: str, scale: str = "custom") -> Experiment:
    """Return what a folder of :func:`image_plans` says that it is of."""
    return Experiment(name, {"scale": scale, **to_dict(experiment)})


def run_patch(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run the patch experiment, continue it, or read it where it is done; write its report.

    Args:
        experiment: An experiment, or the name of a recipe: demo, laptop, paper.
        out: Folder of the run folders and of report.html; runs/patch-SCALE by default.
        scale: Name of the recipe that ``experiment`` derives from, for the report.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    return run_images("patch", experiment, out, scale=scale, execution=execution)


def run_plain(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run the same arms on images as they are (the paper's Figure 1 and Table 1).

    Args:
        experiment: An experiment, or the name of a recipe: demo, laptop, paper, laptop_cifar100,
            paper_cifar100.
        out: Folder of the run folders and of report.html; runs/plain-SCALE by default.
        scale: Name of the recipe that ``experiment`` derives from, for the report.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    return run_images("plain", experiment, out, scale=scale, execution=execution)


def run_images(
    name: str,
    experiment: ImageExperiment | str,
    out: Path | str | None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run an experiment on images by its name; see :func:`run_patch`."""
    if isinstance(experiment, str):
        scale, experiment = experiment, recipe(experiment, name)
    folder = Path(out or f"runs/{name}-{scale}")
    plans = image_plans(experiment, name, scale)
    about = on_images(experiment, name, scale)
    return run_planned(plans, folder, execution, of=Results, experiment=about)


def train_plans(config: RunConfig, folder: Path) -> dict[str, Plan[RunConfig]]:
    """Return the one run of ``learnorder train``."""
    from learnorder.execution.driver import Plan

    return {folder.name: Plan(config, {"experiment": "train"})}


def run_train(
    config: RunConfig,
    out: Path | str = "runs/train",
    *,
    execution: Execution = Execution(),
) -> Results:
    """Make one run, or continue it, and write its report.

    Args:
        config: The run.
        out: The run's folder.
        execution: How the run is executed; it is one, whatever ``workers`` says.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    folder = Path(out)
    Experiment("train").check(folder)
    alone = replace(execution, workers=1)
    plans = train_plans(config, folder)
    return run_planned(plans, folder.parent, alone, of=Results, page=folder)
