"""The experiments that test the paper's claims, at four scales.

======  ==========================================================  ============================
scale   what                                                        time
======  ==========================================================  ============================
demo    digits, and the theory with a few seeds                     about five minutes, 2 cores
laptop  10,000 CIFAR-10 images at 16×16, WRN-16-1; the theory       about two hours, 2 cores
thin    CIFAR-10, WRN-16-1, else as published; the theory           two days on two cores
paper   CIFAR-10, WRN-16-10, as published; the theory               days on a GPU
======  ==========================================================  ============================

``learnorder reproduce --scale SCALE`` runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from learnorder.config.settings import PatchConfig
from learnorder.errors import ConfigError
from learnorder.images import patch, plain
from learnorder.images.experiment import ImageExperiment
from learnorder.theory.config import MeasureConfig, NetworkConfig
from learnorder.theory.experiment import TheoryExperiment, phase_defaults

SEEDS = 6
"""The fewest with which a sign test reaches 95 %; it is used if a run never learns the patch."""


EXPERIMENT_TITLES = {
    "plain": "Images as they are",
    "patch": "Images with the patch",
    "unpatched": "The patch experiment without its patch",
    "theory": "Two-layer theory",
    "kappa": "Two-layer theory over κ",
    "steps": "Two-layer theory over d and ε1",
    "convolution": "Two-layer theory, shared filters",
}
"""Titles of the experiments."""


@dataclass(frozen=True)
class Reproduction:
    """The experiments that test the claims."""

    plain: ImageExperiment
    """Images without a patch (Figure 1, Table 1)."""
    patch: ImageExperiment
    """Images with the memorisable patch."""
    unpatched: ImageExperiment | None
    """The patch experiment without its patch; None if ``plain`` is the same."""
    theory: TheoryExperiment
    """The two-layer theory with separate blocks."""
    convolution: TheoryExperiment
    """The same with filters shared between the halves."""
    kappa: TheoryExperiment
    """The settings that the runs over κ share."""
    kappas: tuple[float, ...]
    """The values of κ."""
    steps: TheoryExperiment
    """The settings that the runs over d and ε1 share."""
    dimensions: tuple[int, ...]
    """The values of d, with κ = 1."""
    thresholds: tuple[float, ...]
    """The values of ε1, the training loss at which the learning rate is annealed."""

    def on(self, source: str) -> Reproduction:
        """Return the experiments on another copy of the same images, e.g. CIFAR-10 in Parquet.

        Raises:
            ConfigError: The recipe is not for CIFAR-10, and its settings would not fit.
        """
        default = self.plain.data.source
        if source == default:
            return self
        if not default.startswith("hub:"):
            raise ConfigError(
                "data.source",
                source,
                f"This scale uses {default}. For CIFAR-10 add --scale laptop or --scale paper; "
                "for other images see learnorder patch and learnorder plain.",
            )
        changes = {
            name: replace(experiment, data=replace(experiment.data, source=source))
            for name, experiment in vars(self).items()
            if isinstance(experiment, ImageExperiment)
        }
        return replace(self, **changes)

    def in_precision(self, precision: Literal["fp32", "bf16", "auto"]) -> Reproduction:
        """Return the experiments on images in another precision; see ``training.precision``."""
        changes = {
            name: replace(each, training=replace(each.training, precision=precision))
            for name, each in vars(self).items()
            if isinstance(each, ImageExperiment)
        }
        return replace(self, **changes)

    def seeded(self, seeds: int | None, first_seed: int | None) -> Reproduction:
        """Return the experiments on other seeds; None keeps each experiment's setting."""
        settings = {"seeds": seeds, "first_seed": first_seed}
        changes: dict[str, Any] = {name: v for name, v in settings.items() if v is not None}
        experiments = {
            name: replace(experiment, **changes)
            for name, experiment in vars(self).items()
            if isinstance(experiment, ImageExperiment | TheoryExperiment)
        }
        return replace(self, **experiments)

    def kappa_grid(self) -> Mapping[str, Sequence[float]]:
        """Return the values of κ as the grid of a phase diagram with one row."""
        grid = {"distribution.kappa": list(self.kappas)}
        return {**grid, "distribution.q0": [self.kappa.distribution.q0]}

    def steps_grid(self) -> Mapping[str, Sequence[float]]:
        """Return the values of d and ε1 as the grid of a phase diagram."""
        return {
            "distribution.d": list(self.dimensions), "algorithm.epsilon1": list(self.thresholds)
        }  # fmt: skip


def demo() -> Reproduction:
    """Digits without the control arm, and the theory on few seeds: about five minutes."""
    theory = TheoryExperiment()
    base = phase_defaults()
    over_kappa = replace(
        base,
        seeds=SEEDS,
        distribution=replace(base.distribution, p0=None),
        algorithm=replace(base.algorithm, weight_decay=1e-5, max_time=None),
        measure=MeasureConfig(per_decade=2),
    )
    return Reproduction(
        plain=_without_control(replace(plain.demo(), seeds=SEEDS)),
        patch=_without_control(replace(patch.demo(), seeds=SEEDS)),
        unpatched=None,
        theory=replace(theory, seeds=SEEDS),
        convolution=replace(theory, seeds=SEEDS, network=NetworkConfig("convolution")),
        kappa=over_kappa,
        kappas=(0.6, 0.8, 1.0),
        steps=replace(
            over_kappa,
            arms=("L-S",),
            distribution=replace(base.distribution, kappa=1.0),
        ),
        dimensions=(100, 200),
        thresholds=(0.12, 0.24),
    )


def _without_control(experiment: ImageExperiment) -> ImageExperiment:
    """Return an experiment without its fourth arm, which takes a quarter of the time."""
    return replace(experiment, arms=replace(experiment.arms, small_annealed=None))


def laptop() -> Reproduction:
    """CIFAR-10, and the theory on more seeds.

    The theory's seeds start at 100. Seeds from 0 are shown on the theory's pages and were seen
    before the tests of the claims were written.
    """
    base = demo()
    measure = replace(base.theory.measure, test_examples=100_000)
    over_kappa = replace(base.kappa.measure, test_examples=100_000)
    return Reproduction(
        plain=replace(plain.laptop(), seeds=SEEDS),
        patch=replace(patch.laptop(), seeds=SEEDS),
        unpatched=None,
        theory=replace(base.theory, seeds=24, first_seed=100, measure=measure),
        convolution=replace(base.convolution, seeds=10, first_seed=100),
        kappa=replace(base.kappa, seeds=10, first_seed=100, measure=over_kappa),
        kappas=(0.5, 0.6, 0.8, 1.0, 1.2),
        steps=replace(base.steps, seeds=10, first_seed=100),
        dimensions=(150, 300, 600),
        thresholds=(0.06, 0.12, 0.24),
    )


def thin() -> Reproduction:
    """The published patch experiment with a narrow network, and the same without its patch.

    The theory is as at laptop scale.
    """
    return replace(
        laptop(),
        plain=replace(plain.thin(), seeds=SEEDS),
        patch=replace(patch.thin(), seeds=SEEDS),
    )


def paper() -> Reproduction:
    """The published experiments on images; the theory as at laptop scale."""
    with_patch = replace(patch.paper(), seeds=SEEDS)
    return replace(
        laptop(),
        plain=replace(plain.paper(), seeds=SEEDS),
        patch=with_patch,
        unpatched=replace(with_patch, patch=PatchConfig()),
    )


SCALES: dict[str, Callable[[], Reproduction]] = {
    "demo": demo,
    "laptop": laptop,
    "thin": thin,
    "paper": paper,
}
