"""Kosson et al. (2025): learning rates transfer over widths by weight decay more than by μP.

AdamW trains perceptrons of two widths on a small language, with learning rates (LRs) on a grid. At
the smaller width all kinds of scaling are the same. The weight decay was chosen on seed 1000 and
another draw of the language at the smaller width alone: at its best LR, decay by itself would
shrink a weight to about a tenth over a run. The grid of LRs was chosen such that on this seed the
best one is inside it for each kind of scaling at both widths, and no run diverges.
"""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Best, Carried, Grid, Regret, UpToSpacing
from learnorder.reproduce.papers.measures import Quantity
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

NARROW, WIDE = 32, 256
"""Units of each hidden layer; LRs are carried from the first to the second."""
RATES = tuple(2.0 ** (-half / 2) for half in range(18, 5, -1))
"""Learning rates."""
EPOCHS, WARMUP = 6, 1
"""Epochs of 100 steps. After the first one, in which the LR rises if there is a warm-up, it falls
linearly to 0."""
WEIGHT_DECAY = 0.5
_NAME = "language"
_TASK = "learnorder.reproduce.papers.width.language_of_width"

LOSS = Quantity("validation", "loss", "validation loss")
_NATS, _DECADES = Unit("nats", digits=4), Unit("decades", digits=2)


@dataclass(frozen=True)
class _Kind:
    """How LR and weight decay depend on the width, and whether there is a warm-up.

    Attributes:
        words: In words.
        scaled: Whether LRs fall with the width as in μP.
        decay: standard or independent.
        warmup: Whether there is a warm-up.
    """

    words: str
    scaled: bool
    decay: str = "standard"
    warmup: bool = True

    def arm(self, width: int, rate: float) -> str:
        """Return the name of an arm; at the smaller width all kinds of scaling are the same."""
        words = self.words if width == WIDE else _without(self.warmup)
        return f"width {width}, {words}, LR {rate:.3g}"

    def grid(self, width: int) -> Grid:
        """Return the validation losses at a width by the LR."""
        words = self.words if width == WIDE else _without(self.warmup)
        return Grid(_NAME, f"width {width}, {words}", self.by_rate(width), LOSS)

    def by_rate(self, width: int) -> dict[float, str]:
        """Return the arms at a width by the LR."""
        return {rate: self.arm(width, rate) for rate in RATES}

    @property
    def regret(self) -> Regret:
        """The loss at the larger width by the LR that is best at the smaller one."""
        return Regret(self.grid(WIDE), self.grid(NARROW), higher_is_better=False)

    @property
    def carried(self) -> Carried:
        """The loss itself there."""
        return Carried(self.grid(WIDE), self.grid(NARROW), higher_is_better=False)

    @property
    def best(self) -> Carried:
        """The loss at the larger width by the LR that is best at that width."""
        return Carried(self.grid(WIDE), self.grid(WIDE), higher_is_better=False)

    @property
    def shift(self) -> UpToSpacing:
        """log10 of the best LR at the larger width over that at the smaller one."""
        wide, narrow = (Best(self.grid(width), higher_is_better=False) for width in (WIDE, NARROW))
        return UpToSpacing(Difference(wide, narrow, _DECADES))


def _without(warmup: bool) -> str:
    return "warm-up" if warmup else "no warm-up"


INDEPENDENT = _Kind("μP, independent decay", scaled=True, decay="independent")
STANDARD = _Kind("μP, standard decay", scaled=True)
PLAIN = _Kind("one LR", scaled=False)
SUDDEN = _Kind("one LR, no warm-up", scaled=False, warmup=False)
KINDS = (INDEPENDENT, STANDARD, PLAIN, SUDDEN)


def _run(kind: _Kind, width: int, rate: float, language: dict[str, int]) -> TaskRunConfig:
    scaling = {"scaled": kind.scaled, "decay": kind.decay} if width == WIDE else {}
    arguments = {"width": width, "base": NARROW, "weight_decay": WEIGHT_DECAY}
    return TaskRunConfig(
        TaskConfig(_TASK, {**arguments, **scaling, **language}),
        TrainingConfig(EPOCHS, batch_size=64),
        Schedule(rate, warmup_epochs=WARMUP if kind.warmup else 0, linear_after=WARMUP / EPOCHS),
    )


def _experiments(setting: str, language: dict[str, int]) -> Experiments:
    arms = {
        kind.arm(width, rate): _run(kind, width, rate, language)
        for width in (NARROW, WIDE)
        for kind in KINDS
        for rate in RATES
    }
    return {_NAME: PaperExperiment(arms, setting, seeds=5)}


def laptop() -> Experiments:
    """64 tokens."""
    return _experiments("MLP, AdamW, language", {})


def gpu() -> Experiments:
    """256 tokens, and eight times as many steps."""
    return _experiments("MLP, AdamW, larger language", {"tokens": 256, "shown": 51_200})


