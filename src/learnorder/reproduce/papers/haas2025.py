"""Haas et al. (2025): cross-entropy tolerates larger LRs in wide networks than the squared error.

Grids of the LR in factors of 2, at three widths. They were chosen on seed 1000 and another draw of
the validation split, at widths 64 and 1024, to begin below the best LR and to end at least a factor
of 2 above the largest LR seen to train; on seeds 1000 to 1003 the largest LR of either grid trains
at no width. An LR trains if the validation accuracy ends at 50 % or more, where chance is 10 %.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Best, Exponent, Grid, LargestTrained
from learnorder.reproduce.papers.measures import Quantity
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

WIDTHS = (64, 256, 1024)
CE, SQUARED = "cross-entropy", "squared-error"
_RATES = {CE: range(-5, 1), SQUARED: range(-9, -2)}
"""Exponents of 2 of the learning rates."""
_TASK = "learnorder.reproduce.papers.tasks.wide_mlp"
_TRAINS = 0.5
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")
_EXPONENT = Unit("", digits=2)
_DECADES = Unit("decades", digits=2)


def _rates(loss: str) -> list[float]:
    return [2.0**power for power in _RATES[loss]]


def _arm(width: int, rate: float) -> str:
    return f"width {width}, LR {rate:.3g}"


def _experiments(arguments: dict[str, str], training: TrainingConfig, on: str) -> Experiments:
    def experiment(loss: str) -> PaperExperiment:
        arms = {
            _arm(width, rate): TaskRunConfig(
                TaskConfig(_TASK, {"width": width, "loss": _words(loss), **arguments}),
                training,
                Schedule(rate),
            )
            for width in WIDTHS
            for rate in _rates(loss)
        }
        return PaperExperiment(arms, f"MLP, SGD, {on}")

    return {loss: experiment(loss) for loss in (CE, SQUARED)}


def laptop() -> Experiments:
    """Digits: 720 training images in batches of 32, 5 epochs, SGD without momentum or decay."""
    training = TrainingConfig(5, batch_size=32, momentum=0.0, nesterov=False, weight_decay=0.0)
    return _experiments({}, training, "digits")


def gpu() -> Experiments:
    """CIFAR-10 at full size in batches of 128, 5 epochs."""
    training = TrainingConfig(
        5, batch_size=128, momentum=0.0, nesterov=False, weight_decay=0.0, precision="bf16"
    )
    return _experiments({"source": "hub:uoft-cs/cifar10"}, training, "CIFAR-10")


def _grid(loss: str, width: int) -> Grid:
    arms = {rate: _arm(width, rate) for rate in _rates(loss)}
    return Grid(loss, f"{_words(loss)}, width {width}", arms, ACCURACY)


def _words(loss: str) -> str:
    return loss.replace("squared-error", "squared error")


def _largest(loss: str, width: int) -> LargestTrained:
    return LargestTrained(_grid(loss, width), level=_TRAINS)


_LIMIT, _BEST = (
    {loss: Exponent(f"{_words(loss)}, widths 64 to 1024", parts) for loss, parts in each.items()}
    for each in (
        {loss: {w: _largest(loss, w) for w in WIDTHS} for loss in (CE, SQUARED)},
        {loss: {w: Best(_grid(loss, w)) for w in WIDTHS} for loss in (CE, SQUARED)},
    )
)

CLAIMS = (
    Claim(
        "ce-tolerates-larger",
        "At width 1024 the largest LR that trains is larger with cross-entropy than with the "
        "squared error.",
        "abstract",
        Difference(_largest(CE, 1024), _largest(SQUARED, 1024), _DECADES),
        "above",
        (CE, "accuracy"),
        of="Cross-entropy tolerates larger LRs than the squared error",
        also=(Difference(_largest(CE, 64), _largest(SQUARED, 64), _DECADES),),
        with_diverged=True,
    ),
    Claim(
        "ce-limit-falls-less",
        "The largest LR that trains falls less with the width with cross-entropy than with the "
        "squared error.",
        "abstract",
        Difference(_LIMIT[CE], _LIMIT[SQUARED], _EXPONENT),
        "above",
        (CE, "accuracy"),
        of="With cross-entropy the largest LR falls less with the width",
        also=(Level(_LIMIT[CE], -1.0, _EXPONENT),),
        with_diverged=True,
    ),
    Claim(
        "squared-limit-falls",
        "With the squared error the largest LR that trains falls faster with the width n than "
        "1/√n; theory has 1/n.",
        "abstract",
        Level(_LIMIT[SQUARED], -0.5, _EXPONENT),
        "below",
        (SQUARED, "accuracy"),
        of="With the squared error the largest LR falls with the width as theory predicts",
        with_diverged=True,
    ),
    Claim(
        "best-falls-less",
        "With cross-entropy the best LR falls more slowly with the width n than 1/n.",
        "abstract",
        Level(_BEST[CE], -1.0, _EXPONENT),
        "above",
        (CE, "accuracy"),
        of="The best LR falls more slowly with the width than theory predicts",
        also=(
            Level(_BEST[SQUARED], -1.0, _EXPONENT),
            Difference(_BEST[CE], _BEST[SQUARED], _EXPONENT),
        ),
        with_diverged=True,
    ),
)

PAPER = Paper(
    name="haas2025",
    title="On the Surprising Effectiveness of Large Learning Rates under Standard Width Scaling",
    authors=("Haas", "Bordt", "von Luxburg", "Vankadara"),
    venue="NeurIPS 2025",
    arxiv="2505.22491",
    about="Haas et al. (2025) claim that with cross-entropy, wide networks train at learning rates "
    "(LRs) at which theory predicts instability, since the logits may diverge while the training "
    "stays stable; not so with the squared error. The best LR therefore falls more slowly with the "
    "width n than the 1/n of theory. Here the largest and the best LR are found on a grid.",
    differs="The paper has perceptrons and GPTs, SGD and Adam, images and texts, and more widths. "
    "Here a perceptron with two hidden layers learns digits with SGD for five epochs. The grid has "
    "factors of 2, which is as exactly as the largest and the best LR of a run are known.",
    claims=CLAIMS,
    titles={
        CE: "Perceptrons of three widths on digits, cross-entropy",
        SQUARED: "Perceptrons of three widths on digits, squared error",
    },
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "accuracy": OverSetting(
            "Validation accuracy after the last epoch",
            "learning rate",
            {
                f"width {width}": (
                    ACCURACY,
                    {r: _arm(width, r) for r in sorted({*_rates(CE), *_rates(SQUARED)})},
                )
                for width in WIDTHS
            },
        )
    },
    leads=("accuracy",),
)
