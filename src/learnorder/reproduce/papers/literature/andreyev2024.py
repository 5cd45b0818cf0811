"""Andreyev and Beneventano (2024): with batches, the batch sharpness sits at 2/η, and λ below it.

SGD without momentum and a squared error, on 360 images in batches of 8 to all of them. LR times
number of steps is the same in all arms.

LR and number of steps were chosen on seeds 1000 to 1002 and another draw of the training images, by
full batches alone: λ is at 2/η from the middle of the steps on, and the loss is still falling at
the end. Networks in the kernel's parametrisation or with He's initialisation were left out, since λ
falls in them instead; the authors, too, begin with small weights. With batches it was only checked
that no run diverges.
"""

from __future__ import annotations

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import DiagnosticsConfig, SharpnessConfig, TrainingConfig
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import OverSetting
from learnorder.reproduce.papers.grids import Grid, Trend
from learnorder.reproduce.papers.measures import Distance, Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, Paper, PaperExperiment
from learnorder.schedules import Schedule
from learnorder.statistics import Unit

EXAMPLES = 360
"""Training images."""
STEPS, RATE = 720, 0.1
"""Steps, and the LR η."""
TOLERANCE = 0.2
"""How far ηS/2 may be from 1 if S is said to be at 2/η."""
_WITHIN = f"within {100 * TOLERANCE:.0f} %"
MEASUREMENTS = 16
"""Measurements of each run, evenly spaced; the claims are about the second half of them."""
_TASK = "learnorder.reproduce.papers.tasks.labelled_images"


def arm_of(batch: int) -> str:
    """Return the name of the arm with batches of this size."""
    return "full batch" if batch == EXAMPLES else f"batches of {batch}"


BATCHES = {float(batch): arm_of(batch) for batch in (8, 40, 90, EXAMPLES)}
"""The arms with the LR η by their batch size."""
SMALLEST, *_, FULL = BATCHES.values()
HALF = f"{SMALLEST}, half the LR"
_ARMS = {arm: (round(batch), RATE) for batch, arm in BATCHES.items()} | {HALF: (8, RATE / 2)}
"""Batch size and LR by arm."""

BATCH_EDGE = Quantity("run", "batch_edge", "batch sharpness × η/2")
EDGE = Quantity("run", "edge", "λη/2")
SHARPNESS = Quantity("run", "sharpness", "sharpness λ")
_PLAIN = Unit("", digits=2)
_NETWORKS = {"mlp": "mlp", "convnet": "unnormalised convnet"}
_WORDS = {"mlp": "MLP", "convnet": "ConvNet without norm"}


def _epochs(arm: str) -> int:
    """Return the number of epochs of an arm: the same LR times steps for all."""
    batch, rate = _ARMS[arm]
    return round(STEPS * RATE / rate * batch / EXAMPLES)


