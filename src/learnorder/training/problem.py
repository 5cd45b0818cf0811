"""What a run trains, as the training loop sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from learnorder.config.settings import NoiseConfig, SharpnessConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.schedules import Varying
from learnorder.training.records import Records

Part = Literal["model", "loss", "score"]
"""What a run's problem is made of."""


class RunSettings(Protocol):
    """What the training loop asks of a run's configuration."""

    @property
    def training(self) -> TrainingConfig:
        """The optimiser and the length."""
        ...

    @property
    def learning_rate(self) -> Varying:
        """The learning rate."""
        ...

    @property
    def noise(self) -> NoiseConfig:
        """Noise before the activations."""
        ...

    @property
    def sharpness(self) -> SharpnessConfig:
        """What is measured of the curvature."""
        ...

    @property
    def seed(self) -> int:
        """The seed."""
        ...


class Problem(Protocol):
    """A network with its batches, its loss, and what is measured of it.

    A batch is the problem's own affair: the loop hands it from :meth:`epoch` to the others.
    """

    network: nn.Module
    counts: Tensor
    """What training batches of the epoch under way add up to; part of a checkpoint."""

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        ...

    def examples(self, step: int) -> int:
        """Return the number of examples of a step, those of all processes together."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Yield this process's rows of an epoch's batches, fixed by the seed, from ``start`` on."""
        ...

    def first(self, examples: int) -> Any:
        """Return the first examples of the first epoch, as one batch, whole in every process."""
        ...

    def evaluation_samples(self) -> Iterator[Any]:
        """Yield some batches as evaluation has them, the smallest among them."""
        ...

    def outputs(self, model: nn.Module, batch: Any) -> Any:
        """Apply a network to a batch."""
        ...

    def check_outputs(self, outputs: Any, batch: Any, mode: str) -> None:
        """Refuse outputs that are not what a network must return, in the mode it is in.

        Raises:
            ConfigError: They are something else.
        """
        ...

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error that refuses a part of it, with the setting that gives the part."""
        ...

    def losses(self, outputs: Any, batch: Any) -> Tensor:
        """Return the loss of each example [B], or their mean."""
        ...

    def count(self, batch: Any, outputs: Any, losses: Tensor) -> None:
        """Add a batch, before its update, to ``counts``."""
        ...

    def write(self, records: Records, epoch: int) -> None:
        """Add what ``counts`` says to records, and begin anew."""
        ...

    def evaluate(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add what is measured after an epoch to records; return whether losses are finite."""
        ...
