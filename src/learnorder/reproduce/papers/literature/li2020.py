"""Li, Lyu and Arora (2020): with normalisation, LR times weight decay decides what is reached.

Around a pair (η₀, λ₀) of LR and weight decay, one of the two is changed by a factor, or both in
opposite directions, which keeps their product. At equilibrium the last should change nothing.

The settings were chosen on seed 1000 and another draw of the validation split, such that every arm
learns, the training loss is not 0, no run diverges, and T · ηλ > 1.5 in all arms with batch norm,
for T = 1620 steps: the paper conjectures that equilibrium takes a number of steps of the order of
1 / (ηλ). Losses are means over the last 20 of 60 epochs. Without normalisation the factor is 2: the
loss had spikes at LR 0.8, and at LR 0.05 it was still falling after 60 epochs.
"""

from __future__ import annotations

from dataclasses import replace

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Ratio
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Grid, Spread
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

EPOCHS, LATE = 60, (41, 60)
CENTRE = "LR and weight decay as chosen"
_TASK = "learnorder.reproduce.papers.tasks.labelled_images"
LOSS = Quantity("train", "loss", "training loss")
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")

SAME_PRODUCT = ("low LR, high weight decay", CENTRE, "high LR, low weight decay")
SAME_DECAY = ("low LR", CENTRE, "high LR")
SAME_RATE = ("low weight decay", CENTRE, "high weight decay")
"""Arms with the same product, the same weight decay, and the same LR; the centre is shared."""

_TITLES = {
    "invariant": "Scale-invariant convolutional network on digits",
    "convnet": "Convolutional network with batch norm on digits",
    "unnormalised": "Convolutional network without normalisation on digits",
}
_NETWORKS = {
    "invariant": ("invariant convnet", "invariant ConvNet"),
    "convnet": ("convnet", "ConvNet"),
    "unnormalised": ("unnormalised convnet", "ConvNet without norm"),
}
"""The network of each experiment, and in words."""
_CHOSEN = {"invariant": (0.2, 0.02, 4), "convnet": (0.2, 0.02, 4), "unnormalised": (0.2, 0.01, 2)}
"""LR, weight decay and factor of each experiment."""


def _pairs(name: str) -> dict[str, tuple[float, float]]:
    """Return LR and weight decay by arm."""
    rate, decay, factor = _CHOSEN[name]
    rates, decays = ((value / factor, value, value * factor) for value in (rate, decay))
    return {
        **dict(zip(SAME_PRODUCT, zip(rates, reversed(decays), strict=True), strict=True)),
        **{arm: (rate, value) for arm, value in zip(SAME_RATE, decays, strict=True)},
        **{arm: (value, decay) for arm, value in zip(SAME_DECAY, rates, strict=True)},
    }


def _experiment(name: str, task: TaskConfig, setting: str, base: TrainingConfig) -> PaperExperiment:
    arms = {
        arm: TaskRunConfig(task, replace(base, weight_decay=decay), Schedule(rate))
        for arm, (rate, decay) in _pairs(name).items()
    }
    return PaperExperiment(arms, setting)


def laptop() -> Experiments:
    """Digits: 720 training images in batches of 32, SGD without momentum, constant LR."""
    base = TrainingConfig(EPOCHS, batch_size=32, momentum=0.0, nesterov=False)
    return {
        name: _experiment(
            name, TaskConfig(_TASK, {"network": network}), f"{words}, SGD, digits", base
        )
        for name, (network, words) in _NETWORKS.items()
    }


def gpu() -> Experiments:
    """CIFAR-10 at full size, with WRN-16-4 as the network with batch norm."""
    base = TrainingConfig(EPOCHS, batch_size=128, momentum=0.0, nesterov=False, precision="bf16")
    networks = {**_NETWORKS, "convnet": ("wrn", "WRN-16-4")}
    source = "hub:uoft-cs/cifar10"
    return {
        name: _experiment(
            name, TaskConfig(_TASK, {"network": network, "source": source}),
            f"{words}, SGD, CIFAR-10", base,
        )
        for name, (network, words) in networks.items()
    }  # fmt: skip


def _spread(name: str, arms: tuple[str, ...], words: str, quantity: Quantity = LOSS) -> Spread:
    pairs = _pairs(name)
    index = 1 if arms is SAME_RATE else 0
    by_setting = {pairs[arm][index]: arm for arm in arms}
    return Spread(Grid(name, f"the arms with {words}", by_setting, quantity, LATE))


def _late(name: str, arm: str) -> Difference:
    """Return by how much the loss of an arm still changes in its last epochs."""
    first, last = LATE
    middle = (first + last) // 2
    before, after = (
        Recorded(name, arm, LOSS, epochs) for epochs in ((first, middle), (middle + 1, last))
    )
    return Difference(after, before, Unit("", digits=3))


