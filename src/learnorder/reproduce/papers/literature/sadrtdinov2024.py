"""Sadrtdinov et al. (2024): the best initial LRs are slightly above the convergence threshold.

Each run has an initial LR for 30 epochs and the smallest of the grid for 15 more. Training counts
as converged at an LR if the training accuracy is at least 99.5 % in the last 5 of the 30 epochs.
The grid, in factors of 2, was chosen on seeds 1000 and 1001 and another draw of the validation
split, by the training accuracy at the initial LR alone: training converges at the lowest LRs, not
from 0.2 or 0.4 on, and at 3.2 the network learns nothing.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import DiagnosticsConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Best, Grid, LargestTrained, UpToSpacing
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

EPOCHS, ANNEAL = 45, 31
RATES = {rate: f"LR {rate:g}" for rate in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)}
"""The arms by their initial LR."""
_LEARNING = {rate: arm for rate, arm in RATES.items() if rate < 3.2}
"""Those shown in figures of accuracies, which at LR 3.2 stay at chance."""
SMALL, ABOVE, LARGE = RATES[0.05], RATES[0.4], RATES[3.2]
"""Arms below the threshold, one or two factors of 2 above it, and far above it."""
CONVERGED, _BEFORE = 0.995, (26, 30)
_TASK = "learnorder.reproduce.papers.tasks.labelled_images"
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")
FITTED = Quantity("train", "accuracy", "training accuracy")
RANK = Quantity("run", "feature_rank", "rank of the features")
_DECADES, _COMPONENTS = Unit("factors of 10", digits=2), Unit("components", digits=1)
_NAME = "convnet"


def _experiment(
    network: str, training: TrainingConfig, setting: str, source: str
) -> dict[str, PaperExperiment]:
    task = TaskConfig(_TASK, {"network": network, "source": source})
    lowest, diagnostics = min(RATES), DiagnosticsConfig(every=15, features=512)
    arms = {
        arm: TaskRunConfig(
            task,
            training,
            Schedule(rate) if rate == lowest else Schedule(rate, (ANNEAL,), lowest / rate),
            diagnostics=diagnostics,
        )
        for rate, arm in RATES.items()
    }
    return {_NAME: PaperExperiment(arms, setting, seeds=8)}


def laptop() -> Experiments:
    """Digits: 720 training images and a convolutional network with batch norm."""
    training = TrainingConfig(EPOCHS, batch_size=32, weight_decay=5e-4)
    return _experiment("convnet", training, "ConvNet, SGD, digits", "digits")


def gpu() -> Experiments:
    """CIFAR-10 at full size and WRN-16-4, with the same LRs, which are not tried."""
    training = TrainingConfig(EPOCHS, batch_size=128, weight_decay=5e-4, precision="bf16")
    return _experiment("wrn", training, "WRN-16-4, SGD, CIFAR-10", "hub:uoft-cs/cifar10")


def _compared(a: str, b: str, quantity: Quantity = ACCURACY) -> Difference:
    left, right = (Recorded(_NAME, arm, quantity) for arm in (a, b))
    unit = _COMPONENTS if quantity is RANK else quantity.difference_unit
    return Difference(left, right, unit)


def _claims() -> tuple[Claim, ...]:
    final = Grid(_NAME, "all initial LRs", RATES, ACCURACY)
    before = Grid(_NAME, "all initial LRs", RATES, FITTED, _BEFORE)
    best, threshold = Best(final), LargestTrained(before, CONVERGED)
    return (
        Claim(
            "best-above-threshold",
            "The best initial LR is above the largest at which training converges.",
            "abstract",
            UpToSpacing(Difference(best, threshold, _DECADES)),
            "above",
            (_NAME, "fitted"),
            of="The best initial LR is above the convergence threshold",
            also=(
                UpToSpacing(Level(best, 0.0, _DECADES)),
                UpToSpacing(Level(threshold, 0.0, _DECADES)),
            ),
        ),
        Claim(
            "better-than-converging",
            f"{ABOVE}, slightly above the threshold, ends with higher accuracy than {SMALL}, at "
            "which training converges.",
            "abstract",
            _compared(ABOVE, SMALL),
            "above",
            (_NAME, "accuracy"),
            of="An initial LR slightly above the threshold is better than one below",
            also=(_compared(RATES[0.2], SMALL), _compared(RATES[0.8], SMALL)),
        ),
        Claim(
            "better-than-too-large",
            f"{ABOVE} ends with higher accuracy than {LARGE}, far above the threshold.",
            "abstract",
            _compared(ABOVE, LARGE),
            "above",
            (_NAME, "accuracy"),
            of="An initial LR slightly above the threshold is better than one far above",
            also=(_compared(ABOVE, RATES[1.6]),),
        ),
        Claim(
            "sparser",
            f"{ABOVE} ends with fewer features than {SMALL}: their rank is lower.",
            "abstract; the rank is a measure chosen here",
            _compared(ABOVE, SMALL, RANK),
            "below",
            (_NAME, "rank"),
            of="An initial LR slightly above the threshold learns a sparse set of features",
            also=(_compared(LARGE, SMALL, RANK),),
        ),
    )


PAPER = Paper(
    name="sadrtdinov2024",
    title="Where Do Large Learning Rates Lead Us?",
    authors=("Sadrtdinov", "Kodryan", "Pokonechny", "Lobacheva", "Vetrov"),
    venue="NeurIPS 2024",
    arxiv="2410.22113",
    about="Sadrtdinov et al. (2024) claim that after fine-tuning with a small learning rate (LR), "
    "only initial LRs in a narrow range slightly above the convergence threshold give the best "
    "results, and a sparse set of features; at smaller ones training converges and generalises "
    "worse, and at much larger ones it finds nothing useful. Here initial LRs from 0.05 to 3.2 are "
    "kept for 30 epochs and followed by 15 epochs at 0.05.",
    differs="The paper's main setting is a scale-invariant network whose weights are kept at a "
    "constant norm, trained for long on CIFAR; here a small convolutional network with batch norm, "
    "weight decay and momentum is trained on 720 digits. The threshold is defined by the training "
    f"accuracy, at least {100 * CONVERGED:g} % in epochs {_BEFORE[0]} to {_BEFORE[1]}, and lies on "
    "a grid in factors of 2. The paper traces features by their frequencies and in a synthetic "
    "example; here their number is that of the principal components that explain 99 % of the "
    "variance in the last hidden layer. Two weaknesses showed in the results: the threshold is "
    "0.2, 0.4 or 0.8, depending on the seed, so that LR 0.4 is above it on three of eight seeds "
    "only; and the mean accuracies at LRs up to 0.8 differ by less than half a point, so that the "
    "best LR is largely a matter of chance. The abstract was checked, the body of the paper was "
    "not.",
    claims=_claims(),
    titles={_NAME: "Convolutional network with batch norm on digits"},
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "accuracy": OverSetting(
            "Validation accuracy at the end; LR 3.2 is not shown",
            "initial learning rate",
            {"validation accuracy": (ACCURACY, _LEARNING)},
        ),
        "fitted": OverSetting(
            "Training accuracy in epochs 26 to 30; LR 3.2 is not shown",
            "initial learning rate",
            {"training accuracy": (FITTED, _LEARNING)},
            epochs=_BEFORE,
            marked=CONVERGED,
        ),
        "rank": OverSetting(
            "Rank of the features at the end", "initial learning rate", {"rank": (RANK, RATES)}
        ),
    },
    leads=("fitted", "accuracy", "rank"),
)
