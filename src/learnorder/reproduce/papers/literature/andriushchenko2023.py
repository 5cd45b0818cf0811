"""Andriushchenko, Varre, Pillaud-Vivien and Flammarion (2023): large steps learn sparse features.

The lengths are those of the authors' code, which begins with a warm-up: a large LR for 10, 30 or
50 % of the epochs, a smaller one until 90 %, and a still smaller one at the end. The small LR is
the second of these from the start. There is no momentum and no weight decay, since the claim is
about SGD alone.

Clean digits are fitted within a few epochs at every LR at which training does not diverge, so 30 %
of the labels are wrong. LRs were chosen on seeds 1000 to 1003 and another draw of the data, by the
training loss alone: at the large LR it stays within a third of its mean in epochs 10 to 30 and no
run diverges, and at the small LR it ends below 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import DiagnosticsConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves
from learnorder.reproduce.papers.grids import Grid, Trend
from learnorder.reproduce.papers.groups import KEPT
from learnorder.reproduce.papers.measures import Fall, Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

EPOCHS, LAST_ANNEAL = 60, 55
SMALL = "small LR"
LENGTHS = (6, 18, 30)
PLATEAUS = {float(length): f"large LR for {length} epochs" for length in LENGTHS}
"""The arms with a large LR by the length of its plateau."""
SHORT, _, LONG = PLATEAUS.values()
_BEFORE, _EARLY, _LATE = (16, 30), (11, 15), (26, 30)
"""The second half of the longest plateau; epochs between which the loss falls little."""
_TASK = "learnorder.reproduce.papers.tasks.noisy_labels"

LOSS = Quantity("train", "loss", "training loss")
SPARSITY = Quantity("run", "distinct_active_share", "active share of distinct units")
DISTINCT = Quantity("run", "distinct_units", "distinct active units")
ACTIVE = Quantity("run", "active_share", "active share of all units")
FITTED = Quantity("train", "accuracy", "training accuracy")
RANK = Quantity("run", "feature_rank", "rank of the features")
ACCURACY = Quantity("validation", "accuracy", "accuracy on correctly labelled images", KEPT)
_PLAIN, _COMPONENTS = Unit("", digits=2), Unit("components", digits=1)
_WORDS = {"mlp": "MLP", "convnet": "ConvNet without norm"}


@dataclass(frozen=True)
class _Rates:
    """The large LR, and the factor by which it is annealed each time."""

    large: float
    factor: float


def _experiment(
    network: str, rates: _Rates, batch_size: int, setting: str, **images: object
) -> PaperExperiment:
    task = TaskConfig(_TASK, {"network": network, **images})
    training = TrainingConfig(EPOCHS, batch_size, momentum=0.0, nesterov=False, weight_decay=0.0)
    schedules = {SMALL: Schedule(rates.large * rates.factor, (LAST_ANNEAL,), rates.factor)}
    for length, arm in PLATEAUS.items():
        schedules[arm] = Schedule(rates.large, (round(length) + 1, LAST_ANNEAL), rates.factor)
    diagnostics = DiagnosticsConfig(every=6, features=512)
    arms = {
        arm: TaskRunConfig(task, training, schedule, diagnostics=diagnostics)
        for arm, schedule in schedules.items()
    }
    return PaperExperiment(arms, setting)


def laptop() -> Experiments:
    """Digits: 720 training images in batches of 8."""
    return {
        name: _experiment(network, rates, 8, f"{_WORDS[name]}, SGD, digits")
        for name, network, rates in (
            ("mlp", "mlp", _Rates(0.3, 0.1)),
            ("convnet", "unnormalised convnet", _Rates(0.4, 0.25)),
        )
    }


def gpu() -> Experiments:
    """CIFAR-10 at full size, with WRN-16-4 as the convolutional network; its LRs are not tried."""
    source = "hub:uoft-cs/cifar10"
    return {
        name: _experiment(
            network, _Rates(large, 0.1), 128, f"{words}, SGD, CIFAR-10", source=source
        )
        for name, network, words, large in (
            ("mlp", "mlp", "MLP", 0.1), ("convnet", "wrn", "WRN-16-4", 1.0),
        )
    }  # fmt: skip


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""

    def unit_of(quantity: Quantity) -> Unit:
        return _COMPONENTS if quantity is RANK else quantity.difference_unit

    def compared(a: str, b: str, quantity: Quantity) -> Difference:
        left, right = (Recorded(name, arm, quantity) for arm in (a, b))
        return Difference(left, right, unit_of(quantity))

    def over_lengths(quantity: Quantity) -> Level:
        arms = Grid(name, "the arms by length of the plateau", PLATEAUS, quantity)
        return Level(Trend(arms), 0.0, unit_of(quantity))

    large, small = (Recorded(name, arm, LOSS, _BEFORE) for arm in (LONG, SMALL))
    on = f" ({_WORDS[name]})"
    fitted = tuple(Level(Recorded(name, arm, FITTED), 0.99) for arm in (LONG, SHORT, SMALL))
    return (
        Claim(
            f"plateau-{name}",
            f"The training loss stabilises at the large LR: it falls by less than a fifth from "
            f"epochs {_EARLY[0]} to {_EARLY[1]} to epochs {_LATE[0]} to {_LATE[1]}{on}.",
            "abstract",
            Level(Fall(name, LONG, LOSS, _EARLY, _LATE), 0.2),
            "below",
            (name, "loss"),
            of="At a large LR, the training loss stabilises",
            also=(
                Level(Fall(name, SMALL, LOSS, _EARLY, _LATE), 0.2),
                Difference(large, small, _PLAIN),
            ),
        ),
        Claim(
            f"sparser-{name}",
            f"A large LR for half of the epochs ends with sparser features than the small LR: a "
            f"smaller active share of distinct units{on}.",
            "abstract",
            compared(LONG, SMALL, SPARSITY),
            "below",
            (name, "sparsity"),
            of="A large LR learns sparser features",
            also=(compared(LONG, SMALL, ACTIVE), compared(LONG, SMALL, DISTINCT), *fitted),
        ),
        Claim(
            f"longer-sparser-{name}",
            f"The longer the large LR is kept, the sparser: after {LENGTHS[-1]} epochs of it the "
            f"active share of distinct units ends smaller than after {LENGTHS[0]}{on}.",
            "abstract",
            compared(LONG, SHORT, SPARSITY),
            "below",
            (name, "sparsity"),
            of="The longer the large LR is kept, the sparser the features",
            also=(over_lengths(SPARSITY), compared(LONG, SHORT, DISTINCT)),
        ),
        Claim(
            f"lower-rank-{name}",
            f"A large LR for half of the epochs ends with features of lower rank than the small "
            f"LR{on}.",
            "– (the rank of features is from a later paper of the authors)",
            compared(LONG, SMALL, RANK),
            "below",
            (name, "rank"),
            of="A large LR ends with features of lower rank",
        ),
        Claim(
            f"longer-lower-rank-{name}",
            f"The longer the large LR is kept, the lower the rank: after {LENGTHS[-1]} epochs it "
            f"ends lower than after {LENGTHS[0]}{on}.",
            "– (the rank of features is from a later paper of the authors)",
            compared(LONG, SHORT, RANK),
            "below",
            (name, "rank"),
            of="The longer the large LR is kept, the lower the rank of the features",
            also=(over_lengths(RANK),),
        ),
        Claim(
            f"generalises-{name}",
            f"A large LR for half of the epochs ends with higher accuracy on correctly labelled "
            f"images than the small LR{on}.",
            "experiments (section not checked)",
            compared(LONG, SMALL, ACCURACY),
            "above",
            (name, "accuracy"),
            of="A large LR, annealed, generalises better than a small one",
            also=(compared(LONG, SHORT, ACCURACY),),
        ),
    )


PAPER = Paper(
    name="andriushchenko2023",
    title="SGD with Large Step Sizes Learns Sparse Features",
    authors=("Andriushchenko", "Varre", "Pillaud-Vivien", "Flammarion"),
    venue="ICML 2023",
    arxiv="2210.05337",
    about="Andriushchenko et al. (2023) claim that at a large learning rate (LR), SGD keeps the "
    "training loss at a level from which it does not fall, that it is meanwhile biased towards "
    "sparse features, and that these are the sparser the longer the large LR is kept. Here the "
    "large LR is kept for 10, 30 or 50 % of 60 epochs, and a small LR is compared with it.",
    differs="The paper trains diagonal linear networks, small ReLU networks, and residual and "
    "dense networks on CIFAR-10, CIFAR-100 and Tiny ImageNet with clean labels; here 30 % of the "
    "digits' labels are wrong, since the loss does not stabilise on clean ones. That it does here "
    "is what the LRs were chosen by, on other seeds. The authors reach the large LR by a warm-up, "
    "which is left out. Their measure of sparsity is the share of active ReLUs with correlated "
    "units counted once, in several blocks; here it is taken at the last hidden layer, which in "
    "the convolutional network is after average pooling, where few values are exactly 0. They "
    "report the rank of the Jacobian of small networks, where here it is the number of principal "
    "components that explain 99 % of the features' variance. The abstract and the authors' code "
    "were checked, the body of the paper was not.",
    claims=(*_claims("mlp"), *_claims("convnet")),
    titles={
        "mlp": "MLP on digits, 30 % of the labels wrong",
        "convnet": "Convolutional network without norm on digits, 30 % of the labels wrong",
    },
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "loss": Curves(LOSS),
        "sparsity": Curves(SPARSITY),
        "rank": Curves(RANK),
        "accuracy": Curves(ACCURACY),
    },
    leads=("loss", "sparsity", "rank"),
)
