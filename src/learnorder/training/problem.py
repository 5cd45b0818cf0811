"""The interface between the training loop and what it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from learnorder.config.training import (
    DiagnosticsConfig,
    NoiseConfig,
    SharpnessConfig,
    TrainingConfig,
)
from learnorder.errors import ConfigError
from learnorder.schedules import Varying
from learnorder.training.dynamics import RunDynamics
from learnorder.training.optimizers import Optimizers
from learnorder.training.records import Records
from learnorder.training.snapshots import RunSnapshots

Part = Literal["model", "loss", "score"]
"""The parts of a problem that users provide."""


class RunSettings(Protocol):
    """The settings that the training loop needs."""

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
        """The measurement of the curvature."""
        ...

    @property
    def diagnostics(self) -> DiagnosticsConfig:
        """Other measures."""
        ...

    @property
    def seed(self) -> int:
        """The seed."""
        ...


class Problem(Protocol):
    """A network with its batches, loss and metrics.

    The type of a batch, or a part of one, is private to the problem; the loop passes it from
    :meth:`epoch` to the other methods.
    """

    network: nn.Module
    counts: Tensor
    """Sums over the training batches of the current epoch; part of a checkpoint."""
    dynamics: RunDynamics | None
    """The training dynamics, if they are kept; part of a checkpoint."""
    snapshots: RunSnapshots | None
    """The snapshots, if they are kept; part of a checkpoint."""

    @property
    def seeds_steps(self) -> bool:
        """Whether drawing a step's batch seeds the global generators of this process.

        The network then draws from those of NumPy and Python after the batch.
        """
        ...

    @property
    def evaluated(self) -> str:
        """The evaluation set by which runs are judged."""
        ...

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        ...

    def examples(self, step: int) -> int:
        """Return the number of examples of a step, over all processes."""
        ...

    def own_optimizers(self, network: nn.Module, learning_rate: float) -> Optimizers | None:
        """Return the user's own optimisers of a network; None takes that of the settings."""
        ...

    def own_schedulers(self, optimizers: Optimizers) -> list[LRScheduler]:
        """Return the user's own schedulers of the optimisers; empty if the settings have one."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sequence[Any]]:
        """Yield this process's rows of an epoch's batches, fixed by the seed, from ``start`` on.

        Each batch comes as its parts; see :meth:`ProcessGroup.parts`.
        """
        ...

    def first_batch(self, examples: int) -> Any:
        """Return the first examples of the first epoch as one batch, the same in every process."""
        ...

    def first_batches(self, count: int) -> list[Any]:
        """Return the first whole batches of the first epoch, the same in every process."""
        ...

    def evaluation_samples(self) -> Iterator[Any]:
        """Yield some evaluation batches, including the smallest."""
        ...

    def outputs(self, model: nn.Module, batch: Any) -> Any:
        """Apply a network to a batch."""
        ...

    def check_outputs(self, outputs: Any, batch: Any, mode: str) -> None:
        """Check a network's outputs in training or evaluation mode.

        Raises:
            ConfigError: They have the wrong form.
        """
        ...

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error for a part that cannot be used, with the name of its setting."""
        ...

    def losses(self, outputs: Any, batch: Any) -> Tensor:
        """Return the loss of each example [B], or their mean."""
        ...

    def update_metrics(self, batch: Any, outputs: Any, losses: Tensor) -> None:
        """Add a batch, measured before its update, to ``counts``."""
        ...

    def flush_metrics(self, records: Records, epoch: int) -> None:
        """Add the metrics in ``counts`` to records, and reset them."""
        ...

    def evaluate(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add the evaluation after an epoch to records; return whether all losses are finite."""
        ...
