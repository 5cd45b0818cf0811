"""The verb ``probe``: calibrate a pattern, train the arms, retrain last layers, report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from learnorder.budget import epochs_within
from learnorder.claims import Verdict, verdict
from learnorder.claims.measures import POINTS, Measured, Unit
from learnorder.errors import ConfigError, LearnOrderError
from learnorder.order import PATCH_LEVEL
from learnorder.recipes.probe import FEWEST_EPOCHS, Probe
from learnorder.runs import require_ended, setting_words
from learnorder.statistics import estimate, paired_difference

if TYPE_CHECKING:
    from learnorder.results import Results
    from learnorder.runs import RunFolder
    from learnorder.sweep.driver import Plan

_SPENT_ON_EPOCHS = 0.8
"""Share of the time that training takes; retraining last layers takes most of the rest."""
RATE = "learning_rate.initial"
"""The setting that the probe varies, as labels name it."""


@dataclass(frozen=True)
class Calibration:
    """Which contrast the pattern has, and why.

    Attributes:
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast;
            empty where only one contrast was given.
        contrast: The one taken.
        memorised: Whether the small LR had the pattern at that contrast; None where only one
            contrast was given.
    """

    accuracy: Mapping[float, float]
    contrast: float
    memorised: bool | None

    @staticmethod
    def of(accuracy: Mapping[float, float]) -> Calibration:
        """Take the faintest contrast that was memorised, or the strongest where none was.

        >>> Calibration.of({0.1: 0.12, 0.2: 0.95, 0.4: 0.99}).contrast
        0.2
        """
        reached = [contrast for contrast, value in accuracy.items() if value >= PATCH_LEVEL]
        chosen = min(reached) if reached else max(accuracy)
        return Calibration(dict(accuracy), chosen, bool(reached))


@dataclass(frozen=True)
class Probed:
    """What a probe found.

    Attributes:
        probe: What was asked, with the epochs that the budget bought.
        calibration: The pattern's contrast.
        results: The runs of all arms.
        not_retrained: Why last layers were not retrained; empty where they were.
    """

    probe: Probe
    calibration: Calibration
    results: Results
    not_retrained: str = ""

    def too_large(self, arm: str) -> str:
        """Return in words how an arm failed to train; empty where it did not.

        A run that diverges stops; one that ends at no more than one and a half times the accuracy
        of guessing has lost what it had.
        """
        results, counts = self.results, self.results.counts(arm)
        if diverged := counts.get("diverged", 0):
            return f"diverged in {diverged} of {sum(counts.values())} runs, which are in no mean"
        clean, chance = results.final_estimate(arm, "clean", "accuracy"), results.chance()
        if clean.n and chance is not None and clean.mean <= 1.5 * chance:
            ends, guessing = (f"{100 * share:.0f} %" for share in (clean.mean, chance))
            return f"ends at {ends} on clean images, where guessing is at {guessing}"
        return ""

    def largest(self) -> float:
        """Return the largest learning rate at which the annealed arm trains, else the second."""
        for rate in reversed(self.probe.rates[1:]):
            arm = self.arm("annealed", rate)
            if arm is not None and self.results.counts(arm) and not self.too_large(arm):
                return rate
        return self.probe.rates[1]

    def arm(self, treatment: str, rate: float) -> str | None:
        """Return the name that an arm has among the results, None where it was left out."""
        wanted = {"arm": treatment, RATE: setting_words(rate)}
        return next((a for a in self.results.arms if self.results.labels(a) == wanted), None)


Quantity = Literal["order", "clean", "reliance"]
"""What statements compare: log10 of the pattern's epoch over the content's, or a final share."""
_ORDER = Unit("in log10 of epoch over epoch", 1.0, 2)


@dataclass(frozen=True)
class Carried:
    """A statement of the paper, tried on this network.

    Attributes:
        says: The statement.
        treatment: What is compared with the small LR: a large LR, annealed, or noise.
        quantity: What is compared.
        measured: What it compares, paired by seed.
        verdict: holds, does_not_hold or undecided; see :class:`~learnorder.claims.claim.Claim`.
    """

    says: str
    treatment: Literal["annealed", "noise"]
    quantity: Quantity
    measured: Measured
    verdict: Verdict


def carried(probed: Probed) -> list[Carried]:
    """Return which of the paper's statements hold for this network and these images.

    The small learning rate is the probe's first, the large one :meth:`Probed.largest`; statements
    whose arms were not run are left out, and those of which no seed has both are undecided.
    """
    small, large = probed.probe.rates[0], probed.largest()
    a, b = f"LR {large:g}, annealed,", f"LR {small:g}"
    says: dict[tuple[Literal["annealed", "noise"], Quantity], str] = {
        ("annealed", "order"): f"{a} moves the order towards the content first, against {b}.",
        ("annealed", "clean"): f"{a} ends with higher accuracy on clean images than {b}.",
        ("annealed", "reliance"): f"{a} ends leaning on the pattern less than {b}.",
        ("noise", "order"): f"Noise moves the order of {b} towards the content first.",
        ("noise", "clean"): f"Noise raises the final accuracy of {b} on clean images.",
        ("noise", "reliance"): f"Noise makes {b} lean on the pattern less.",
    }
    arms = {
        "annealed": probed.arm("annealed", large),
        "noise": probed.arm("constant_noise", small),
    }
    constant, found = probed.arm("constant", small), []
    for (treatment, quantity), statement in says.items():
        arm = arms[treatment]
        if arm is None or constant is None:
            continue
        ours, theirs = (_by_seed(probed.results, each, quantity) for each in (arm, constant))
        by_seed = {seed: ours[seed] - theirs[seed] for seed in ours.keys() & theirs.keys()}
        unit = _ORDER if quantity == "order" else POINTS
        measured = Measured(paired_difference(ours, theirs), 0.0, unit, by_seed)
        decided = verdict(measured, "below" if quantity == "reliance" else "above")
        found.append(Carried(statement, treatment, quantity, measured, decided))
    return found


def _by_seed(results: Results, arm: str, quantity: Quantity) -> dict[int, float]:
    if quantity == "order":
        return results.order_ratio(arm)
    return results.final(arm, *_QUANTITIES[quantity])


def run_probe(
    probe: Probe | None = None,
    out: Path | str = "runs/probe",
    *,
    minutes: float | None = None,
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Probed:
    """Plant a pattern in images, and see which arms of a network learn it when and lean on it.

    The pattern's contrast is calibrated first (:class:`Calibration`). Then every arm is trained,
    each finished network's last layer is retrained on clean images
    (:func:`~learnorder.last_layer.retrain_last_layer`), and report.html and probe.json are written.
    The same call continues what was stopped.

    Args:
        probe: What to run; None takes the defaults, on digits.
        out: Gets the folders calibration and arms, report.html and probe.json.
        minutes: About how long it may take, as measured on this machine when it begins: runs get
            as many epochs as fit, at most ``probe.training.epochs``.
        workers: Runs at once; None uses the cores there are.
        threads: Threads of each run; None shares the cores out.
        quiet: Draw no progress.

    Raises:
        ConfigError: A setting that the data or the network refuses, or a budget that is too small.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.report import write_probe

    out, probe = Path(out), probe or Probe()
    how: dict[str, Any] = {"workers": workers, "threads": threads}
    probe = _begun(probe, out, minutes, how)
    probed = make_probes({"": probe}, out, **how, quiet=quiet)[""]
    if not isinstance(probed, Probed):
        raise probed
    write_probe(probed, out)
    return probed