def _run(arm: str, task: TaskConfig) -> TaskRunConfig:
    """Return the settings of an arm; λ and the batch sharpness are measured on all images."""
    (batch, rate), epochs = _ARMS[arm], _epochs(arm)
    every = epochs // MEASUREMENTS
    return TaskRunConfig(
        task,
        TrainingConfig(epochs, batch, momentum=0.0, nesterov=False, weight_decay=0.0),
        Schedule(rate),
        sharpness=SharpnessConfig(EXAMPLES, every),
        diagnostics=DiagnosticsConfig(every, batches=EXAMPLES // batch),
    )


def _experiment(name: str, source: str, on: str) -> PaperExperiment:
    images = {"source": source, "examples": EXAMPLES}
    task = TaskConfig(_TASK, {"network": _NETWORKS[name], "loss": "squared error", **images})
    return PaperExperiment({arm: _run(arm, task) for arm in _ARMS}, f"{_WORDS[name]}, SGD, {on}")


def laptop() -> Experiments:
    """Digits."""
    return {name: _experiment(name, "digits", "digits") for name in _NETWORKS}


def gpu() -> Experiments:
    """As many images of CIFAR-10."""
    return {name: _experiment(name, "hub:uoft-cs/cifar10", "CIFAR-10") for name in _NETWORKS}


def _claims(name: str) -> tuple[Claim, ...]:
    """Return the claims about a network."""

    def late(arm: str, quantity: Quantity) -> Recorded:
        return Recorded(name, arm, quantity, "second half")

    def at_edge(arm: str, quantity: Quantity) -> Level:
        return Level(Distance(name, arm, quantity, "second half"), TOLERANCE, _PLAIN)

    def difference(a: str, b: str, quantity: Quantity = SHARPNESS) -> Difference:
        return Difference(late(a, quantity), late(b, quantity), _PLAIN)

    on = f" ({_WORDS[name]})"
    batches = Grid(name, "the arms by batch size", BATCHES, EDGE, "second half")
    between = list(BATCHES.values())[1:-1]
    return (
        Claim(
            f"full-batch-edge-{name}",
            f"Full-batch gradient descent trains at λ = 2/η, {_WITHIN}{on}.",
            "abstract, citing Cohen et al. (2021)",
            at_edge(FULL, EDGE),
            "below",
            (name, "edge"),
            of="With full batches, λ is at 2/η",
            also=(Level(late(FULL, EDGE), 1.0, _PLAIN),),
        ),
        Claim(
            f"batch-edge-{name}",
            f"SGD with {SMALLEST} trains at a batch sharpness of 2/η, {_WITHIN}{on}.",
            "abstract",
            at_edge(SMALLEST, BATCH_EDGE),
            "below",
            (name, "edge"),
            of="With batches of 8, the batch sharpness is at 2/η",
            also=tuple(Level(late(arm, BATCH_EDGE), 1.0, _PLAIN) for arm in (SMALLEST, *between)),
        ),
        Claim(
            f"batch-edge-half-{name}",
            f"So it does at half the LR, where 2/η is twice as large{on}.",
            "abstract",
            at_edge(HALF, BATCH_EDGE),
            "below",
            (name, "edge"),
            of="The batch sharpness follows 2/η to half the LR",
            also=(Level(late(HALF, BATCH_EDGE), 1.0, _PLAIN),),
        ),
        Claim(
            f"below-edge-{name}",
            f"With {SMALLEST}, λ stays below 2/η{on}.",
            "abstract",
            Level(late(SMALLEST, EDGE), 1.0, _PLAIN),
            "below",
            (name, "edge"),
            of="With batches of 8, λ is below 2/η",
            also=tuple(Level(late(arm, EDGE), 1.0, _PLAIN) for arm in between),
        ),
        Claim(
            f"smaller-batch-flatter-{name}",
            f"λ is lower with {SMALLEST} than with full batches{on}.",
            "abstract",
            difference(SMALLEST, FULL),
            "below",
            (name, "edge"),
            of="Smaller batches train at a lower λ",
            also=(Level(Trend(batches), 0.0, _PLAIN),),
        ),
        Claim(
            f"larger-step-flatter-{name}",
            f"With {SMALLEST}, λ is lower at the LR η than at η/2{on}.",
            "abstract",
            difference(SMALLEST, HALF),
            "below",
            (name, "edge"),
            of="Larger learning rates train at a lower λ",
        ),
    )


PAPER = Paper(
    name="andreyev2024",
    title="Edge of Stochastic Stability: Revisiting the Edge of Stability for SGD",
    authors=("Andreyev", "Beneventano"),
    venue="2024",
    arxiv="2412.20553",
    about="Gradient descent with learning rate (LR) η trains where the largest eigenvalue λ of the "
    "loss's Hessian is 2/η. Andreyev and Beneventano (2024) claim that with batches, it is the "
    "batch sharpness that stabilises at 2/η: the mean over batches B of g_Bᵀ H_B g_B / ‖g_B‖², the "
    "curvature of a batch's loss along its gradient. λ stays below, and is the lower the smaller "
    "the batches and the larger the LR. Here networks are trained with batches of 8 to all 360 "
    "images, and both are measured over the second half of the epochs.",
    differs="The paper trains perceptrons, convolutional and residual networks on some thousand "
    "images of CIFAR-10, mostly with a squared error, as here. It says that the batch sharpness "
    f"hovers around 2/η; that it must be {_WITHIN} was set before the runs. Its mean is over all "
    "batches of the first epoch, where the authors' code draws up to 1000 batches at random; on "
    "seed 1000, other batches gave the same, and so did the ratio of the two means. "
    "The paper's runs are longer: here the loss still falls, but with batches of 8 the batch "
    "sharpness stays where it is in the second half of the epochs. "
    "Settings were chosen such that full-batch gradient descent reaches 2/η; where training ends "
    "before, the paper claims nothing. The abstract, its first version and the authors' code were "
    "checked, the body of the paper was not.",
    claims=tuple(claim for name in _NETWORKS for claim in _claims(name)),
    titles={"mlp": "MLP on digits", "convnet": "Convolutional network without norm on digits"},
    scales={"laptop": laptop, "gpu": gpu},
    figures={
        "edge": OverSetting(
            "λ and batch sharpness in the second half of the epochs, in units of 2/η",
            "batch size",
            {"λ": (EDGE, BATCHES), "batch sharpness": (BATCH_EDGE, BATCHES)},
            epochs="second half",
            marked=1.0,
        ),
    },
    leads=("edge",),
)
