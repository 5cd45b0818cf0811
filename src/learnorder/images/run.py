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
    """Return the settings of an experiment of the paper on images.

    Args:
        scale: demo, laptop, thin or paper; for plain also laptop_cifar100 and paper_cifar100.
        experiment: patch (with the planted patch, section 6.2) or plain (without; Figure 1 and
            Table 1).

    Raises:
        ConfigError: The experiment or the scale is unknown.
    """
    if experiment not in IMAGE_SCALES:
        raise ConfigError("experiment", experiment, f"Choose one of {', '.join(IMAGE_SCALES)}.")
    if scale not in (scales := IMAGE_SCALES[experiment]):
        raise ConfigError("scale", scale, f"Choose one of {', '.join(scales)}.")
    return scales[scale]()


def image_plans(
    experiment: ImageExperiment, name: str = "patch", scale: str = "custom"
) -> dict[str, Plan[RunConfig]]:
    """Return the runs of an experiment on images by folder name, ordered by seed."""
    from learnorder.execution.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(
            experiment.run(arm, seed), {"experiment": name, "scale": scale, "arm": arm}
        )
        for seed in experiment.seed_range()
        for arm in experiment.arm_names()
    }


def on_images(experiment: ImageExperiment, name: str, scale: str = "custom") -> Experiment:
    """Return the content of experiment.json for an experiment on images."""
    return Experiment(name, {"scale": scale, **to_dict(experiment)})


def run_patch(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run the paper's patch experiment (section 6.2), and write its report.

    An experiment that was interrupted continues; finished runs are not repeated.

    Args:
        experiment: The settings, or the name of a recipe: demo, laptop, thin or paper.
        out: Folder for the runs and report.html; runs/patch-SCALE by default.
        scale: Name of the recipe that ``experiment`` is based on, for the report.
        execution: How the runs are executed.

    Returns:
        The results of all runs.

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
    """Run the same arms on images without a patch (the paper's Figure 1 and Table 1).

    Args:
        experiment: The settings, or the name of a recipe: demo, laptop, thin, paper,
            laptop_cifar100 or paper_cifar100.
        out: Folder for the runs and report.html; runs/plain-SCALE by default.
        scale: Name of the recipe that ``experiment`` is based on, for the report.
        execution: How the runs are executed.

    Returns:
        The results of all runs.

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
    """Run the experiment on images of this name; see :func:`run_patch`."""
    if isinstance(experiment, str):
        scale, experiment = experiment, recipe(experiment, name)
    from learnorder.execution.precision import with_precision

    folder = Path(out or f"runs/{name}-{scale}")
    experiment = with_precision(
        experiment, lambda settled: image_plans(settled, name, scale), folder, execution
    )
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
    """Make a single run, or continue it, and write its report.

    Args:
        config: The settings of the run.
        out: The run's folder.
        execution: How the run is executed; ``workers`` is ignored.

    Returns:
        The results of the run.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.precision import with_precision

    folder = Path(out)
    Experiment("train").check(folder)
    single = replace(execution, workers=1)
    config = with_precision(config, lambda settled: train_plans(settled, folder), folder, single)
    plans = train_plans(config, folder)
    return run_planned(plans, folder.parent, single, of=Results, page=folder)
