"""Haas et al. (2025): cross-entropy tolerates larger LRs in wide networks than the squared error.

Grids of the LR in factors of 2, at three widths. They were chosen on seed 1000 and another draw of
the validation split, at widths 64 and 1024, to end at least a factor of 2 above the largest LR seen
to train; on seeds 1000 to 1003 the largest LR of either grid trains at no width. They begin below
what the best LR at width 64 and a fall like 1/n would give at width 1024. An LR trains if the
validation accuracy ends at 50 % or more, where chance is 10 %.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Best, Exponent, Grid, LargestTrained, UpToSpacing
from learnorder.reproduce.papers.measures import Quantity
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

WIDTHS = (64, 256, 1024)
CE, SQUARED = "cross-entropy", "squared-error"
_RATES = {CE: range(-8, 1), SQUARED: range(-12, -2)}
"""Exponents of 2 of the learning rates."""
_TASK = "learnorder.reproduce.papers.tasks.wide_mlp"
_TRAINS = 0.5
_CLASSES = 1.0
"""log10 of the number of classes K. At equal outputs the Hessian of cross-entropy with respect to
the outputs has the eigenvalue 1/K, that of the squared error 1; the largest stable LR, 2 over the
sharpness, then differs by the factor K."""
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
        "At width 1024 the largest LR that trains is more than 10 times larger with cross-entropy "
        "than with the squared error: more than the curvature of the losses at the start gives.",
        "abstract",
        UpToSpacing(
            Difference(_largest(CE, 1024), _largest(SQUARED, 1024), _DECADES, bound=_CLASSES)
        ),
        "above",
        (CE, "accuracy"),
        of="Cross-entropy tolerates larger LRs than the squared error",
        also=(
            UpToSpacing(
                Difference(_largest(CE, 64), _largest(SQUARED, 64), _DECADES, bound=_CLASSES)
            ),
        ),
        with_diverged=True,
    ),
    Claim(
        "ce-limit-falls-less",
        "The largest LR that trains falls less with the width with cross-entropy than with the "
        "squared error.",
        "abstract",
        UpToSpacing(Difference(_LIMIT[CE], _LIMIT[SQUARED], _EXPONENT)),
        "above",
        (CE, "accuracy"),
        of="With cross-entropy the largest LR falls less with the width",
        also=(UpToSpacing(Level(_LIMIT[CE], -1.0, _EXPONENT)),),
        with_diverged=True,
    ),
    Claim(
        "squared-limit-falls",
        "With the squared error the largest LR that trains falls faster with the width n than "
        "1/√n; theory has 1/n.",
        "abstract",
        UpToSpacing(Level(_LIMIT[SQUARED], -0.5, _EXPONENT)),
        "below",
        (SQUARED, "accuracy"),
        of="With the squared error the largest LR falls faster with the width than 1/√n",
        with_diverged=True,
    ),
    Claim(
        "best-falls-less",
        "With cross-entropy the best LR falls more slowly with the width n than 1/n.",
        "abstract",
        UpToSpacing(Level(_BEST[CE], -1.0, _EXPONENT)),
        "above",
        (CE, "accuracy"),
        of="The best LR falls more slowly with the width than theory predicts",
        also=(
            UpToSpacing(Level(_BEST[SQUARED], -1.0, _EXPONENT)),
            UpToSpacing(Difference(_BEST[CE], _BEST[SQUARED], _EXPONENT)),
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
    "factors of 2; intervals cover this spacing as well as the seeds. Three things were made "
    "stricter after a first look at the runs: the grid was extended downwards by a factor of 8, "
    "since the best LR could not have fallen like 1/n on it; intervals got the spacing; and the "
    "bound of the first claim, 0 decades before, became the factor between the losses' curvatures. "
    "Which LR trains depends on the level of 50 %.",
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
