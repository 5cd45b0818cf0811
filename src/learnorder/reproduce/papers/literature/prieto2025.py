"""Prieto, Barsbey, Zafeiriou and Birdal (2025): large LRs give robustness and compressibility.

The learning rates are those of an earlier study of the same tasks, on other seeds and another draw
of the data: the largest is the largest of that study at which no run diverged. The small one fits
all training images within the epochs, so that it is not merely undertrained.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import DiagnosticsConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule

SMALL, MIDDLE, LARGE, ANNEALED = "small LR", "middle LR", "large LR", "large LR, annealed"
RATES = {0.01: SMALL, 0.05: MIDDLE, 0.2: LARGE}
EPOCHS, ANNEAL = 30, 16
_MODULE = "learnorder.reproduce.papers.shortcuts"
DRAW = 3
"""The draw of the judged data; the earlier study has 0."""

WORST = Quantity("validation", "worst_group_accuracy", "accuracy on the worst group")
RELIANCE = Quantity("validation", "reliance", "reliance on the shortcut")
ACCURACY = Quantity("validation", "accuracy", "accuracy")
FITTED = Quantity("train", "accuracy", "training accuracy")
HALF = Quantity("pruned_50", "accuracy", "accuracy without half of the weights")
PRUNED = Quantity("pruned_90", "accuracy", "accuracy without 90 % of the weights")
ACTIVE = Quantity("run", "active_share", "share of active units in the last hidden layer")

_SETTINGS = {
    "colour_wrn": ("coloured", "wrn", "WRN-10-1 on digits whose colour suggests the class"),
    "dominoes_wrn": ("dominoes", "wrn", "WRN-10-1 on digits below another that suggests the class"),
    "colour_mlp": ("coloured", "mlp", "MLP on digits whose colour suggests the class"),
    "dominoes_mlp": ("dominoes", "mlp", "MLP on digits below another that suggests the class"),
}
_COLUMNS = {
    "colour_wrn": "WRN, SGD, coloured digits",
    "dominoes_wrn": "WRN, SGD, two digits",
    "colour_mlp": "MLP, SGD, coloured digits",
    "dominoes_mlp": "MLP, SGD, two digits",
}


def _experiment(name: str, source: str) -> PaperExperiment:
    function, network, _ = _SETTINGS[name]
    arguments = {"network": network, "draw": DRAW, "source": source}
    task = TaskConfig(f"{_MODULE}.{function}", arguments)
    training = TrainingConfig(EPOCHS, batch_size=32, weight_decay=5e-4)
    diagnostics = DiagnosticsConfig(every=EPOCHS, features=512, pruned=(0.5, 0.9))
    small = min(RATES)
    schedules = {arm: Schedule(rate) for rate, arm in RATES.items()}
    schedules[ANNEALED] = Schedule(max(RATES), (ANNEAL,), small / max(RATES))
    arms = {
        arm: TaskRunConfig(task, training, schedule, diagnostics=diagnostics)
        for arm, schedule in schedules.items()
    }
    return PaperExperiment(arms, _COLUMNS[name], seeds=8)


def laptop() -> Experiments:
    """scikit-learn's digits."""
    return {name: _experiment(name, "digits") for name in _SETTINGS}


def gpu() -> Experiments:
    """The same on MNIST."""
    return {name: _experiment(name, "hub:ylecun/mnist") for name in _SETTINGS}


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims in a setting."""

    def value(arm: str, quantity: Quantity) -> Recorded:
        return Recorded(name, arm, quantity)

    def against_small(arm: str, quantity: Quantity) -> Difference:
        a, b = value(arm, quantity), value(SMALL, quantity)
        return Difference(a, b, quantity.difference_unit)

    on = f" ({_SETTINGS[name][2]})"
    return (
        Claim(
            f"robust-{name}",
            f"A large LR ends with higher accuracy on the worst group than a small one{on}.",
            "abstract",
            against_small(LARGE, WORST),
            "above",
            (name, "groups"),
            of="A large LR is robust to a spurious correlation",
            also=(
                against_small(ANNEALED, WORST),
                against_small(LARGE, RELIANCE),
                Level(value(SMALL, FITTED), 0.99),
                Level(value(LARGE, FITTED), 0.99),
            ),
        ),
        Claim(
            f"compressible-{name}",
            "A large LR ends with a network that keeps higher accuracy without the 90 % smallest "
            f"weights{on}.",
            "abstract",
            against_small(LARGE, PRUNED),
            "above",
            (name, "pruned"),
            of="A large LR makes the network compressible",
            also=(against_small(ANNEALED, PRUNED), against_small(LARGE, HALF)),
        ),
        Claim(
            f"sparse-{name}",
            f"A large LR ends with fewer active units in the last hidden layer{on}.",
            "abstract",
            against_small(LARGE, ACTIVE),
            "below",
            (name, "active"),
            of="A large LR makes the activations sparse",
            also=(against_small(ANNEALED, ACTIVE),),
        ),
    )


def _over_rates(title: str, lines: dict[str, Quantity]) -> OverSetting:
    return OverSetting(title, "learning rate, constant", {
        words: (quantity, RATES) for words, quantity in lines.items()
    })  # fmt: skip


PAPER = Paper(
    name="prieto2025",
    title="Large Learning Rates Simultaneously Achieve Robustness to Spurious Correlations and "
    "Compressibility",
    authors=("Prieto", "Barsbey", "Zafeiriou", "Birdal"),
    venue="ICCV 2025",
    arxiv="2507.17748",
    about="Prieto et al. (2025) claim that large learning rates (LR) make networks robust to "
    "spurious correlations, compressible, and sparse in their activations, all at once. Here the "
    "colour of a digit, or a second digit above it, suggests the class in 95 % of the training "
    "images, and is independent of it in the validation images.",
    differs="The paper uses images like MNIST, faces and birds, several networks and optimisers; "
    "here networks are small and are trained by SGD with momentum on 1,078 digits or fewer. LRs "
    "are constant, and there is an arm that is annealed. Active units are those of the last hidden "
    "layer, in the WRN after average pooling, where few are exactly 0. Seeds differ in initial "
    "weights and data order, not in the images.",
    claims=tuple(claim for name in _SETTINGS for claim in _claims(name)),
    titles={name: title for name, (_, _, title) in _SETTINGS.items()},
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "groups": _over_rates(
            "Accuracy on all images and the worst group; reliance",
            {"accuracy": ACCURACY, "worst group": WORST, "reliance on the shortcut": RELIANCE},
        ),
        "pruned": _over_rates(
            "Accuracy without the smallest weights",
            {"all weights": ACCURACY, "half of the weights": HALF, "10 % of the weights": PRUNED},
        ),
        "active": _over_rates("Active units in the last hidden layer", {"active": ACTIVE}),
    },
    leads=("groups",),
)
