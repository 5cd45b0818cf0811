"""Li, Wei and Ma (2019) in other settings: augmentation, no batch norm, other images.

Learning rates were chosen on a validation split of the training images, on seed 1000. The small one
is the best on validation images of 0.02, 0.05 and 0.1 among those that fit at least 95 % of the
training images at a constant LR. The large one is ten times the small one, as in the paper's Figure
1. With augmentation both are those without, so that only the augmentation differs. Without batch
norm, ten and five times the small one stayed at chance and the large one is twice the small one.
The patch has the smallest contrast of 0.3, 0.6 and 0.9 at which the small LR memorises it before
the epoch of the anneal; no run with a large LR was used for it.
"""

from __future__ import annotations

from dataclasses import replace

from learnorder.config.settings import DataConfig, ModelConfig, PatchConfig
from learnorder.images import patch
from learnorder.images.experiment import ImageExperiment
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.claims import CLAIMS
from learnorder.reproduce.measures import Difference, Level, Value
from learnorder.reproduce.papers.literature import li2019
from learnorder.reproduce.papers.measures import Gain
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule

SEEDS, PATCH_SEEDS = 5, 6
"""A sign test, for runs that never learn the patch, needs six."""
_IMAGES = "learnorder.reproduce.papers.images"
_CONVNET = ModelConfig("ConvNet")
_UNNORMALISED = ModelConfig("ConvNet", {"normalised": False})
_TITLES = {
    "unaugmented": "CIFAR-10 without augmentation",
    "augmented": "CIFAR-10 with random crops and flips",
    "plain": "MNIST",
    "patch": "MNIST with the patch",
    "normalised": "CIFAR-10, ConvNet with batch norm",
    "normalised_twice": "CIFAR-10, ConvNet with batch norm, a large LR of twice the small one",
    "unnormalised": "CIFAR-10, ConvNet without batch norm",
}
_SMALL = {
    "unaugmented": 0.05,
    "augmented": 0.05,
    "plain": 0.1,
    "patch": 0.1,
    "normalised": 0.05,
    "normalised_twice": 0.05,
    "unnormalised": 0.1,
}
"""The small LR of each experiment at laptop scale."""
_TWICE = ("normalised_twice", "unnormalised")
"""Experiments whose large LR is twice the small one."""


def laptop() -> Experiments:
    """3,000 images of CIFAR-10 at 16×16, or 2,000 digits at 14×14; WRN-10-1 or ConvNet."""
    base = patch.laptop()
    base = replace(
        base,
        data=replace(base.data, train_examples=3_000, evaluation_examples=1_000),
        model=ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1}),
        patch=replace(base.patch, contrast=0.9),
    )
    experiments = _experiments(base, "WRN-10-1", digits=14)
    return {
        name: _arms(experiment, setting, _SMALL[name], 2 if name in _TWICE else 10, anneal=12)
        for name, (experiment, setting) in experiments.items()
    }


def gpu() -> Experiments:
    """All of CIFAR-10 at full size, or 2,000 digits at 28×28; WRN-16-10 or ConvNet, 60 epochs."""
    experiments = _experiments(patch.paper(), "WRN-16-10", digits=28)
    return {
        name: _arms(experiment, setting, 0.004, 2 if name in _TWICE else 25, anneal=30)
        for name, (experiment, setting) in experiments.items()
    }


