"""Arms of papers that set the learning rate against the noise of mini-batch gradients.

An epoch of each arm has the same product of learning rate and steps, that of one pass in the
mini-batches of SGD at the large learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import SharpnessConfig, TrainingConfig
from learnorder.reproduce.measures import Difference, Level
from learnorder.reproduce.papers.figures import Curves, Finals
from learnorder.reproduce.papers.measures import Quantity, Recorded
from learnorder.reproduce.papers.paper import Experiments, PaperExperiment
from learnorder.schedules import Schedule

LOSS = Quantity("train", "loss", "training loss")
FITTED = Quantity("train", "accuracy", "training accuracy")
ACCURACY = Quantity("validation", "accuracy", "validation accuracy")
SHARPNESS = Quantity("run", "sharpness", "sharpness")
FIGURES = {"accuracy": Finals(ACCURACY), "loss": Curves(LOSS, log=True)}
TRAINED = 0.99
"""Training accuracy from which a run counts as trained."""
_NETWORKS = {
    "mlp": ("mlp", "MLP"),
    "convnet": ("unnormalised convnet", "ConvNet without norm"),
}
"""The network of each experiment, and in words."""
_TASK = "learnorder.reproduce.papers.full_batch.in_passes"


@dataclass(frozen=True)
class Setup:
    """What the arms of an experiment share: plain SGD at constant rates, without weight decay.

    Attributes:
        network: mlp or unnormalised convnet: batch norm would make the batch size matter otherwise
            than through the noise of the gradient.
        words: Network, optimiser and data in a few words.
        rate: The large learning rate.
        epochs: Number of epochs.
        images: Number of training images.
        batch: Size of the mini-batches at the large learning rate, a divisor of ``images``.
        source: Location of the images.
        measured: Number of images on which the sharpness is measured.
        precision: Precision of the forward pass.
        seeds: Number of seeds.
    """

    network: str
    words: str
    rate: float
    epochs: int
    images: int = 240
    batch: int = 24
    source: str = "digits"
    measured: int = 240
    precision: Literal["fp32", "bf16"] = "fp32"
    seeds: int = 10

    def run(self, batch: int, *, slower: int = 1, penalised: bool = False) -> TaskRunConfig:
        """Return an arm's run.

        Args:
            batch: Size of its batches.
            slower: Divides the learning rate and multiplies the steps.
            penalised: Whether the squared norm of mini-batch gradients is penalised, with the
                learning rate as the strength.
        """
        arguments = {
            "network": self.network,
            "passes": slower * batch // self.batch,
            "source": self.source,
            "examples": self.images,
        }
        training = TrainingConfig(self.epochs, batch, precision=self.precision)
        if penalised:  # the task has its own optimiser
            arguments["penalised"] = self.batch
        else:
            training = replace(training, momentum=0.0, nesterov=False, weight_decay=0.0)
        return TaskRunConfig(
            TaskConfig(_TASK, arguments),
            training,
            Schedule(self.rate / slower),
            sharpness=SharpnessConfig(self.measured, every=self.epochs // 5),
        )


Arms = Callable[[Setup], Mapping[str, TaskRunConfig]]
"""Returns the runs of a seed by arm."""


def laptop(arms: Arms, rates: Mapping[str, float], epochs: int) -> Experiments:
    """Return experiments on digits: 240 training images, for SGD in mini-batches of 24.

    Args:
        arms: Returns the arms of an experiment.
        rates: The large learning rate by experiment.
        epochs: Number of epochs.
    """
    return {
        name: _experiment(Setup(network, f"{words}, SGD, digits", rates[name], epochs), arms)
        for name, (network, words) in _NETWORKS.items()
    }


def gpu(arms: Arms, rates: Mapping[str, float], epochs: int) -> Experiments:
    """Return experiments on 10,000 images of CIFAR-10, for SGD in mini-batches of 80."""
    setups = {
        name: Setup(
            network, f"{words}, SGD, CIFAR-10", rates[name], epochs, images=10_000, batch=80,
            source="hub:uoft-cs/cifar10", measured=1000, precision="bf16", seeds=6,
        )
        for name, (network, words) in _NETWORKS.items()
    }  # fmt: skip
    return {name: _experiment(setup, arms) for name, setup in setups.items()}


def _experiment(setup: Setup, arms: Arms) -> PaperExperiment:
    return PaperExperiment(arms(setup), setup.words, seeds=setup.seeds)


def difference(
    experiment: str, a: str, b: str, quantity: Quantity = ACCURACY, bound: float = 0.0
) -> Difference:
    """Return the measure of a quantity's final difference between two arms."""
    first, second = (Recorded(experiment, arm, quantity) for arm in (a, b))
    return Difference(first, second, quantity.difference_unit, bound)


def fitted(experiment: str, *arms: str) -> tuple[Level, ...]:
    """Return the measures of how far arms are trained."""
    return tuple(Level(Recorded(experiment, arm, FITTED), TRAINED) for arm in arms)
