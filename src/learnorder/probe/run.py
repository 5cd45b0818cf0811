"""The probe's runs: calibrate the pattern, train the arms, retrain last layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from learnorder.config.settings import RunConfig
from learnorder.errors import ConfigError, LearnOrderError
from learnorder.execution.budget import epochs_within
from learnorder.execution.settings import Execution
from learnorder.probe.result import RATE, Calibration, ProbeResult, calibrate
from learnorder.probe.settings import FEWEST_EPOCHS, Probe
from learnorder.runs import require_ended, setting_words
from learnorder.runs.experiment import Experiment
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs import RunFolder
    from learnorder.runs.results import Results

_SPENT_ON_EPOCHS = 0.8
"""Share of the time that training takes; retraining last layers takes most of the rest."""


def run_probe(
    probe: Probe | None = None,
    out: Path | str = "runs/probe",
    *,
    minutes: float | None = None,
    execution: Execution = Execution(),
) -> ProbeResult:
    """Plant a pattern in images, and see which arms of a network learn it when and rely on it.

    The pattern's contrast is calibrated first (:class:`Calibration`). Then every arm is trained,
    each finished network's last layer is retrained on clean images
    (:func:`~learnorder.retrain.last_layer.retrain_last_layer`), and report.html and probe.json are
    written. The same call continues what was stopped.

    Args:
        probe: What to run; None takes the defaults, on digits.
        out: Gets the folders calibration and arms, report.html and probe.json.
        minutes: About how long it may take, as measured on this machine when it begins: runs get
            as many epochs as fit, at most ``probe.training.epochs``.
        execution: How the runs are executed.

    Raises:
        ConfigError: A setting that the data or the network refuses, or a budget that is too small.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.probe.page import write_probe

    out, probe = Path(out), probe or Probe()
    Experiment("probe").check(out)
    probe = _begun(probe, out, minutes, execution)
    result = make_probes({"": probe}, out, execution)[""]
    if not isinstance(result, ProbeResult):
        raise result
    write_probe(result, out)
    return result


def make_probes(
    probes: Mapping[str, Probe],
    out: Path,
    execution: Execution,
    about: Mapping[Path, Experiment] = MappingProxyType({}),
) -> dict[str, ProbeResult | LearnOrderError]:
    """Calibrate, train and retrain; each probe in a folder of its name.

    Args:
        probes: By the names of their folders; "" is ``out`` itself.
        out: Where the folders go.
        execution: How the runs are executed.
        about: What other folders are of.

    Returns:
        What each found, or why its calibration came to nothing.
    """
    from learnorder.execution.driver import check
    from learnorder.retrain.run import retrain_runs
    from learnorder.runs.opening import results_of

    sizes = {name: _image_size(probe) for name, probe in probes.items()}
    calibrated = {name: probe for name, probe in probes.items() if len(probe.contrasts) > 1}
    for name, probe in calibrated.items():
        if not (out / name / "calibration").exists():  # arms are refused before it, not after
            check(arm_plans(probe, probe.contrasts[0], sizes[name]), execution.engine)
    plans = {name: calibration_plans(probe, sizes[name]) for name, probe in calibrated.items()}
    own = {out / name: Experiment("probe", to_dict(probe)) for name, probe in probes.items()}
    experiments = {**about, **own}
    runs = _run_parts(plans, "calibration", out, execution, experiments, "Calibration")
    calibrations = {name: Calibration({}, p.contrasts[0]) for name, p in probes.items()}
    found = dict[str, ProbeResult | LearnOrderError]()
    for name, probe in calibrated.items():
        try:
            calibrations[name] = calibrated_by(probe, runs[name])
        except LearnOrderError as error:
            found[name] = error
    plans = {
        name: arm_plans(probe, calibrations[name].contrast, sizes[name])
        for name, probe in probes.items()
        if name not in found
    }
    for name, folders in _run_parts(plans, "arms", out, execution, experiments).items():
        results = results_of(folders)
        not_retrained = ""
        try:
            retrain_runs(results, quiet=execution.quiet)
        except ConfigError as error:
            not_retrained = error.remedy
        found[name] = ProbeResult(probes[name], calibrations[name], results, not_retrained)
    return {name: found[name] for name in probes}