def _experiments(
    base: ImageExperiment, network: str, digits: int
) -> dict[str, tuple[ImageExperiment, str]]:
    """Return all experiments with their setting in words.

    Args:
        base: The paper's patch experiment on CIFAR-10.
        network: Its network, in words.
        digits: Side of the digits in pixels.
    """
    cifar = replace(base, patch=PatchConfig())
    augmented = replace(base.data, augmentation=f"{_IMAGES}.crop_and_flip")
    mnist = DataConfig(f"function:{_IMAGES}.mnist", train_examples=2_000, resolution=digits)
    with_patch = replace(base, data=mnist)
    return {
        "unaugmented": (cifar, f"{network}, SGD, CIFAR-10"),
        "augmented": (replace(cifar, data=augmented), f"{network}, SGD, augmented CIFAR-10"),
        "plain": (replace(with_patch, patch=PatchConfig()), f"{network}, SGD, MNIST"),
        "patch": (with_patch, f"{network}, SGD, MNIST"),
        "normalised": (replace(cifar, model=_CONVNET), "ConvNet, SGD, CIFAR-10"),
        "normalised_twice": (replace(cifar, model=_CONVNET), "ConvNet, SGD, CIFAR-10"),
        "unnormalised": (
            replace(cifar, model=_UNNORMALISED), "ConvNet without norm, SGD, CIFAR-10"
        ),
    }  # fmt: skip


def _arms(
    experiment: ImageExperiment, setting: str, small: float, factor: int, anneal: int
) -> PaperExperiment:
    """Return the arms: the large LR, annealed to the small one; the small one, annealed too or not.

    Args:
        experiment: The experiment.
        setting: It, in words.
        small: The small LR.
        factor: How many times as large the large one is. Both are annealed by it.
        anneal: Last epoch before the anneal.
    """
    run = experiment.run("small", seed=0)
    rates = {
        "large": Schedule(factor * small, (anneal,), 1 / factor),
        "small": Schedule(small),
        "small_annealed": Schedule(small, (anneal,), 1 / factor),
    }
    arms = {arm: replace(run, learning_rate=rate) for arm, rate in rates.items()}
    return PaperExperiment(arms, setting, PATCH_SEEDS if run.patch.planted else SEEDS)


_OUTSIDE = "– (outside the paper's setting)"
_OF_LI = {claim.name: claim for claim in CLAIMS}


def _ahead(experiment: str, statement: str) -> Claim:
    """Return the claim that the large LR ends ahead on CIFAR-10, with its preconditions."""
    small_before, large_before = (
        Value(experiment, arm, "train", when="before_anneal") for arm in ("small", "large")
    )
    return Claim(
        f"final-accuracy-{experiment}",
        statement,
        _OUTSIDE,
        Difference(Value(experiment, "large"), Value(experiment, "small")),
        "above",
        (experiment, "clean"),
        also=(
            Level(Value(experiment, "small", "train"), 0.0),
            Level(Value(experiment, "large", "train"), 0.0),
            Difference(small_before, large_before),
        ),
        of=statement.partition(" (")[0].rstrip("."),
    )


def _annealed(experiment: str, where: str) -> Claim:
    """Return the claim that the large LR also ends ahead of a small one that is annealed."""
    claim = _OF_LI["final-accuracy-annealed"]
    annealed = Value(experiment, "small_annealed")
    return replace(
        claim,
        name=f"{claim.name}-{experiment}",
        statement=f"{claim.statement.rstrip('.')} ({where}).",
        source=_OUTSIDE,
        measure=Difference(Value(experiment, "large"), annealed),
        figure=(experiment, "clean"),
        also=(Difference(annealed, Value(experiment, "small")),),
        of=claim.statement.rstrip("."),
    )


def _lowers(what: str, changed: str, base: str) -> Claim:
    """Return the claim that a change of the setting lowers the gain from a large LR.

    Args:
        what: The change.
        changed: The experiment with it.
        base: The experiment without it.
    """
    gain, before, annealed, annealed_before = (
        Gain(Value(name, "large"), Value(name, small))
        for small in ("small", "small_annealed")
        for name in (changed, base)
    )
    gained = "lowers the gain of a large initial LR, annealed, over a small one"
    return Claim(
        f"gain-{changed}",
        f"{what} {gained}.",
        _OUTSIDE,
        Difference(gain, before),
        "below",
        (changed, "clean"),
        also=(Difference(annealed, annealed_before),),
        of=f"{what} {gained}",
    )


