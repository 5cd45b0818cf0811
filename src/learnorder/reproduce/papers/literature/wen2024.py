"""Wen et al. (2024): what is learned on a plateau with a large LR shows only when the LR decays.

All arms with the large LR are the same run until their decay, which is linear, takes the same
number of epochs, and begins after plateaus of several lengths.

The large LR is, of the powers of 2, the largest that is stable on seeds 1000 to 1002 and another
draw of the data: no run diverges, and in each the mean training loss of the last quarter of the
plateau is below that of the second quarter. The small one is a sixteenth of it. No decay was looked
at. Pixels are hidden, and the language has uncertain followers, so that no training loss reaches 0.
There is no weight decay, as in the paper's analysis: a plateau with it would reach an equilibrium.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves, OverSetting
from learnorder.reproduce.papers.grids import Grid, Trend
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

_MODULE = "learnorder.reproduce.papers"
LARGE, SMALL, SMALL_DECAYED = "large LR", "small LR", "small LR, decayed"
_FACTOR = 16
"""The large LR over the small one."""
LOSS = Quantity("train", "loss", "training loss")
HELD_OUT = Quantity("validation", "loss", "validation loss")
_NATS = Unit("", digits=3)

_PLATEAUS = {"language": (5, 10, 20, 40), "convnet": (10, 20, 40, 80), "mlp": (10, 20, 40, 80)}
"""Lengths of the plateau in epochs; the decay takes as many as the shortest."""
_TITLES = {
    "language": "MLP on a small language",
    "convnet": "Convolutional network on digits with hidden pixels",
    "mlp": "MLP on digits with hidden pixels",
}
_SHORT = {"language": "language", "convnet": "ConvNet", "mlp": "MLP"}


def _decayed(plateau: int) -> str:
    return f"large LR, decayed after {plateau} epochs"


def _by_length(plateaus: Iterable[int]) -> dict[float, str]:
    """Return the arms with a decay by the length of their plateau."""
    return {float(plateau): _decayed(plateau) for plateau in sorted(plateaus)}


_ALL_LENGTHS = _by_length({plateau for plateaus in _PLATEAUS.values() for plateau in plateaus})


def _experiment(
    name: str, task: TaskConfig, setting: str, large: float, training: TrainingConfig
) -> PaperExperiment:
    plateaus = _PLATEAUS[name]
    decay, longest, small = plateaus[0], plateaus[-1], large / _FACTOR

    def arm(rate: float, plateau: int, *, decays: bool) -> TaskRunConfig:
        epochs = plateau + decay
        schedule = Schedule(rate, linear_after=plateau / epochs if decays else None)
        return TaskRunConfig(task, replace(training, epochs=epochs), schedule)

    arms = {
        LARGE: arm(large, longest, decays=False),
        **{_decayed(plateau): arm(large, plateau, decays=True) for plateau in plateaus},
        SMALL: arm(small, longest, decays=False),
        SMALL_DECAYED: arm(small, longest, decays=True),
    }
    return PaperExperiment(arms, setting)


def laptop() -> Experiments:
    """720 digits in batches of 32 with SGD; 200 batches of 64 in an epoch of the language."""
    adam = TrainingConfig(batch_size=64, optimizer="AdamW", weight_decay=0.0)
    sgd = TrainingConfig(batch_size=32, weight_decay=0.0)
    return {
        "language": _experiment(
            "language", TaskConfig(f"{_MODULE}.language.trigrams"), "MLP, AdamW, language",
            2.0**-6, adam,
        ),
        **{
            network: _experiment(
                network, TaskConfig(f"{_MODULE}.tasks.hidden_pixels", {"network": network}),
                f"{_SHORT[network]}, SGD, digits", large, sgd,
            )
            for network, large in (("convnet", 1.0), ("mlp", 2.0**-5))
        },
    }  # fmt: skip


def gpu() -> Experiments:
    """CIFAR-10 at full size, with WRN-16-4 and the MLP, and a language of 256 tokens."""
    language = {"tokens": 256, "width": 1024, "triples": 1_000_000, "shown": 100_000}
    adam = TrainingConfig(batch_size=128, optimizer="AdamW", weight_decay=0.0, precision="bf16")
    sgd = TrainingConfig(batch_size=128, weight_decay=0.0, precision="bf16")
    images = {"source": "hub:uoft-cs/cifar10"}
    return {
        "language": _experiment(
            "language", TaskConfig(f"{_MODULE}.language.trigrams", language),
            "MLP, AdamW, language", 2.0**-8, adam,
        ),
        **{
            name: _experiment(
                name,
                TaskConfig(f"{_MODULE}.tasks.hidden_pixels", {"network": network, **images}),
                f"{title}, SGD, CIFAR-10", large, sgd,
            )
            for name, network, title, large in (
                ("convnet", "wrn", "WRN-16-4", 1.0), ("mlp", "mlp", "MLP", 2.0**-5),
            )
        },
    }  # fmt: skip


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""
    plateaus = _PLATEAUS[name]
    decay, longest = plateaus[0], plateaus[-1]
    late = (longest - decay + 1, longest)
    on = f" ({_SHORT[name]})"
    curves = "loss" if name == "language" else "log-loss"

    def minus(a: Recorded, b: Recorded) -> Difference:
        return Difference(a, b, _NATS)

    def value(
        arm: str, epochs: tuple[int, int] | None = None, quantity: Quantity = LOSS
    ) -> Recorded:
        return Recorded(name, arm, quantity, epochs)

    def at_its_end(plateau: int, other: str) -> Difference:
        """Compare a decayed arm with one that is then at the same step."""
        end = plateau + decay
        return minus(value(_decayed(plateau)), value(other, (end, end)))

    def trend(quantity: Quantity) -> Level:
        grid = Grid(name, "plateaus of all lengths, decayed", _by_length(plateaus), quantity)
        return Level(Trend(grid), 0.0, _NATS)

    return (
        Claim(
            f"plateau-higher-{name}",
            f"At the end of the plateau the training loss is higher than at a small LR{on}.",
            "abstract",
            minus(value(LARGE, late), value(SMALL, late)),
            "above",
            (name, curves),
            of="On the plateau a large LR has a higher loss than a small one",
        ),
        Claim(
            f"decay-reveals-{name}",
            f"{decay} epochs of decay after the shortest plateau lower the loss more than "
            f"{longest} further epochs on the plateau{on}.",
            "abstract",
            minus(value(_decayed(decay)), value(LARGE)),
            "below",
            (name, curves),
            of="A short decay lowers the loss more than a long plateau",
            also=tuple(at_its_end(plateau, LARGE) for plateau in plateaus),
        ),
        Claim(
            f"decayed-lower-{name}",
            f"After the decay the loss is lower than at the small LR at the same step{on}.",
            "abstract",
            at_its_end(longest, SMALL),
            "below",
            (name, curves),
            of="After the decay a large LR has a lower loss than a small one",
            also=tuple(at_its_end(plateau, SMALL) for plateau in plateaus[:-1]),
        ),
        Claim(
            f"further-{name}",
            f"The large LR gets further: decayed alike, it ends with a lower loss than the small "
            f"one{on}.",
            "abstract",
            minus(value(_decayed(longest)), value(SMALL_DECAYED)),
            "below",
            (name, curves),
            of="Decayed alike, a large LR ends with a lower loss than a small one",
            also=(
                minus(
                    value(_decayed(longest), quantity=HELD_OUT),
                    value(SMALL_DECAYED, quantity=HELD_OUT),
                ),
            ),
        ),
        Claim(
            f"longer-better-{name}",
            f"The longer the plateau, the lower the loss after the decay{on}.",
            "abstract",
            trend(LOSS),
            "below",
            (name, "length"),
            of="The longer the plateau, the lower the loss after the decay",
            also=(trend(HELD_OUT),),
        ),
    )


PAPER = Paper(
    name="wen2024",
    title="Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss Landscape "
    "Perspective",
    authors=("Wen", "Li", "Wang", "Hall", "Liang", "Ma"),
    venue="ICLR 2025",
    arxiv="2410.05192",
    about="Wen et al. (2024) picture the loss as a river in a deep valley: on a plateau with a "
    "large learning rate (LR) the weights bounce between the slopes, which keeps the loss high, "
    "and move fast along the river, which shows only when the LR decays. The decay may begin "
    "anywhere on the plateau. Here it begins after four lengths of the same run, and a small LR is "
    "a sixteenth of the large one. Belloni, Noci and Orvieto (2026, arXiv:2601.09000) report that "
    "a small convolutional network on images behaves as a language model in this respect, which is "
    "why there are images here too.",
    differs="The paper trains language models of 0.1 to 1.2 billion parameters with a warm-up, and "
    "a small one on bigrams. Here a perceptron predicts the third token of random triples, each "
    "shown about twice in the longest runs, and digits are shown with 60 % of their pixels hidden, "
    "others each time; there is no warm-up. Losses are means over an epoch's steps. The large LR "
    "is the largest stable one, not the one that is best after a decay, and no LR between the two "
    "was tried. The abstracts of both papers were checked; their texts were not at hand.",
    claims=(*_claims("language"), *_claims("convnet"), *_claims("mlp")),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "loss": Curves(LOSS),
        "log-loss": Curves(LOSS, log=True),
        "length": OverSetting(
            "Loss after the decay",
            "epochs on the plateau",
            {"training": (LOSS, _ALL_LENGTHS), "validation": (HELD_OUT, _ALL_LENGTHS)},
        ),
    },
    leads=("loss", "log-loss", "length"),
)
