"""Zhu et al. (2023): catapults of SGD align features, and small batches have more of them.

Learning rates are in units of 2/λ₀, with the sharpness λ₀ of each network on all training examples
at the start. A catapult is counted in the loss of all training examples, computed after every step:
it rises above twice its lowest value so far, and comes back to √2 times that value. The noise of
small batches around a minimum is counted too (:func:`~learnorder.count_catapults`). All batch sizes
have the same LR, number of steps, and steps in an epoch.

Settings were chosen on seeds 1000 to 1003 and another draw of the data. The LR of the batches is
the largest of 0.5, 0.7 and 0.9 times 2/λ₀ at which no run diverges. Batches of 4 are then above
their own 2/λ at the start, as the paper's mechanism requires: the λ of their loss is 1.3 (digits)
and 2.5 times λ₀ in the mean. Full batches converge at 0.9 and at 1.8 times 2/λ₀, at the same
product of LR and steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import DiagnosticsConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves, Finals
from learnorder.reproduce.papers.grids import Grid, Trend
from learnorder.reproduce.papers.measures import Quantity, Recorded, Total
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

EPOCHS = 16
"""Epochs, each with as many steps as a pass over the training examples in the smallest batches."""
SMALLEST, BETWEEN, LARGE, FULL = BATCHES = (4, 16, 64, 256)
"""Batch sizes, the last one of all training examples."""
BELOW, ABOVE = 0.9, 1.8
"""LRs of the full batches in units of 2/λ₀."""
FINER = 10
"""By which factor the LR is smaller, and the steps are more, where no catapult may be counted."""
FACTOR = 2.0
"""How many times its lowest value the loss rises to in a catapult."""
SEEDS = 10
_TASKS = "learnorder.reproduce.papers.catapults"

CATAPULTS = Quantity("run", "catapults", "number of catapults")
PER_EPOCH = Quantity("run", "catapults", "number of catapults per epoch")
ALIGNMENT = Quantity("run", "agop_alignment", "AGOP alignment")
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")
LOSS = Quantity("validation", "loss", "validation loss")
_COUNT = Unit("catapults", digits=1)


@dataclass(frozen=True)
class _Setting:
    """What an experiment trains; the paper's claims are tested in each.

    Attributes:
        task: Name of the function that makes the task.
        rate: LR of the batch sizes, in units of 2/λ₀.
        title: In words.
        quality: By what it is judged how a network generalises.
        better: Where the quality of a better network lies.
    """

    task: str
    rate: float
    title: str
    quality: Quantity
    better: Literal["above", "below"]

    @property
    def by_batch(self) -> dict[float, str]:
        """The arms that differ in the batch size alone."""
        return {float(batch): _arm(batch, self.rate) for batch in BATCHES}


_SETTINGS = {
    "digits": _Setting("grey_images", 0.9, "MLP on digits", ACCURACY, "above"),
    "product": _Setting("product_of_two", 0.7, "MLP on y = x₁ x₂", LOSS, "below"),
}


def _arm(batch: int, rate: float) -> str:
    words = "full batch" if batch == FULL else f"batches of {batch}"
    return f"{words}, {_times(rate)}"


def _times(rate: float) -> str:
    """Return a LR in units of 2/λ₀ as its product with λ₀."""
    return f"ηλ₀ = {2 * rate:g}"


_COUNTED = (
    *(arm for setting in _SETTINGS.values() for arm in setting.by_batch.values()),
    *(_arm(FULL, rate) for rate in (BELOW, ABOVE)),
)
"""The arms that the figure of catapults shows: the others have ten times as many epochs."""


def _run(
    task: str, batch: int, rate: float, base: float, arguments: dict[str, object]
) -> TaskRunConfig:
    """Return the settings of an arm; LR × steps is as in those with the LR ``base``."""
    passes = {"passes": batch // SMALLEST, "examples": FULL}
    return TaskRunConfig(
        TaskConfig(f"{_TASKS}.{task}", {**passes, **arguments}),
        TrainingConfig(round(EPOCHS * base / rate), batch),
        Schedule(rate),
        diagnostics=DiagnosticsConfig(catapult_examples=FULL, catapult_factor=FACTOR),
    )


def _experiment(name: str, words: str, arguments: dict[str, object]) -> PaperExperiment:
    setting = _SETTINGS[name]
    by_batch = [(batch, setting.rate, setting.rate) for batch in BATCHES]
    full = [(FULL, BELOW, BELOW), (FULL, ABOVE, BELOW)]
    finer = (SMALLEST, setting.rate / FINER, setting.rate)
    arms = {
        _arm(batch, rate): _run(setting.task, batch, rate, base, arguments)
        for batch, rate, base in (*by_batch, *full, finer)
    }
    return PaperExperiment(arms, words, SEEDS)


def laptop() -> Experiments:
    """256 digits, and 256 examples of the product of two of 20 normal variables."""
    return {
        "digits": _experiment("digits", "MLP, SGD, digits", {}),
        "product": _experiment("product", "MLP, SGD, y = x₁ x₂", {}),
    }


def gpu() -> Experiments:
    """256 grey images of CIFAR-10, and as many examples of the product; wider networks."""
    wide: dict[str, object] = {"widths": [2048]}
    images = {**wide, "source": "hub:uoft-cs/cifar10"}
    return {
        "digits": _experiment("digits", "wide MLP, SGD, CIFAR-10", images),
        "product": _experiment("product", "wide MLP, SGD, y = x₁ x₂", wide),
    }


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about an experiment."""
    setting = _SETTINGS[name]
    quality, side = setting.quality, setting.better
    small, _, large, full = setting.by_batch.values()
    below, above = (_arm(FULL, rate) for rate in (BELOW, ABOVE))
    finer = _arm(SMALLEST, setting.rate / FINER)
    passes_of_large = (1, EPOCHS * SMALLEST // LARGE)
    on = f" ({setting.title})"

    def total(arm: str, epochs: tuple[int, int] | None = None) -> Total:
        return Total(name, arm, CATAPULTS, epochs)

    def compared(a: str, b: str, quantity: Quantity) -> Difference:
        left, right = (Recorded(name, arm, quantity) for arm in (a, b))
        return Difference(left, right, quantity.difference_unit)

    def trend(quantity: Quantity, epochs: tuple[int, int] | None = None) -> Level:
        grid = Grid(name, "the batch sizes", setting.by_batch, quantity, epochs)
        return Level(Trend(grid), 0.0, quantity.difference_unit)

    def counted(arm: str) -> Level:
        return Level(total(arm), 0.5, _COUNT)

    return (
        Claim(
            f"no-false-catapults-{name}",
            f"At a tenth of the LR and ten times the steps, batches of {SMALLEST} have no "
            f"catapults{on}.",
            "– (a check of the measure)",
            counted(finer),
            "below",
            (name, "catapults"),
            of="At a small learning rate, small batches have no catapults",
            also=(Difference(total(small), total(finer), _COUNT),),
        ),
        Claim(
            f"large-steps-align-{name}",
            f"Batches of {SMALLEST} end with a higher AGOP alignment than at a tenth of the LR and "
            f"ten times the steps{on}.",
            "– (follows if it is catapults that align)",
            compared(small, finer, ALIGNMENT),
            "above",
            (name, "alignment"),
            of="In small batches, larger steps end with a higher AGOP alignment",
            also=(compared(small, finer, quality),),
        ),
        Claim(
            f"spikes-above-{name}",
            f"Full batches have catapults at {_times(ABOVE)}, more than at {_times(BELOW)}{on}.",
            "abstract, citing Lewkowycz et al. (2020)",
            Difference(total(above), total(below), _COUNT),
            "above",
            (name, "catapults"),
            of="Above the learning rate 2/λ₀, the loss catapults",
            also=(counted(above), counted(below)),
        ),
        Claim(
            f"small-batches-more-{name}",
            f"At the same LR and number of steps, batches of {SMALLEST} have more catapults than "
            f"full batches{on}.",
            "abstract",
            Difference(total(small), total(full), _COUNT),
            "above",
            (name, "catapults"),
            of="At equal steps, smaller batches have more catapults",
            also=(*map(counted, setting.by_batch.values()), trend(PER_EPOCH, (1, EPOCHS))),
        ),
        Claim(
            f"small-batches-more-by-epoch-{name}",
            f"At the same LR and number of passes over the data, batches of {SMALLEST} have more "
            f"catapults than batches of {LARGE}{on}.",
            "abstract",
            Difference(total(small), total(large, passes_of_large), _COUNT),
            "above",
            (name, "catapults"),
            of="At equal epochs, smaller batches have more catapults",
        ),
        Claim(
            f"catapult-aligns-{name}",
            f"Full batches end with a higher AGOP alignment at {_times(ABOVE)} than at "
            f"{_times(BELOW)}{on}.",
            "abstract",
            compared(above, below, ALIGNMENT),
            "above",
            (name, "alignment"),
            of="Full batches above the learning rate 2/λ₀ end with a higher AGOP alignment",
        ),
        Claim(
            f"small-batches-align-{name}",
            f"At the same LR and number of steps, batches of {SMALLEST} end with a higher AGOP "
            f"alignment than full batches{on}.",
            "abstract",
            compared(small, full, ALIGNMENT),
            "above",
            (name, "alignment"),
            of="Smaller batches end with a higher AGOP alignment",
            also=(trend(ALIGNMENT),),
        ),
        Claim(
            f"catapult-generalises-{name}",
            f"Full batches generalise better at {_times(ABOVE)} than at {_times(BELOW)}{on}.",
            "abstract",
            compared(above, below, quality),
            side,
            (name, quality.name),
            of="Full batches above the learning rate 2/λ₀ generalise better",
        ),
        Claim(
            f"small-batches-generalise-{name}",
            f"At the same LR and number of steps, batches of {SMALLEST} generalise better than "
            f"full batches{on}.",
            "abstract",
            compared(small, full, quality),
            side,
            (name, quality.name),
            of="Smaller batches generalise better",
            also=(trend(quality),),
        ),
    )


PAPER = Paper(
    name="zhu2023",
    title="Catapults in SGD: spikes in the training loss and their impact on generalization "
    "through feature learning",
    authors=("Zhu", "Liu", "Radhakrishnan", "Belkin"),
    venue="ICML 2024",
    arxiv="2306.04815",
    about="Zhu et al. (2023) claim that the spikes in the training loss of SGD are catapults, as "
    "those of gradient descent at learning rates (LRs) above 2/λ₀; that catapults align the "
    "average gradient outer product (AGOP) of the network with that of the true predictor, and so "
    "improve generalisation; and that smaller batches have more of them. Here catapults are "
    "counted in the loss of all training examples after every step: it rises above twice its "
    "lowest value so far, and comes back to √2 times that value. Full batches below and above "
    "2/λ₀ are compared at the same product of LR and steps, and batch sizes at the same LR, below "
    "2/λ₀, and the same number of steps.",
    differs="The paper has several architectures, synthetic data and images, and other optimisers "
    "than SGD; here a perceptron with one hidden layer, in the kernel's parametrisation, fits "
    "256 grey digits, or the product of two of 20 normal variables, with a squared error. λ₀ "
    "is the largest eigenvalue of the loss's Hessian, where the paper has that of the tangent "
    "kernel. The true predictor's AGOP is known for the product: diag(1, 1, 0, …). For digits "
    "that of a good one is taken, the mean over three perceptrons trained by Adam on all 720 "
    "training images, which are right on 97 % of the held-out ones. The rule for counting "
    "catapults is ours, and its factor of 2 was fixed before the runs. On the seeds by which "
    "settings were chosen, smaller factors counted more in batches of 4 digits: 25 to 57 with "
    "1.2, and 0 to 4 with 1.5, but none with 2. In the results, batches of 4 digits have "
    "hardly any catapults by this count, and yet a higher alignment than full batches. A "
    "first version had eight seeds and batches of 4 at a hundredth of the LR as its check, "
    "where the training loss stays far above that of the other runs. The check at a tenth of "
    "the LR and ten times the steps, and two seeds, were added after its results were seen. "
    "The count does not tell catapults from the noise of small batches: in a linear "
    "regression, whose curvature is constant, it counts more than ten in batches of 4 at ηλ₀ "
    "= 0.35, and none at a hundredth of this LR; in batches of 4 of the product they come at "
    "the same rate to the end. For each task the two comparisons of counts are one, because "
    "neither full batches nor batches of 64 have any. Above 2/λ₀ more than the catapult "
    "differs from below, so that its effect is not told from that of the LR. The abstract was "
    "checked, the body of the paper was not.",
    claims=tuple(claim for name in _SETTINGS for claim in _claims(name)),
    titles={name: setting.title for name, setting in _SETTINGS.items()},
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "catapults": Curves(PER_EPOCH, arms=_COUNTED),
        "alignment": Finals(ALIGNMENT),
        "accuracy": Finals(ACCURACY),
        "loss": Finals(LOSS),
    },
    leads=("catapults", "alignment", "accuracy", "loss"),
)