def _on_mnist(name: str) -> Claim:
    """Return a claim of the paper about MNIST."""
    claim = _OF_LI[name]
    return replace(
        claim,
        name=f"{name}-mnist",
        statement=f"{claim.statement.rstrip('.')} (MNIST).",
        source=_OUTSIDE,
        reported="–",
        also=(),
        of=claim.statement.rstrip("."),
    )


def _by_choice(claim: Claim) -> Claim:
    """Return a claim that the patch was chosen for: it shows that the choice holds on new seeds."""
    return replace(claim, source="– (outside the paper's setting; the patch was chosen for it)")


_WITHOUT = _OF_LI["final-accuracy"].statement.rstrip(".")

PAPER = Paper(
    name="li2019_settings",
    title=li2019.PAPER.title,
    authors=li2019.PAPER.authors,
    venue=li2019.PAPER.venue,
    arxiv=li2019.PAPER.arxiv,
    setting="in other settings",
    about="Li, Wei and Ma (2019) compare a large learning rate (LR), annealed, with a small one in "
    "wide residual networks with batch norm, on CIFAR-10 without augmentation. Here the comparison "
    "is repeated with one thing changed: with random crops and flips, in a convolutional network "
    "without batch norm, and on the digits of MNIST, without and with the patch.",
    differs="The paper claims nothing about these settings. Data and networks are smaller than at "
    "scale laptop of its own claims, so each setting on CIFAR-10 has a comparison without the "
    "change beside it. The small LR is the best on validation images of three constant ones, the "
    "largest of them on MNIST and without batch norm. The large one is ten times as large, but "
    "twice as large without batch norm, where five times the small one stayed at chance; so with "
    "batch norm both are tried. Without it the large LR also ends with a lower training accuracy, "
    "on one seed with 41 %, and with augmentation neither LR fits the training images. A first "
    "version had neither the large LR of twice the small one with batch norm nor a small LR that "
    "is annealed too; they were added after its results were seen, as was the training accuracy "
    "of the large LR. Final values are those of one epoch, and at the constant small LR they vary "
    "from epoch to epoch. The contrast of the patch was chosen "
    "such that the small LR memorises it before the large one is annealed, so that this claim is "
    "a check of the choice on other seeds. Of MNIST there are 2,000 training and 1,000 test "
    "images. All seeds have the same training and test images.",
    claims=(
        _ahead("unaugmented", f"{_WITHOUT} (WRN-10-1)."),
        _ahead("augmented", _WITHOUT.replace("Without", "With") + "."),
        _lowers("Data augmentation", "augmented", "unaugmented"),
        _on_mnist("final-accuracy"),
        _on_mnist("patch-order"),
        _by_choice(_on_mnist("small-memorises-at-once")),
        _on_mnist("large-ignores-patch"),
        _on_mnist("large-learns-patch-after-anneal"),
        _on_mnist("patch-final-accuracy"),
        _on_mnist("small-relies-on-patch"),
        _ahead("normalised", f"{_WITHOUT} (ConvNet with batch norm)."),
        _ahead("normalised_twice", f"{_WITHOUT} (ConvNet with batch norm, twice the small LR)."),
        _ahead("unnormalised", f"{_WITHOUT} (ConvNet without batch norm, twice the small LR)."),
        _lowers("Leaving out batch norm", "unnormalised", "normalised_twice"),
        _annealed("unaugmented", "WRN-10-1"),
        _annealed("augmented", "with data augmentation"),
        _annealed("plain", "MNIST"),
        _annealed("patch", "MNIST with the patch"),
        _annealed("normalised", "ConvNet with batch norm"),
        _annealed("normalised_twice", "ConvNet with batch norm, twice the small LR"),
        _annealed("unnormalised", "ConvNet without batch norm, twice the small LR"),
    ),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    leads=("clean", "patch_only"),
)