def _all_late(name: str) -> tuple[Difference, ...]:
    """Return the late changes of the arms with the same product or the same weight decay."""
    return tuple(_late(name, arm) for arm in dict.fromkeys((*SAME_PRODUCT, *SAME_DECAY)))


def _claims(name: str, where: str) -> tuple[Claim, Claim]:
    """Return the claims about a network with batch norm."""
    product, decay, rate = (
        (SAME_PRODUCT, "the same product"),
        (SAME_DECAY, "the same weight decay"),
        (SAME_RATE, "the same LR"),
    )

    def compared(other: tuple[tuple[str, ...], str], quantity: Quantity = LOSS) -> Ratio:
        return Ratio(_spread(name, *product, quantity), _spread(name, *other, quantity))

    return (
        Claim(
            f"product-not-rate-{name}",
            "Changing the LR changes the training loss at equilibrium less if the weight decay is "
            f"changed to keep their product ({where}).",
            "abstract",
            compared(decay),
            "below",
            (name, "over-rate"),
            of="The LR matters less if its product with weight decay is kept",
            also=(compared(decay, ACCURACY), *_all_late(name)),
        ),
        Claim(
            f"product-not-decay-{name}",
            "Changing the weight decay changes the training loss at equilibrium less if the LR is "
            f"changed to keep their product ({where}).",
            "abstract",
            compared(rate),
            "below",
            (name, "over-decay"),
            of="Weight decay matters less if its product with the LR is kept",
            also=(compared(rate, ACCURACY),),
        ),
    )


def _boundary() -> Claim:
    name = "unnormalised"
    product, decay = (
        (SAME_PRODUCT, "the same product"),
        (SAME_DECAY, "the same weight decay"),
    )
    loss, accuracy = (
        Ratio(_spread(name, *product, quantity), _spread(name, *decay, quantity))
        for quantity in (LOSS, ACCURACY)
    )
    return Claim(
        "product-is-not-all-unnormalised",
        "Without normalisation, changing the LR changes the final training loss more if the weight "
        "decay is changed to keep their product.",
        "– (where the account ends)",
        loss,
        "above",
        (name, "over-rate-2"),
        of="Without normalisation the product is not what matters",
        also=(accuracy, *_all_late(name)),
    )


def _figures(name: str) -> dict[str, OverSetting]:
    """Return the figures over the LR and over the weight decay, for an experiment's values."""
    pairs = _pairs(name)

    def line(arms: tuple[str, ...], index: int) -> tuple[Quantity, dict[float, str]]:
        return LOSS, {pairs[arm][index]: arm for arm in arms}

    title = f"Training loss in epochs {LATE[0]} to {LATE[1]}"
    return {
        "over-rate": OverSetting(
            title, "learning rate", {
                "product with weight decay constant": line(SAME_PRODUCT, 0),
                "weight decay constant": line(SAME_DECAY, 0),
            }, log=True, epochs=LATE,
        ),
        "over-decay": OverSetting(
            title, "weight decay", {
                "product with LR constant": line(SAME_PRODUCT, 1),
                "LR constant": line(SAME_RATE, 1),
            }, log=True, epochs=LATE,
        ),
    }  # fmt: skip


PAPER = Paper(
    name="li2020",
    title="Reconciling Modern Deep Learning with Traditional Optimization Analyses: The Intrinsic "
    "Learning Rate",
    authors=("Li", "Lyu", "Arora"),
    venue="NeurIPS 2020",
    arxiv="2010.02916",
    about="Li, Lyu and Arora (2020) claim that in a network with normalisation, the product of "
    "learning rate (LR) and weight decay, the intrinsic LR, decides which equilibrium is reached. "
    "Here one of the two is changed by a factor, or both such that their product is kept.",
    differs="The paper trains residual networks on CIFAR-10, in which all weights before a fixed "
    "last layer are scale-invariant, as in the first network here. In the second, weight decay "
    "also acts on the scales of batch norm and on the classifier. The third has no normalisation: "
    "the paper claims nothing about it, and it was added to see where the account ends. There the "
    "factor is 2 rather than 4, since training is unstable or too slow otherwise.",
    claims=(
        *_claims("invariant", "all weights scale-invariant"),
        *_claims("convnet", "ConvNet with batch norm"),
        _boundary(),
    ),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        **_figures("convnet"),
        **{f"{name}-2": figure for name, figure in _figures("unnormalised").items()},
    },
    leads=("over-rate", "over-rate-2"),
)
