"""Mohtashami, Jaggi and Stich (2022): a large LR matters by itself, not for its gradient noise.

Arms at an LR L and at L/8, with 8 times the steps, by full batches and by SGD. Another arm at L/8
has mini-batches an eighth as large: its steps then have the same covariance of gradient noise, per
product of LR and steps, as those of SGD at L (10 % more, since images are drawn without
replacement). The networks have no batch norm, such that the batch size matters by this noise only.

L was chosen on seeds 1000 to 1007 and another draw of the validation split, without looking at
validation accuracies: it is the largest of 0.1, 0.2, 0.4 and 0.8 at which SGD and full batches end
with a training accuracy of 99 % or more on all seeds. At 0.8, runs of SGD diverge. The gpu scale
has not been tried.
"""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.config.settings import TaskRunConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.papers.literature import gradient_noise
from learnorder.reproduce.papers.literature.gradient_noise import (
    FIGURES,
    SHARPNESS,
    Setup,
    difference,
    fitted,
)
from learnorder.reproduce.papers.paper import Experiments, Paper

EPOCHS = 30
RATES = {"mlp": 0.4, "convnet": 0.4}
"""The large LR of each experiment on digits."""
FACTOR = 8
"""The large LR over the small one."""
GD, SLOW_GD = "full batch, large LR", "full batch, small LR"
SGD, SLOW_SGD = "SGD, large LR", "SGD, small LR"
NOISY = "SGD, small LR, noise of the large LR"


def _arms(setup: Setup) -> Mapping[str, TaskRunConfig]:
    return {
        GD: setup.run(setup.images),
        SLOW_GD: setup.run(setup.images, slower=FACTOR),
        SGD: setup.run(setup.batch),
        SLOW_SGD: setup.run(setup.batch, slower=FACTOR),
        NOISY: setup.run(setup.batch // FACTOR, slower=FACTOR),
    }


def laptop() -> Experiments:
    """Digits: 240 training images, in mini-batches of 24, or of 3."""
    return gradient_noise.laptop(_arms, RATES, EPOCHS)


def gpu() -> Experiments:
    """CIFAR-10: 10,000 training images, in mini-batches of 80, or of 10."""
    return gradient_noise.gpu(_arms, dict.fromkeys(RATES, 0.1), EPOCHS)


def _claims(name: str, words: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""
    return (
        Claim(
            f"full-batch-{name}",
            "Trained by full batches, without gradient noise, a network generalises better at a "
            f"large LR than at an eighth of it with 8 times the steps ({words}).",
            "abstract",
            difference(name, GD, SLOW_GD),
            "above",
            (name, "accuracy"),
            of="A large LR generalises better without gradient noise, too",
            also=(difference(name, GD, SLOW_GD, SHARPNESS), *fitted(name, GD, SLOW_GD)),
        ),
        Claim(
            f"sgd-{name}",
            "Trained by SGD, a network generalises better at a large LR than at an eighth of it "
            f"with 8 times the steps ({words}).",
            "abstract",
            difference(name, SGD, SLOW_SGD),
            "above",
            (name, "accuracy"),
            of="A large LR generalises better with SGD",
            also=(difference(name, SGD, SLOW_SGD, SHARPNESS), *fitted(name, SGD, SLOW_SGD)),
        ),
        Claim(
            f"noise-is-not-all-{name}",
            "SGD at an eighth of the LR generalises worse than at a large LR even if smaller "
            f"batches give it the same gradient noise ({words}).",
            "abstract, introduction",
            difference(name, SGD, NOISY),
            "above",
            (name, "accuracy"),
            of="Gradient noise does not replace a large LR",
            also=(difference(name, NOISY, SLOW_SGD), *fitted(name, NOISY)),
        ),
    )


PAPER = Paper(
    name="mohtashami2022",
    title="Special Properties of Gradient Descent with Large Learning Rates",
    authors=("Mohtashami", "Jaggi", "Stich"),
    venue="ICML 2023",
    arxiv="2205.15142",
    about="Mohtashami, Jaggi and Stich (2022) claim that a large learning rate (LR) matters by "
    "itself: its benefit is also found in full-batch gradient descent, and the gradient noise of "
    "SGD does not explain it. Here a large LR and an eighth of it are compared at the same product "
    "of LR and steps, by full batches and by SGD, also with the same gradient noise.",
    differs="The paper's abstract and introduction were checked, its experiments were not: its way "
    "to add gradient noise at a small LR may be another than smaller batches. Here networks are "
    "small and without batch norm, LRs are constant, and there is neither momentum nor weight "
    "decay. 240 digits are used, since full batches are costly. Per product of LR and steps, the "
    "smaller batches at the small LR have 10 % more variance than SGD at the large one. Where SGD "
    "gains nothing from the large LR, there is nothing for gradient noise to replace. By full "
    "batches the small LR, too, is near the edge of stability for a while in the ConvNet (LR times "
    "sharpness / 2 up to 1.1). All seeds have the same 240 training and 480 validation images: a "
    "point is 4.8 images, and other images may give other differences.",
    claims=(*_claims("mlp", "MLP"), *_claims("convnet", "ConvNet")),
    titles={
        "mlp": "MLP on digits, by full batches and SGD",
        "convnet": "Convolutional network on digits, by full batches and SGD",
    },
    scales={"laptop": laptop, "gpu": gpu},
    figures=FIGURES,
    leads=("accuracy",),
)
