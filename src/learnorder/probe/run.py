"""The probe's runs: calibrate the pattern, train the arms, retrain last layers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError, LearnOrderError
from learnorder.execution.budget import epochs_within
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.probe.result import RATE, Calibration, ProbeResult, calibrate
from learnorder.probe.settings import FEWEST_EPOCHS, Probe
from learnorder.runs import require_ended, setting_words
from learnorder.runs.experiment import Experiment
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs import RunFolder
    from learnorder.runs.results import PatternRuns
    from learnorder.training.task import Task

_SPENT_ON_EPOCHS = 0.8
"""Share of the time that training takes; most of the rest is for retraining last layers."""


def run_probe(
    probe: Probe | None = None,
    out: Path | str = "runs/probe",
    *,
    task: Task | None = None,
    minutes: float | None = None,
    execution: Execution = Execution(),
) -> ProbeResult:
    """Plant a pattern, and measure when each arm learns it and how far it relies on it.

    The experiment follows section 6.2 of the paper. The pattern's contrast is calibrated first
    (:class:`Calibration`). Then every arm is trained, and the last layer of each finished network
    is retrained on clean data (:func:`~learnorder.retrain.last_layer.retrain_last_layer`). Writes
    report.html and probe.json. The same call continues an interrupted probe.

    Args:
        probe: The settings; None takes the defaults, on digits.
        out: Folder of the results: the folders calibration and arms, report.html and probe.json.
        task: A model, data, loss and planter in this process, in place of those that ``probe``
            names. Its runs are executed in this process, one after another.
        minutes: Approximate time limit in minutes. The cost is measured on this machine first, and
            runs get as many epochs as fit, at most ``probe.training.epochs``.
        execution: How the runs are executed.

    Raises:
        ConfigError: The data or the network do not fit a setting, the budget is too small, or the
            calibration fails.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.precision import with_precision
    from learnorder.probe.page import write_probe

    out, probe = Path(out), probe or Probe()
    Experiment("probe").check(out)
    registered = nullcontext(probe.task)
    if task is not None:
        from learnorder.training.task import register_task

        registered, execution = register_task(task), replace(execution, workers=1)
    with registered as config:
        probe = replace(probe, task=config)
        probe = replace(probe, contrasts=probe.tried())
        probe = with_precision(probe, probe_plans, out, execution)
        probe = with_budget(probe, out, minutes, execution)
        result = make_probes({"": probe}, out, execution, here=task is not None)[""]
    if not isinstance(result, ProbeResult):
        raise result
    write_probe(result, out)
    return result


@processes_kept()
def make_probes(
    probes: Mapping[str, Probe],
    out: Path,
    execution: Execution,
    about: Mapping[Path, Experiment] = MappingProxyType({}),
    *,
    here: bool = False,
) -> dict[str, ProbeResult | LearnOrderError]:
    """Calibrate, train and retrain several probes, each in its folder.

    Args:
        probes: The probes, by the names of their folders; "" is ``out`` itself.
        out: Parent of the folders.
        execution: How the runs are executed.
        about: The experiments of other folders.
        here: Whether the runs are executed in this process.

    Returns:
        The result of each probe, or the error of its calibration.
    """
    from learnorder.execution.driver import check
    from learnorder.retrain.run import retrain_runs
    from learnorder.runs.opening import results_of

    probes = {name: replace(p, contrasts=p.tried()) for name, p in probes.items()}
    for probe in probes.values():
        _check_rates(probe)
    sizes = {name: _image_size(probe) for name, probe in probes.items()}
    calibrated = {name: probe for name, probe in probes.items() if len(probe.tried()) > 1}
    for name, probe in calibrated.items():
        if not (out / name / "calibration").exists():  # find invalid arms before calibrating
            check(arm_plans(probe, probe.tried()[0], sizes[name]), execution.engine)
    plans = {name: calibration_plans(probe, sizes[name]) for name, probe in calibrated.items()}
    folders = {out / name: Experiment("probe", to_dict(probe)) for name, probe in probes.items()}
    experiments = {**about, **folders}
    runs = _run_parts(plans, "calibration", out, execution, experiments, "Calibration", here=here)
    calibrations = {name: Calibration({}, p.tried()[0]) for name, p in probes.items()}
    outcomes = dict[str, ProbeResult | LearnOrderError]()
    for name, probe in calibrated.items():
        try:
            calibrations[name] = read_calibration(probe, runs[name])
        except LearnOrderError as error:
            outcomes[name] = error
    plans = {
        name: arm_plans(probe, calibrations[name].contrast, sizes[name])
        for name, probe in probes.items()
        if name not in outcomes
    }
    parts = _run_parts(plans, "arms", out, execution, experiments, here=here)
    for name, folders in parts.items():
        results = results_of(folders)
        not_retrained = ""
        try:
            retrain_runs(results, quiet=execution.quiet)
        except ConfigError as error:
            not_retrained = error.remedy
        outcomes[name] = ProbeResult(probes[name], calibrations[name], results, not_retrained)
    return {name: outcomes[name] for name in probes}


