"""Lewkowycz et al. (2020): above the LR 2/λ₀, gradient descent catapults into flatter minima.

λ₀ is the sharpness at the start. Learning rates are multiples of 1/λ₀, with the mean λ₀ of seeds
1000 to 1009 on another draw of the training images: 1.21 for the two-layer network on digits
(standard deviation over seeds 0.07), and 2.77 for the four-layer one (0.45, so that 4/λ₀ is 3 to 5
times the 1/λ₀ of a single network); 0.419 and 1.335 on 1000 images of CIFAR-10 (below 0.02). All
arms have the same product of learning rate and steps, 1200/λ₀, with which 1/λ₀ fits 99 % of the
training images of seed 1000. The parametrisation is that of the paper's analysis; widths and
number of steps were set by their cost on two cores.

In the experiment "four-own" learning rates are multiples of 1/λ₀ with the λ₀ of each network,
measured at its initial weights. It was added after the others had been run, with the settings of
"four"; the two-layer networks deviate too little from their mean for it to matter.
"""

from __future__ import annotations

import math
from dataclasses import replace

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import SharpnessConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves, OverSetting
from learnorder.reproduce.papers.grids import Best, Grid, UpToSpacing
from learnorder.reproduce.papers.measures import Growth, Quantity, Recorded, ShareTrained
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

