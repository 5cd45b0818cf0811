"""The paper's comparison without a patch or augmentation (Figure 1, Table 1).

===============  ======================================================  =========================
scale            data and network                                        time
===============  ======================================================  =========================
demo             600 of scikit-learn's 8×8 digits, WRN-10-1, 60 epochs   about 2 minutes, 2 cores
laptop           10,000 CIFAR-10 images at 16×16, WRN-16-1, 30 epochs    4 minutes a run and core
laptop_cifar100  the same of CIFAR-100                                   the same
thin             CIFAR-10, WRN-16-1, 60 epochs, in bf16                 an hour a run and core
paper            CIFAR-10, WRN-16-10, 200 epochs, as published           20 minutes a run on an H100
paper_cifar100   the same of CIFAR-100                                   the same
===============  ======================================================  =========================

At scales demo, laptop and thin, runs differ from those of the patch experiment only in the patch.
``learnorder plain --scale SCALE`` runs one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from learnorder.config.settings import PatchConfig
from learnorder.config.training import NoiseConfig
from learnorder.images import patch
from learnorder.images.experiment import Arm, Arms, ImageExperiment
from learnorder.schedules import Schedule


def paper() -> ImageExperiment:
    """The published recipe (the paper's code, ``train_cifar.py --no_augment``), as far as known.

    The noise schedule of Table 1 was not published. The initial level is that of the patch
    experiment, and the decay is the published code's default, 0.995 per epoch.
    """
    base = patch.paper()
    small = Schedule(0.01)
    return replace(
        base,
        patch=PatchConfig(),
        training=replace(base.training, epochs=200),
        arms=Arms(
            large=Arm(Schedule(0.1, step_epochs=(60, 120, 150), step_factor=0.2)),
            small=Arm(small),
            small_noise=Arm(small, NoiseConfig(Schedule(0.4, decay=0.995))),
            small_annealed=Arm(Schedule(0.01, step_epochs=(60, 120, 150), step_factor=0.2)),
        ),
    )


def laptop() -> ImageExperiment:
    """The patch experiment's laptop scale without its patch."""
    return replace(patch.laptop(), patch=PatchConfig())


def thin() -> ImageExperiment:
    """The patch experiment's thin scale without its patch."""
    return replace(patch.thin(), patch=PatchConfig())


def demo() -> ImageExperiment:
    """The patch experiment's demo without its patch."""
    return replace(patch.demo(), patch=PatchConfig())


def _of_cifar100(base: ImageExperiment) -> ImageExperiment:
    data = replace(base.data, source="hub:uoft-cs/cifar100", label_column="fine_label")
    return replace(base, data=data)


SCALES: dict[str, Callable[[], ImageExperiment]] = {
    "demo": demo,
    "laptop": laptop,
    "laptop_cifar100": lambda: _of_cifar100(laptop()),
    "thin": thin,
    "paper": paper,
    "paper_cifar100": lambda: _of_cifar100(paper()),
}