def _check_rates(probe: Probe) -> None:
    """Check that the learning rates are given if the task has its own optimiser."""
    if probe.is_task:
        from learnorder.training.own_optimizer import check_rates
        from learnorder.training.task import load_task

        check_rates(load_task(probe.task).optimizer, probe.learning_rates)


def _run_parts(
    parts: Mapping[str, Mapping[str, Plan[Any]]],
    part: str,
    out: Path,
    execution: Execution,
    experiments: Mapping[Path, Experiment],
    title: str = "",
    *,
    here: bool,
) -> dict[str, list[RunFolder[Any]]]:
    """Run a part of several probes in parallel, each in the folder ``out/name/part``."""
    from learnorder.execution.driver import run_plans

    plans = {
        str(Path(name, part, run)): plan
        for name, of_probe in parts.items()
        for run, plan in of_probe.items()
    }
    folders = []
    if plans:
        folders = run_plans(plans, out, execution, experiments=experiments, title=title, here=here)
    by_path = dict(zip(plans, folders, strict=True))
    return {
        name: [by_path[str(Path(name, part, run))] for run in of_probe]
        for name, of_probe in parts.items()
    }


def read_calibration(probe: Probe, runs: list[RunFolder[Any]]) -> Calibration:
    """Return the calibration from its runs.

    Raises:
        ConfigError: All runs diverge, or see :func:`~learnorder.probe.result.calibrate`.
    """
    from learnorder.runs.opening import results_of

    require_ended(runs, "so the pattern has no contrast")
    finished = {
        contrast_of(r.config): results_of([r]) for r in runs if r.read_status() == "finished"
    }
    if not finished:
        raise ConfigError(
            "learning_rates",
            list(probe.rates),
            f"Training diverges at the small one, {probe.rates[0]:g}. Give smaller ones.",
        )
    patch, clean = (
        {contrast: _final_accuracy(results, set_) for contrast, results in finished.items()}
        for set_ in ("patch_only", "clean")
    )
    return calibrate(probe, patch, clean, next(iter(finished.values())).chance())


def contrast_of(config: RunConfig | TaskRunConfig) -> float:
    """Return the strength of a run's pattern."""
    return config.patch.contrast if isinstance(config, RunConfig) else config.pattern.strength


def _final_accuracy(results: PatternRuns[Any], set_: str) -> float:
    """Return the final accuracy of a single run."""
    (value,) = results.final(results.arms[0], set_, "accuracy").values()
    return value


def calibration_plans(probe: Probe, image_size: tuple[int, int] | None) -> dict[str, Plan[Any]]:
    """Return the calibration's runs, one for each contrast."""
    from learnorder.execution.driver import Plan
    from learnorder.runs.opening import CALIBRATION

    return {
        f"contrast-{setting_words(contrast)}": Plan(
            probe.calibration(contrast, image_size),
            {"experiment": CALIBRATION, "arm": f"contrast {setting_words(contrast)}"},
        )
        for contrast in probe.tried()
    }


def arm_plans(
    probe: Probe, contrast: float, image_size: tuple[int, int] | None
) -> dict[str, Plan[Any]]:
    """Return the runs of all arms on all seeds."""
    from learnorder.execution.driver import Plan

    return {
        f"{arm}-{setting_words(rate)}-seed{seed}": Plan(
            probe.run(arm, rate, seed, contrast, image_size),
            {"experiment": "probe", "arm": arm, RATE: setting_words(rate)},
        )
        for seed in probe.seed_range()
        for arm, rate in probe.arms()
    }


def probe_plans(probe: Probe, size: tuple[int, int] | None = None) -> dict[str, Plan[Any]]:
    """Return all runs, to estimate their cost; the arms have the middle contrast."""
    size = size or _image_size(probe)
    contrasts = probe.tried()
    middle = contrasts[len(contrasts) // 2]
    calibration = calibration_plans(probe, size) if len(contrasts) > 1 else {}
    return {**calibration, **arm_plans(probe, middle, size)}


def _image_size(probe: Probe) -> tuple[int, int] | None:
    """Return the size of the images, (H, W); None for tasks."""
    if probe.is_task:
        return None
    from learnorder.data import load_images

    return load_images(probe.data).image_size


def with_budget(probe: Probe, out: Path, minutes: float | None, execution: Execution) -> Probe:
    """Return the probe with the epochs that fit in the minutes, measured once for a folder.

    Nothing is written if the folder contains another probe or the first runs are not valid.
    """
    from learnorder.execution.driver import find_folders

    if minutes is None:
        return probe
    size = _image_size(probe)
    budget = epochs_within(
        minutes,
        probe_plans(probe, size),
        probe.training.epochs,
        FEWEST_EPOCHS,
        out,
        share=_SPENT_ON_EPOCHS,
        remedy="fewer learning_rates, contrasts or seeds, --noise 0, fewer train_examples or a "
        "smaller network",
        execution=execution,
    )
    probe = probe.with_epochs(budget.epochs)
    contrast, *others = probe.tried()
    if others:
        find_folders(calibration_plans(probe, size), out / "calibration")
    else:
        find_folders(arm_plans(probe, contrast, size), out / "arms")
    budget.keep(out)
    return probe
