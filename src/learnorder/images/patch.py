"""The paper's patch experiment (section 6.2) at four scales.

=======  ======================================================  =========================
scale    data and network                                        time
=======  ======================================================  =========================
demo     600 of scikit-learn's 8×8 digits, WRN-10-1, 60 epochs   about 2 minutes, 2 cores
laptop   10,000 CIFAR-10 images at 16×16, WRN-16-1, 30 epochs    about 5 minutes a run and core
thin     as published, but WRN-16-1, in bf16                     75 minutes a run and core
paper    CIFAR-10, WRN-16-10, 60 epochs, as published            6 minutes a run on an H100
=======  ======================================================  =========================

``learnorder patch --scale SCALE`` runs one; ``docs/how-to/patch.md`` shows its results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from learnorder.config.settings import DataConfig, ModelConfig, PatchConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.images.experiment import Arm, Arms, ImageExperiment
from learnorder.schedules import Schedule


def paper() -> ImageExperiment:
    """The published recipe (the paper's code, ``train_patches.py``), and a control."""
    small = Schedule(0.004)
    return ImageExperiment(
        data=DataConfig(source="hub:uoft-cs/cifar10"),
        model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 10}),
        patch=PatchConfig(eligible_share=0.8),
        training=TrainingConfig(epochs=60, batch_size=128),
        arms=Arms(
            large=Arm(Schedule(0.1, step_epochs=(30,), step_factor=0.04)),
            small=Arm(small),
            small_noise=Arm(small, NoiseConfig(Schedule(0.4, step_epochs=(30,), step_factor=0.0))),
            small_annealed=Arm(Schedule(0.004, step_epochs=(30,), step_factor=0.04)),
        ),
    )


def thin() -> ImageExperiment:
    """The published recipe with a network that is ten times narrower, in bf16.

    Images, batch size, epochs, learning rates, noise and patch are the published ones, so nothing
    was chosen.
    """
    base = paper()
    return replace(
        base,
        model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 1}),
        training=replace(base.training, precision="bf16"),
    )


def laptop() -> ImageExperiment:
    """The published recipe on fewer, smaller images and a narrow network.

    Learning rates, anneal, noise and contrast were chosen by 29 runs of ``learnorder sweep`` on
    validation images and seed 1000, with and without the patch. The large learning rate ends with a
    high accuracy and does not learn the patch before its anneal; at this contrast, the small one
    memorises the patch at once. Over the run, the noise falls by the same factor as the decay of
    0.995 per epoch in the published code does over 200 epochs.
    """
    base = paper()
    small = Schedule(0.02)
    return replace(
        base,
        data=replace(base.data, train_examples=10_000, evaluation_examples=4_000, resolution=16),
        model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 1}),
        patch=replace(base.patch, size=4, contrast=0.3),
        training=replace(base.training, epochs=30, batch_size=64),
        arms=Arms(
            large=Arm(Schedule(0.7, step_epochs=(12,), step_factor=0.0286)),
            small=Arm(small),
            small_noise=Arm(small, NoiseConfig(Schedule(0.8, decay=0.97))),
            small_annealed=Arm(Schedule(0.02, step_epochs=(12,), step_factor=0.0286)),
        ),
    )


def demo() -> ImageExperiment:
    """The effect in two minutes, on 600 of scikit-learn's digits.

    Learning rates, noise and contrast were chosen with ``learnorder sweep`` on 600 other training
    images as validation split and seeds 1000 to 1003, so that the small learning rate memorises the
    pattern at once and the large one only after its anneal.
    """
    base = laptop()
    small = Schedule(0.02)
    return replace(
        base,
        data=DataConfig(source="digits", train_examples=600),
        model=ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1}),
        patch=replace(base.patch, size=3, contrast=0.9),
        training=replace(base.training, epochs=60, batch_size=32),
        arms=Arms(
            large=Arm(Schedule(1.0, step_epochs=(20,), step_factor=0.02)),
            small=Arm(small),
            small_noise=Arm(small, NoiseConfig(Schedule(0.8, step_epochs=(20,), step_factor=0.0))),
            small_annealed=Arm(Schedule(0.02, step_epochs=(20,), step_factor=0.02)),
        ),
    )


SCALES: dict[str, Callable[[], ImageExperiment]] = {
    "demo": demo,
    "laptop": laptop,
    "thin": thin,
    "paper": paper,
}