MULTIPLES = (1.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Learning rates, in units of 1/λ₀."""
TIME = 1200
"""Learning rate times number of steps, in units of 1/λ₀."""
TRAINED = 0.5
"""Training accuracy from which a run counts as trained; chance is 10 %."""
_TASK = "learnorder.reproduce.papers.tasks.squared_error"
_OWN_TASK = "learnorder.reproduce.papers.critical_rate.critical_squared_error"


def arm_of(multiple: float) -> str:
    """Return the name of the arm at a multiple of 1/λ₀."""
    return f"ηλ₀ = {multiple:g}"


LAZY, CATAPULT = arm_of(1), arm_of(4)
ARMS = {multiple: arm_of(multiple) for multiple in MULTIPLES}
LOSS = Quantity("train", "loss", "training loss")
SHARPNESS = Quantity("run", "sharpness", "sharpness λ")
EDGE = Quantity("run", "edge", "ηλ/2")
FITTED = Quantity("train", "accuracy", "training accuracy")
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")
_PLAIN, _DECADES = Unit("", digits=3), Unit("decades", digits=2)
OWN = "four-own"
"""The experiment of the four-layer network in which each has its own λ₀."""
_TITLES = {
    "two": "Two-layer network on digits",
    "four": "Four-layer network on digits",
    OWN: "Four-layer network on digits, each with its own λ₀",
}
_NAMES = {"two": "two layers", "four": "four layers", OWN: "four layers, own λ₀"}


def _experiment(
    task: TaskConfig, setting: str, sharpness: float, training: TrainingConfig, examples: int
) -> PaperExperiment:
    """Return the arms of a network with the sharpness λ₀ at the start.

    A task whose LRs are in units of 2/λ₀ has the sharpness 2.
    """
    arms = {
        arm: TaskRunConfig(
            task,
            replace(training, epochs=round(TIME / multiple)),
            Schedule(float(f"{multiple / sharpness:.4g}")),
            sharpness=SharpnessConfig(examples, every=round(TIME / multiple) // 5),
        )
        for multiple, arm in ARMS.items()
    }
    return PaperExperiment(arms, setting)


def laptop() -> Experiments:
    """Digits: all 720 training images in each step, one step an epoch."""
    training = TrainingConfig(batch_size=720, momentum=0.0, nesterov=False, weight_decay=0.0)
    return {
        name: _experiment(
            TaskConfig(_TASK, {"widths": widths}), f"{name}-layer MLP, GD, digits", sharpness,
            training, 720,
        )
        for name, widths, sharpness in (("two", [256], 1.21), ("four", [256, 256, 256], 2.77))
    } | {
        OWN: _experiment(
            TaskConfig(_OWN_TASK, {"widths": [256, 256, 256]}),
            "four-layer MLP, GD by own λ₀, digits", 2.0, TrainingConfig(batch_size=720), 720,
        )
    }  # fmt: skip


def gpu() -> Experiments:
    """CIFAR-10: 10,000 images in each step, wider networks."""
    training = TrainingConfig(
        batch_size=10_000, momentum=0.0, nesterov=False, weight_decay=0.0, precision="bf16"
    )
    arguments = {"source": "hub:uoft-cs/cifar10", "examples": 10_000}
    return {
        name: _experiment(
            TaskConfig(_TASK, {"widths": widths, **arguments}),
            f"{name}-layer MLP, GD, CIFAR-10", sharpness, training, 1000,
        )
        for name, widths, sharpness in (
            ("two", [2048], 0.419), ("four", [1024, 1024, 1024], 1.335),
        )
    } | {
        OWN: _experiment(
            TaskConfig(_OWN_TASK, {"widths": [1024] * 3, "measured": 1000, **arguments}),
            "four-layer MLP, GD by own λ₀, CIFAR-10", 2.0,
            TrainingConfig(batch_size=10_000, precision="bf16"), 1000,
        )
    }  # fmt: skip


def _stable_end(name: str) -> Claim:
    """Return the claim about η at the end, which is not recorded where the unit of LRs is 2/λ₀."""
    return Claim(
        f"stable-end-{name}",
        f"At 4/λ₀ the final sharpness is below 2/η ({_NAMES[name]}).",
        "text (section not checked)",
        Level(Recorded(name, CATAPULT, EDGE), 1.0, _PLAIN),
        "below",
        (name, "sharpness"),
        of="After the catapult, the sharpness is below 2/η",
    )


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""
    on = f" ({_NAMES[name]})"

    def at(arm: str, quantity: Quantity) -> Recorded:
        return Recorded(name, arm, quantity)

    def trained(multiple: float) -> ShareTrained:
        return ShareTrained(name, arm_of(multiple), FITTED, TRAINED)

    accuracies = Grid(name, "all learning rates", ARMS, ACCURACY)
    return (
        Claim(
            f"lazy-monotone-{name}",
            f"Below 2/λ₀, at 1/λ₀, the loss does not grow: its peak exceeds its start by less than "
            f"0.01 decades{on}.",
            "abstract",
            Level(Growth(name, LAZY, LOSS), 0.01, _DECADES),
            "below",
            (name, "loss"),
            of="At learning rates below 2/λ₀ the loss does not grow",
        ),
        Claim(
            f"loss-grows-{name}",
            f"Between 2/λ₀ and the largest stable LR, at 4/λ₀, the loss first grows{on}.",
            "abstract of the later version",
            Level(Growth(name, CATAPULT, LOSS), 0.01, _DECADES),
            "above",
            (name, "loss"),
            of="At learning rates above 2/λ₀ the loss first grows",
        ),
        Claim(
            f"still-trains-{name}",
            f"At 4/λ₀ most runs train nevertheless{on}.",
            "abstract",
            trained(4),
            "above",
            (name, "accuracy"),
            also=(Level(at(CATAPULT, FITTED), TRAINED),),
            of="At 4/λ₀ training still converges",
            with_diverged=True,
        ),
        Claim(
            f"flatter-{name}",
            f"Gradient descent at 4/λ₀ ends in a flatter minimum than at 1/λ₀{on}.",
            "abstract",
            Difference(at(CATAPULT, SHARPNESS), at(LAZY, SHARPNESS), _PLAIN),
            "below",
            (name, "sharpness"),
            of="Learning rates above 2/λ₀ end in flatter minima",
        ),
        *(() if name == OWN else (_stable_end(name),)),
        Claim(
            f"relu-range-{name}",
            f"ReLU networks train up to about 12/λ₀, well above 4/λ₀: most runs at 8/λ₀ do{on}.",
            "text (section not checked)",
            trained(8),
            "above",
            (name, "accuracy"),
            also=(trained(6), trained(12)),
            of="ReLU networks train at 8/λ₀, twice the bound 4/λ₀ of linear networks",
            with_diverged=True,
        ),
        Claim(
            f"diverges-{name}",
            f"Above about 12/λ₀, at 16/λ₀, most runs do not train{on}.",
            "text (section not checked)",
            trained(16),
            "below",
            (name, "accuracy"),
            of="At 16/λ₀, above the largest stable learning rate of 12/λ₀, training fails",
            with_diverged=True,
        ),
        Claim(
            f"generalises-{name}",
            f"At the same product of LR and steps, 4/λ₀ generalises better than 1/λ₀{on}.",
            "abstract",
            Difference(at(CATAPULT, ACCURACY), at(LAZY, ACCURACY)),
            "above",
            (name, "accuracy"),
            also=(UpToSpacing(Level(Best(accuracies), math.log10(2), _DECADES)),),
            of="Learning rates above 2/λ₀ generalise better than those below",
        ),
    )


PAPER = Paper(
    name="lewkowycz2020",
    title="The large learning rate phase of deep learning: the catapult mechanism",
    authors=("Lewkowycz", "Bahri", "Dyer", "Sohl-Dickstein", "Gur-Ari"),
    venue="2020",
    arxiv="2003.02218",
    about="Lewkowycz et al. (2020) describe three phases of gradient descent (GD) with a squared "
    "error, by the learning rate (LR) η and the sharpness λ₀ at the start: below 2/λ₀ training is "
    "lazy; above it the loss first grows and training ends in a flatter minimum; above about 4/λ₀, "
    "or 12/λ₀ for ReLU networks, it diverges. Here LRs from 1/λ₀ to 16/λ₀ are compared at the same "
    "product of LR and steps.",
    differs="λ₀ is the largest eigenvalue of the loss's Hessian, where the paper has that of the "
    "neural tangent kernel; its mean over seeds is used, from which single networks deviate by 6 % "
    "(two layers) or 16 % (four layers), as a standard deviation. Four layers were later also "
    "trained with the λ₀ of each network, at the same settings. All networks are "
    "perceptrons with ReLU in the kernel's parametrisation, trained by full batches. The "
    "paper's larger networks and its mini-batches are not used. In pilot runs on other "
    "seeds, networks with another initialisation or with biases diverged elsewhere, from "
    "6/λ₀ to above 24/λ₀; this one was chosen after seeing some of them, so where training "
    "fails is a property of this network. The paper's abstract was checked; the bounds 2/η,"
    " 4/λ₀ and 12/λ₀ are cited from memory.",
    claims=tuple(claim for name in _TITLES for claim in _claims(name)),
    titles=_TITLES,
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "loss": Curves(LOSS, log=True, log_epochs=True),
        "sharpness": OverSetting(
            "Sharpness at the end", "LR × λ₀", {"λ": (SHARPNESS, ARMS)}, log=True
        ),
        "accuracy": OverSetting(
            "Accuracy at the end",
            "LR × λ₀",
            {"training": (FITTED, ARMS), "validation": (ACCURACY, ARMS)},
        ),
    },
    leads=("loss", "sharpness", "accuracy"),
)