def make_probes(
    probes: Mapping[str, Probe], out: Path, **how: Any
) -> dict[str, Probed | LearnOrderError]:
    """Calibrate, train and retrain; each probe in a folder of its name.

    Args:
        probes: By the names of their folders; "" is ``out`` itself.
        out: Where the folders go.
        how: As :func:`~learnorder.sweep.driver.run_plans` takes it.

    Returns:
        What each found, or why its calibration came to nothing.
    """
    from learnorder.reading import results_of, retrain_runs
    from learnorder.sweep.driver import check

    sizes = {name: _image_size(probe) for name, probe in probes.items()}
    calibrated = {name: probe for name, probe in probes.items() if len(probe.contrasts) > 1}
    for name, probe in calibrated.items():
        if not (out / name / "calibration").exists():  # arms are refused before it, not after
            check(arm_plans(probe, probe.contrasts[0], sizes[name]), how.get("engine"))
    plans = {name: calibration_plans(probe, sizes[name]) for name, probe in calibrated.items()}
    runs = _run_parts(plans, "calibration", out, title="Calibration", **how)
    calibrations = {name: Calibration({}, p.contrasts[0], None) for name, p in probes.items()}
    found = dict[str, Probed | LearnOrderError]()
    for name, probe in calibrated.items():
        try:
            calibrations[name] = _calibrated(probe, runs[name])
        except LearnOrderError as error:
            found[name] = error
    plans = {
        name: arm_plans(probe, calibrations[name].contrast, sizes[name])
        for name, probe in probes.items()
        if name not in found
    }
    for name, folders in _run_parts(plans, "arms", out, **how).items():
        results = results_of(folders)
        not_retrained = ""
        try:
            retrain_runs(results, quiet=how["quiet"])
        except ConfigError as error:
            not_retrained = error.remedy
        found[name] = Probed(probes[name], calibrations[name], results, not_retrained)
    return {name: found[name] for name in probes}


def _run_parts(
    parts: Mapping[str, Mapping[str, Plan]], what: str, out: Path, **how: Any
) -> dict[str, list[RunFolder]]:
    """Make the runs of several probes side by side, each in the folder ``out/name/what``."""
    from learnorder.sweep import run_plans

    plans = {
        str(Path(name, what, run)): plan for name, own in parts.items() for run, plan in own.items()
    }
    made = dict(zip(plans, run_plans(plans, out, **how), strict=True)) if plans else {}
    return {name: [made[str(Path(name, what, run))] for run in own] for name, own in parts.items()}