CLAIMS = (
    Claim(
        "independent-transfers-better",
        "With the LRs of μP, the LR that is best at width 32 has less regret at width 256 with "
        "independent weight decay than with standard one.",
        "abstract",
        Difference(INDEPENDENT.regret, STANDARD.regret, _NATS),
        "below",
        (_NAME, "loss"),
        of="μP needs independent weight decay for the learning rate to transfer",
        also=(
            Level(INDEPENDENT.regret, 0.0, _NATS),
            Level(STANDARD.regret, 0.0, _NATS),
            INDEPENDENT.shift,
            Difference(INDEPENDENT.carried, STANDARD.carried, _NATS),
        ),
    ),
    Claim(
        "standard-moves-best",
        "With the LRs of μP and standard weight decay, the best LR is larger at width 256.",
        "– (follows from the product of LR and decay falling with the width)",
        STANDARD.shift,
        "above",
        (_NAME, "loss"),
        of="With standard weight decay the best learning rate of μP grows with the width",
    ),
    Claim(
        "warm-up-helps-transfer",
        "With one LR for all widths, the LR that is best at width 32 has less regret at width 256 "
        "with a warm-up than without.",
        "abstract",
        Difference(PLAIN.regret, SUDDEN.regret, _NATS),
        "below",
        (_NAME, "loss"),
        of="Without the scaling of μP, a warm-up lowers the regret of the learning rate carried",
        also=(
            Level(SUDDEN.regret, 0.0, _NATS),
            PLAIN.shift,
            SUDDEN.shift,
            Difference(PLAIN.carried, SUDDEN.carried, _NATS),
            Difference(PLAIN.best, SUDDEN.best, _NATS),
        ),
    ),
    Claim(
        "warm-up-replaces-scaling",
        "With a linear warm-up, the LR that is best at width 32 has at most 0.01 nats more regret "
        "at width 256 with one LR for all widths than with the LRs of μP and independent weight "
        "decay.",
        "abstract",
        Difference(PLAIN.regret, INDEPENDENT.regret, _NATS, bound=0.01),
        "below",
        (_NAME, "loss"),
        of="By regret, a linear warm-up replaces the scaling of μP",
        also=(
            Level(PLAIN.regret, 0.0, _NATS),
            Difference(PLAIN.carried, INDEPENDENT.carried, _NATS),
        ),
    ),
)

PAPER = Paper(
    name="kosson2025",
    title="Weight Decay may matter more than muP for Learning Rate Transfer in Practice",
    authors=("Kosson", "Welborn", "Liu", "Jaggi", "Chen"),
    venue="2025",
    arxiv="2510.19093",
    about="Kosson et al. (2025) claim that the assumptions of μP, by which learning rates (LRs) "
    "transfer from narrow to wide networks, hold only briefly at the start of training; then it is "
    "weight decay that keeps updates alike over widths, and the scaling of μP acts as a warm-up, "
    "which a modified warm-up largely replaces. This explains why μP needs independent weight "
    "decay, whose product with the LR does not fall with the width. Here the LR that is best at "
    f"width {NARROW} is used at width {WIDE}. Its regret is how far its loss there exceeds that of "
    "the best LR for this width and kind of scaling.",
    differs="The paper trains transformers of many sizes on texts, and residual networks; here a "
    "perceptron with two normalised hidden layers learns a small language in 600 steps. The "
    "grid has factors of √2, and two widths. The paper modifies the warm-up; here it is "
    "linear over a sixth of the steps, and then there is none instead. Regret, which is 0 "
    "if the same LR is best at both widths, and the margin of 0.01 nats were chosen here. "
    "Seeds differ in initial weights and data order, not in the language. A first version "
    "had a grid with factors of 2.8, too coarse to compare the two kinds of decay: the best "
    "point was the same for both, on all five seeds. The finer grid was run after its "
    "results were seen. The intervals of regrets do not cover the spacing of the grid. Less "
    "regret is not a lower loss: the secondary measures, added after the results were seen, "
    "compare the losses themselves. The LRs of μP with independent decay have hardly any "
    "regret, but end with a higher loss than one LR for all widths. The abstract was "
    "checked, the body of the paper was not.",
    claims=CLAIMS,
    titles={_NAME: "Perceptrons of two widths on a small language"},
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "loss": OverSetting(
            "Validation loss at the end",
            "learning rate",
            {
                f"width {NARROW}, warm-up": (LOSS, PLAIN.by_rate(NARROW)),
                f"width {NARROW}, no warm-up": (LOSS, SUDDEN.by_rate(NARROW)),
                **{f"width {WIDE}, {kind.words}": (LOSS, kind.by_rate(WIDE)) for kind in KINDS},
            },
        )
    },
    leads=("loss",),
)
