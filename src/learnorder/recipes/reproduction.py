"""All of the paper's experiments at one scale, whose results decide its claims.

======  ==========================================================  ============================
scale   what                                                        time
======  ==========================================================  ============================
demo    digits, and the theory with a few seeds                     about five minutes, 2 cores
laptop  10,000 CIFAR-10 images at 16×16, WRN-16-1; the theory       an hour and a half, 2 cores
paper   CIFAR-10, WRN-16-10, as published; the theory               days on a GPU
======  ==========================================================  ============================

``learnorder reproduce --scale SCALE`` runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from learnorder.errors import ConfigError
from learnorder.recipes import patch, plain
from learnorder.recipes.images import ImageExperiment
from learnorder.recipes.theory import TheoryExperiment, phase_defaults
from learnorder.theory.config import MeasureConfig, NetworkConfig

SEEDS = 6
"""The fewest with which a sign test can decide at 95 %, where a run never learns the patch."""


EXPERIMENT_TITLES = {
    "plain": "Images as they are",
    "patch": "Images with the patch",
    "theory": "Two-layer theory",
    "kappa": "Two-layer theory over κ",
    "convolution": "Two-layer theory, shared filters",
}
"""Words for the experiments."""


@dataclass(frozen=True)
class Reproduction:
    """The experiments that the claims are judged by."""

    plain: ImageExperiment
    """Images as they are (Figure 1, Table 1)."""
    patch: ImageExperiment
    """Images with the memorisable patch."""
    theory: TheoryExperiment
    """The two-layer theory with separate blocks."""
    convolution: TheoryExperiment
    """The same with filters shared over the halves."""
    kappa: TheoryExperiment
    """What the runs over κ share."""
    kappas: tuple[float, ...]
    """The values of κ."""

    def on(self, source: str) -> Reproduction:
        """Return the same on other images, e.g. CIFAR-10 in Parquet files."""

        def moved(experiment: ImageExperiment) -> ImageExperiment:
            return replace(experiment, data=replace(experiment.data, source=source))

        return replace(self, plain=moved(self.plain), patch=moved(self.patch))

    def seeded(self, seeds: int | None, first_seed: int) -> Reproduction:
        """Return the same on other seeds; None keeps how many each experiment has."""

        def count(own: int) -> int:
            return own if seeds is None else seeds

        if seeds is not None and seeds < 1:
            raise ConfigError("seeds", seeds, "Give at least 1; a verdict needs 2.")
        return Reproduction(
            plain=replace(self.plain, seeds=count(self.plain.seeds), first_seed=first_seed),
            patch=replace(self.patch, seeds=count(self.patch.seeds), first_seed=first_seed),
            theory=replace(self.theory, seeds=count(self.theory.seeds), first_seed=first_seed),
            convolution=replace(
                self.convolution, seeds=count(self.convolution.seeds), first_seed=first_seed
            ),
            kappa=replace(self.kappa, seeds=count(self.kappa.seeds), first_seed=first_seed),
            kappas=self.kappas,
        )

    def kappa_grid(self) -> Mapping[str, Sequence[float]]:
        """Return the runs over κ as the grid of a phase diagram with one row."""
        grid = {"distribution.kappa": list(self.kappas)}
        return {**grid, "distribution.q0": [self.kappa.distribution.q0]}


def demo() -> Reproduction:
    """The claims in about five minutes."""
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
        plain=replace(plain.demo(), seeds=SEEDS),
        patch=replace(patch.demo(), seeds=SEEDS),
        theory=replace(theory, seeds=SEEDS),
        convolution=replace(theory, seeds=SEEDS, network=NetworkConfig("convolution")),
        kappa=over_kappa,
        kappas=(0.6, 0.8, 1.0),
    )


def laptop() -> Reproduction:
    """The claims on CIFAR-10, and the theory on more seeds."""
    base = demo()
    measure = replace(base.theory.measure, test_examples=100_000)
    over_kappa = replace(base.kappa.measure, test_examples=100_000)
    return Reproduction(
        plain=replace(plain.laptop(), seeds=SEEDS),
        patch=replace(patch.laptop(), seeds=SEEDS),
        theory=replace(base.theory, seeds=24, measure=measure),
        convolution=replace(base.convolution, seeds=10),
        kappa=replace(base.kappa, seeds=10, measure=over_kappa),
        kappas=(0.5, 0.6, 0.8, 1.0, 1.2),
    )


def paper() -> Reproduction:
    """The experiments on images as published; the theory as on a laptop."""
    base = laptop()
    return replace(
        base,
        plain=replace(plain.paper(), seeds=SEEDS),
        patch=replace(patch.paper(), seeds=SEEDS),
    )


SCALES: dict[str, Callable[[], Reproduction]] = {"demo": demo, "laptop": laptop, "paper": paper}