def _run_parts(
    parts: Mapping[str, Mapping[str, Plan[RunConfig]]],
    what: str,
    out: Path,
    execution: Execution,
    experiments: Mapping[Path, Experiment],
    title: str = "",
) -> dict[str, list[RunFolder[RunConfig]]]:
    """Make the runs of several probes side by side, each in the folder ``out/name/what``."""
    from learnorder.execution.driver import run_plans

    plans = {
        str(Path(name, what, run)): plan for name, own in parts.items() for run, plan in own.items()
    }
    folders = []
    if plans:
        folders = run_plans(plans, out, execution, experiments=experiments, title=title)
    made = dict(zip(plans, folders, strict=True))
    return {name: [made[str(Path(name, what, run))] for run in own] for name, own in parts.items()}


def calibrated_by(probe: Probe, runs: list[RunFolder[RunConfig]]) -> Calibration:
    """Return the contrast that the calibration's runs decide on.

    Raises:
        ConfigError: They diverge, or see :func:`~learnorder.probe.result.calibrate`.
    """
    from learnorder.runs.opening import results_of

    require_ended(runs, "so the pattern has no contrast")
    found = {r.config.patch.contrast: results_of([r]) for r in runs if r.status == "finished"}
    if not found:
        raise ConfigError(
            "learning_rates",
            list(probe.rates),
            f"Training diverges at the small one, {probe.rates[0]:g}. Give smaller ones.",
        )
    patch, clean = (
        {contrast: _only(results, set_) for contrast, results in found.items()}
        for set_ in ("patch_only", "clean")
    )
    return calibrate(probe, patch, clean, next(iter(found.values())).chance())


def _only(results: Results, set_: str) -> float:
    """Return the final accuracy of a single run."""
    (value,) = results.final(results.arms[0], set_, "accuracy").values()
    return value


def calibration_plans(probe: Probe, image_size: tuple[int, int]) -> dict[str, Plan[RunConfig]]:
    """Return the runs that choose the pattern's contrast."""
    from learnorder.execution.driver import Plan
    from learnorder.runs.opening import CALIBRATION

    return {
        f"contrast-{setting_words(contrast)}": Plan(
            probe.calibration(contrast, image_size),
            {"experiment": CALIBRATION, "arm": f"contrast {setting_words(contrast)}"},
        )
        for contrast in probe.contrasts
    }


def arm_plans(
    probe: Probe, contrast: float, image_size: tuple[int, int]
) -> dict[str, Plan[RunConfig]]:
    """Return the runs of all arms, seed by seed."""
    from learnorder.execution.driver import Plan

    patch = probe.patch(contrast, image_size)
    return {
        f"{arm}-{setting_words(rate)}-seed{seed}": Plan(
            probe.run(arm, rate, seed, patch),
            {"experiment": "probe", "arm": arm, RATE: setting_words(rate)},
        )
        for seed in probe.seed_range()
        for arm, rate in probe.arms()
    }


def probe_plans(probe: Probe, size: tuple[int, int] | None = None) -> dict[str, Plan[RunConfig]]:
    """Return all runs, the arms at the middle contrast: what a dry run measures."""
    size = size or _image_size(probe)
    middle = probe.contrasts[len(probe.contrasts) // 2]
    calibration = calibration_plans(probe, size) if len(probe.contrasts) > 1 else {}
    return {**calibration, **arm_plans(probe, middle, size)}


def _image_size(probe: Probe) -> tuple[int, int]:
    from learnorder.data import load_images

    return load_images(probe.data).image_size


def _begun(probe: Probe, out: Path, minutes: float | None, execution: Execution) -> Probe:
    """Return the probe with as many epochs as the minutes buy, as measured when it began.

    Nothing is written where the folder holds runs of another probe, or the first are refused.
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
    probe = probe.lasting(budget.epochs)
    contrast, *others = probe.contrasts
    if others:
        find_folders(calibration_plans(probe, size), out / "calibration")
    else:
        find_folders(arm_plans(probe, contrast, size), out / "arms")
    budget.keep(out)
    return probe