def _calibrated(probe: Probe, runs: list[RunFolder]) -> Calibration:
    """Return the contrast that the calibration's runs speak for."""
    from learnorder.reading import results_of

    require_ended(runs, "so the pattern has no contrast")
    found = {r.config.patch.contrast: results_of([r]) for r in runs if r.status == "finished"}
    if not found:
        raise ConfigError(
            "learning_rates",
            list(probe.rates),
            f"Training diverges at the small one, {probe.rates[0]:g}. Give smaller ones.",
        )
    return Calibration.of({c: next(iter(_patch_only(r).values())) for c, r in found.items()})


def _patch_only(results: Results) -> dict[int, float]:
    return results.final(results.arms[0], "patch_only", "accuracy")


def calibration_plans(probe: Probe, image_size: tuple[int, int]) -> dict[str, Plan]:
    """Return the runs that choose the pattern's contrast."""
    from learnorder.reading import CALIBRATION
    from learnorder.sweep.driver import Plan

    return {
        f"contrast-{setting_words(contrast)}": Plan(
            probe.calibration(contrast, image_size),
            {"experiment": CALIBRATION, "arm": f"contrast {setting_words(contrast)}"},
        )
        for contrast in probe.contrasts
    }


def arm_plans(probe: Probe, contrast: float, image_size: tuple[int, int]) -> dict[str, Plan]:
    """Return the runs of all arms, seed by seed."""
    from learnorder.sweep.driver import Plan

    patch = probe.patch(contrast, image_size)
    return {
        f"{treatment}-{setting_words(rate)}-seed{seed}": Plan(
            probe.run(treatment, rate, seed, patch),
            {"experiment": "probe", "arm": treatment, RATE: setting_words(rate)},
        )
        for seed in probe.seed_range()
        for treatment, rate in probe.arms()
    }


def probe_plans(probe: Probe, size: tuple[int, int] | None = None) -> dict[str, Plan]:
    """Return all runs, the arms at the middle contrast: what a dry run measures."""
    size = size or _image_size(probe)
    middle = probe.contrasts[len(probe.contrasts) // 2]
    calibration = calibration_plans(probe, size) if len(probe.contrasts) > 1 else {}
    return {**calibration, **arm_plans(probe, middle, size)}


def _image_size(probe: Probe) -> tuple[int, int]:
    from learnorder.data import load_images

    return load_images(probe.data).image_size


def _begun(probe: Probe, out: Path, minutes: float | None, how: Mapping[str, Any]) -> Probe:
    """Return the probe with as many epochs as the minutes buy, as measured when it began.

    Nothing is written where the folder holds runs of another probe, or the first are refused.
    """
    from learnorder.sweep.driver import find_folders

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
        **how,
    )
    probe = probe.lasting(budget.epochs)
    contrast, *others = probe.contrasts
    if others:
        find_folders(calibration_plans(probe, size), out / "calibration")
    else:
        find_folders(arm_plans(probe, contrast, size), out / "arms")
    budget.keep(out)
    return probe


def to_json(probed: Probed) -> str:
    """Return the text of probe.json: what the pattern was, and each arm's final numbers."""
    results, arms = probed.results, []
    for arm in results.arms:
        row: dict[str, Any] = {**results.labels(arm), "status": results.counts(arm)}
        for name, (set_, quantity) in _QUANTITIES.items():
            row[name] = _numbers(results.final(arm, set_, quantity))
        for what in ("content", "patch"):
            row[f"{what}_learned_at"] = {str(s): e for s, e in results.learned(arm, what).items()}
        row["last_layer"] = {str(s): asdict(one) for s, one in results.last_layers(arm).items()}
        arms.append(row)
    calibration = asdict(probed.calibration)
    calibration["accuracy"] = {f"{c:g}": v for c, v in probed.calibration.accuracy.items()}
    tried = [
        {"says": each.says, "verdict": each.verdict, "unit": each.measured.unit.name,
         **_numbers(each.measured.by_seed)}
        for each in carried(probed)
    ]  # fmt: skip
    found = {
        "epochs": probed.probe.training.epochs,
        "calibration": calibration,
        "carried": tried,
        "arms": arms,
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


_QUANTITIES = {
    "clean": ("clean", "accuracy"),
    "mixed": ("mixed", "accuracy"),
    "patch_only": ("patch_only", "accuracy"),
    "content_on_conflict": ("conflict", "share_content"),
    "reliance": ("conflict", "reliance"),
}


def _numbers(by_seed: Mapping[int, float]) -> dict[str, Any]:
    e = estimate(list(by_seed.values()))
    values = {"mean": e.mean, "low": e.low, "high": e.high}
    numbers = {name: None if math.isnan(v) else v for name, v in values.items()}
    return {**numbers, "n": e.n, "by_seed": {str(s): v for s, v in by_seed.items()}}
