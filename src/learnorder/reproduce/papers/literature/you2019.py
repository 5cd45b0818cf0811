"""You, Long, Wang and Jordan (2019): a large LR keeps a network from memorising noisy labels.

The settings were chosen on seeds from 1000 on and another draw of the validation split and of the
wrong labels.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference
from learnorder.reproduce.papers.figures import Curves
from learnorder.reproduce.papers.groups import FLIPPED, KEPT
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule

LARGE, SMALL, CONSTANT = "large LR, annealed", "small LR", "large LR, constant"
EPOCHS, ANNEAL = 60, 41
_TASK = "learnorder.reproduce.papers.tasks.noisy_labels"
_BEFORE = (ANNEAL // 2 + 1, ANNEAL - 1)
"""The second half of the epochs before the anneal."""

FITTED = Quantity("train", "accuracy", "share of wrong labels fitted", FLIPPED)
CLEAN = Quantity("validation", "accuracy", "accuracy on correctly labelled validation images", KEPT)
_TITLES = {
    "mlp": "MLP on digits, 30 % of the labels wrong",
    "convnet": "Convolutional network on digits, 30 % of the labels wrong",
}
_SHORT = {"mlp": "MLP", "convnet": "ConvNet"}


def _experiment(
    task: TaskConfig, setting: str, small: float, large: float, training: TrainingConfig
) -> PaperExperiment:
    schedules = {
        SMALL: Schedule(small),
        LARGE: Schedule(large, (ANNEAL,), small / large),
        CONSTANT: Schedule(large),
    }
    arms = {name: TaskRunConfig(task, training, schedule) for name, schedule in schedules.items()}
    return PaperExperiment(arms, setting)


def laptop() -> Experiments:
    """Digits: 720 training images, LR 0.01 against 0.1 (MLP) or 1 (convolutions, batch norm)."""
    training = TrainingConfig(EPOCHS, batch_size=32, weight_decay=5e-4)
    return {
        network: _experiment(
            TaskConfig(_TASK, {"network": network}), f"{_SHORT[network]}, SGD, digits", 0.01,
            large, training,
        )
        for network, large in (("mlp", 0.1), ("convnet", 1.0))
    }  # fmt: skip


def gpu() -> Experiments:
    """CIFAR-10 at full size, WRN-16-4 and the same convolutional network, LR 0.005 against 0.1."""
    training = TrainingConfig(EPOCHS, batch_size=128, weight_decay=5e-4, precision="bf16")
    return {
        name: _experiment(
            TaskConfig(_TASK, {"network": network, "source": "hub:uoft-cs/cifar10"}),
            f"{title}, SGD, CIFAR-10", 0.005, 0.1, training,
        )
        for name, network, title in (
            ("mlp", "mlp", "MLP"), ("convnet", "wrn", "WRN-16-4"),
        )
    }  # fmt: skip


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""
    large, small = (Recorded(name, arm, FITTED, _BEFORE) for arm in (LARGE, SMALL))
    fitted, clean = (
        {arm: Recorded(name, arm, q) for arm in (LARGE, SMALL, CONSTANT)} for q in (FITTED, CLEAN)
    )
    on = f" ({_SHORT[name]})"
    return (
        Claim(
            f"noise-suppressed-{name}",
            f"Before the anneal a large LR fits fewer wrong labels than a small one{on}.",
            "abstract, section 4",
            Difference(large, small),
            "below",
            (name, "fitted"),
            of="A large initial LR keeps the network from memorising wrong labels",
        ),
        Claim(
            f"decay-helps-{name}",
            f"The anneal raises the accuracy on correctly labelled images: it ends higher than at "
            f"the large LR kept constant{on}.",
            "abstract, section 4",
            Difference(clean[LARGE], clean[CONSTANT]),
            "above",
            (name, "clean"),
            of="The anneal improves what is learned",
        ),
        Claim(
            f"annealed-better-{name}",
            f"A large LR, annealed, ends with higher accuracy on correctly labelled images than a "
            f"small one{on}.",
            "section 4",
            Difference(clean[LARGE], clean[SMALL]),
            "above",
            (name, "clean"),
            of="A large LR, annealed, generalises better than a small one",
        ),
        Claim(
            f"noise-stays-out-{name}",
            f"After the anneal, too, fewer wrong labels are fitted than at a small LR{on}.",
            "– (a question that the account raises)",
            Difference(fitted[LARGE], fitted[SMALL]),
            "below",
            (name, "fitted"),
            of="The wrong labels stay out after the anneal",
        ),
    )


PAPER = Paper(
    name="you2019",
    title="How Does Learning Rate Decay Help Modern Neural Networks?",
    authors=("You", "Long", "Wang", "Jordan"),
    venue="2019",
    arxiv="1908.01878",
    about="You et al. (2019) claim that a large initial learning rate (LR) keeps a network from "
    "memorising noisy labels, and that its decay improves the learning of complex patterns. Here "
    "30 % of the labels are wrong, and it is measured which are fitted when.",
    differs="The paper uses wide residual networks on CIFAR-10 and a data set made for the "
    "complexity of patterns, which is not used here. Seeds differ in initial weights and data "
    "order; the images held out and the wrong labels are the same for all.",
    claims=(*_claims("mlp"), *_claims("convnet")),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    figures={"fitted": Curves(FITTED), "clean": Curves(CLEAN)},
    leads=("fitted",),
)
