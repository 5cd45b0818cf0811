"""Lu et al. (2023): SGD that oscillates at a large LR learns weak features beside strong ones.

The large LR is, of the powers of 2, the largest that ends with at least 99 % of the training
examples fitted on seeds 1000 and 1001 and another draw of the data. The small one is a sixteenth of
it, and the number of epochs is such that it fits as many. The lengths of the features on patches
follow from an estimate of what a small LR learns: the weak feature v grows at the rate
(1 − p) |v|² on the share 1 − p of the examples without the strong one, more slowly than the noise ξ
of one of n examples is memorised, at |ξ|² / n. Accuracy on the weak feature alone was seen in one
pilot on patches; only the number of passes was changed afterwards, halved for its cost.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves, OverSetting
from learnorder.reproduce.papers.groups import BOTH, WEAK
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule

SMALL, MIDDLE, LARGE = "small LR", "middle LR", "large LR"
_SHARES = {SMALL: 1 / 16, MIDDLE: 1 / 4, LARGE: 1.0}
"""The learning rate of each arm over the large one."""
_MODULE = "learnorder.reproduce.papers.features"

LOSS = Quantity("train", "loss", "training loss")
FITTED = Quantity("train", "accuracy", "training accuracy")
ON_WEAK = Quantity("validation", "accuracy", "accuracy with the weak feature only", WEAK)
ON_BOTH = Quantity("validation", "accuracy", "accuracy with both features", BOTH)

_TITLES = {
    "patches": "Patch network on a weak and a strong feature",
    "mlp": "MLP on digits, most of them below a pattern of their class",
    "convnet": "Convolutional network on digits, most of them below a pattern of their class",
}
_SHORT = {"patches": "patches", "mlp": "MLP", "convnet": "ConvNet"}
_LARGE = {"patches": 4.0, "mlp": 0.5, "convnet": 4.0}
"""The large learning rates on patches and on digits."""


def _experiment(
    task: TaskConfig, setting: str, large: float, training: TrainingConfig
) -> PaperExperiment:
    arms = {
        arm: TaskRunConfig(task, training, Schedule(share * large))
        for arm, share in _SHARES.items()
    }
    return PaperExperiment(arms, setting)


def _experiments(
    images: dict[str, tuple[str, str, float]], on: str, source: dict[str, str], sgd: TrainingConfig
) -> Experiments:
    """Return the experiments.

    Args:
        images: Network, in words too, and large LR of the experiments on images.
        on: The images in words.
        source: Their location as an argument of the task; empty for digits.
        sgd: How the networks are trained on images.
    """
    one = TrainingConfig(10, batch_size=1, momentum=0.0, nesterov=False, weight_decay=0.0)
    return {
        "patches": _experiment(
            TaskConfig(f"{_MODULE}.patches"), "two-layer CNN, SGD, patches", _LARGE["patches"], one
        ),
        **{
            name: _experiment(
                TaskConfig(f"{_MODULE}.patterned_digits", {"network": network, **source}),
                f"{words}, SGD, {on}", large, sgd,
            )
            for name, (network, words, large) in images.items()
        },
    }  # fmt: skip


def laptop() -> Experiments:
    """50 examples of patches, each seen 100 times alone, and 720 digits in batches of 32."""
    sgd = TrainingConfig(30, batch_size=32, momentum=0.0, nesterov=False, weight_decay=0.0)
    images = {name: (name, _SHORT[name], _LARGE[name]) for name in ("mlp", "convnet")}
    return _experiments(images, "patterned digits", {}, sgd)


def gpu() -> Experiments:
    """The same patches, and CIFAR-10 at full size with the MLP and WRN-16-4."""
    sgd = TrainingConfig(
        30, batch_size=128, momentum=0.0, nesterov=False, weight_decay=0.0, precision="bf16"
    )
    images = {"mlp": ("mlp", "MLP", _LARGE["mlp"]), "convnet": ("wrn", "WRN-16-4", 1.0)}
    return _experiments(images, "patterned CIFAR-10", {"source": "hub:uoft-cs/cifar10"}, sgd)


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims in a setting."""
    on = f" ({_SHORT[name]})"
    weak, both = (
        {arm: Recorded(name, arm, quantity) for arm in _SHARES} for quantity in (ON_WEAK, ON_BOTH)
    )

    return (
        Claim(
            f"weak-learned-{name}",
            "Where only the weak feature is present, a large LR ends with higher accuracy than a "
            f"small one{on}.",
            "abstract",
            Difference(weak[LARGE], weak[SMALL]),
            "above",
            (name, "weak"),
            of="A large LR learns weak features beside strong ones",
            also=(
                Difference(weak[MIDDLE], weak[SMALL]),
                Level(Recorded(name, LARGE, FITTED), 0.99),
                Level(Recorded(name, SMALL, FITTED), 0.99),
            ),
        ),
        Claim(
            f"weak-needs-large-{name}",
            "At the small LR, examples with the weak feature only are classified worse than those "
            f"with both{on}.",
            "abstract",
            Difference(weak[SMALL], both[SMALL]),
            "below",
            (name, "accuracy"),
            of="At a small LR the weak feature alone is classified worse than both",
            also=(Difference(weak[LARGE], both[LARGE]),),
        ),
    )


PAPER = Paper(
    name="lu2023",
    title="Benign Oscillation of Stochastic Gradient Descent with Large Learning Rates",
    authors=("Lu", "Wu", "Yang", "Zou"),
    venue="ICLR 2024",
    arxiv="2310.17074",
    about="Lu et al. (2023) prove that SGD that oscillates at a large learning rate (LR) learns "
    "weak features, which are small and in every example, beside strong ones, which are larger "
    "and in some examples only; at a small LR it learns the strong ones only, and fails on "
    "examples without them. Here the strong feature is in 90 % of the training examples, and "
    "accuracy is measured where it is absent.",
    differs="The abstract was checked, and that patches hold the weak feature, the strong one and "
    "noise was taken from memory, as were the squared error and the activation of the patch "
    "network; lengths and numbers are not the paper's. On digits the weak feature is the digit, "
    "and the strong one is a random pattern of its class above it, with cross-entropy. The "
    "examples are the same for all seeds.",
    claims=tuple(claim for name in _TITLES for claim in _claims(name)),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "weak": Curves(ON_WEAK),
        "loss": Curves(LOSS, log=True),
        "accuracy": OverSetting(
            "Accuracy on held-out examples",
            "LR relative to the large LR",
            {
                "both features": (ON_BOTH, {share: arm for arm, share in _SHARES.items()}),
                "weak feature only": (ON_WEAK, {share: arm for arm, share in _SHARES.items()}),
            },
        ),
    },
    leads=("weak", "accuracy"),
)
