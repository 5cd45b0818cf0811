"""Settings of how a network is trained, and of what is measured meanwhile: parts of a run's.

Nothing here imports torch; see :mod:`learnorder.config.settings`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.values import check_fields

_MOST = 10**9
"""Maximum number of epochs and of examples in a batch."""
_MOST_SNAPSHOTS = 100
"""Maximum number of images in snapshots."""


@dataclass(frozen=True)
class NoiseConfig:
    """Gaussian noise added to the input of every activation, in training only.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.
    """

    level: Schedule = Schedule(0.0)  # noqa: RUF009 - Schedule is frozen
    """Standard deviation of the noise; initial 0 means no noise."""
    shared: bool = True
    """true: one noise map per activation and step, shared by the batch and all channels, as in the
    paper; false: independent noise for each unit."""

    def __post_init__(self) -> None:
        check_fields(self, "noise")


@dataclass(frozen=True)
class TrainingConfig:
    """The optimiser and the length of the run.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.
    """

    epochs: int = 60
    """Passes over the training images."""
    batch_size: int = 128
    """Examples per step; the last step of an epoch may have fewer. A last step of a single example,
    on which batch norm cannot train, is left out."""
    momentum: float = 0.9
    """Momentum of SGD; other optimisers take theirs from optimizer_arguments."""
    nesterov: bool = True
    """Nesterov momentum of SGD."""
    weight_decay: float = 5e-4
    """Weight decay of all parameters, L2 or decoupled depending on the optimiser."""
    optimizer: str = "SGD"
    """Any class of torch.optim that trains dense parameters, e.g. AdamW."""
    optimizer_arguments: dict[str, Any] = field(default_factory=dict)
    """Its other arguments, e.g. {betas: [0.9, 0.95]}."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """Precision of the forward pass: fp32; bf16, faster if the hardware supports it; or auto, which
    times both before the first run and takes bf16 for all runs of the experiment if it is at least
    1.5 times as fast, else fp32. --dry-run shows the times. Weights, gradients, the optimiser's
    state and losses are in float32 in any case."""
    accumulate: int = 1
    """Parts of each batch, one after another to save memory, whose gradients are summed before the
    step. Each part's loss is weighted by its examples: the gradient is that of the whole batch if
    the loss is a mean over examples, and differs from it if it is a mean over tokens, of which some
    parts have more. Batch norm and dropout see each part alone."""
    clip_norm: float | None = None
    """Largest L2 norm of the gradient of all parameters together; a larger gradient is scaled to
    it before the step. null for no limit."""
    dynamics: bool = False
    """Whether to keep the training dynamics of each example: when it is first learned, forgetting,
    confidence, variability, correctness and the area under the margin, over the predictions of
    training, each made before the update of its batch. For logits of classes."""
    snapshots: int = 0
    """Number of evaluation images, at most 100, whose predictions are kept after each epoch, along
    with the filters of a convolutional first layer, for ``learnorder report --movie``; 0 keeps
    none. For runs on images."""

    def __post_init__(self) -> None:
        check_fields(self, "training")
        for name in ("epochs", "batch_size"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ConfigError(
                    f"training.{name}", getattr(self, name), f"Give at least 1, at most {_MOST:,}."
                )
        if not 1 <= self.accumulate <= self.batch_size:
            raise ConfigError(
                "training.accumulate",
                self.accumulate,
                f"Give from 1 to the batch size, {self.batch_size:,}.",
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError("training.clip_norm", self.clip_norm, "Give a norm > 0, or null.")
        if not 0 <= self.momentum < 1:
            raise ConfigError("training.momentum", self.momentum, "Give a value in [0, 1).")
        if self.nesterov and self.momentum == 0:
            raise ConfigError(
                "training.nesterov", True, "Nesterov needs training.momentum > 0, e.g. 0.9."
            )
        if self.optimizer != "SGD" and (self.momentum, self.nesterov) != (0.9, True):
            raise ConfigError(
                "training.momentum",
                self.momentum,
                f"momentum and nesterov are for SGD only. Give those of {self.optimizer} in "
                "training.optimizer_arguments.",
            )
        if not self.weight_decay >= 0:
            raise ConfigError("training.weight_decay", self.weight_decay, "Give a value ≥ 0.")
        if not 0 <= self.snapshots <= _MOST_SNAPSHOTS:
            raise ConfigError(
                "training.snapshots",
                self.snapshots,
                f"Give 0 (none), or up to {_MOST_SNAPSHOTS}; 32 fit on a screen.",
            )

    @property
    def examples_at_once(self) -> int:
        """Number of examples in a part of a batch; see ``accumulate``."""
        return -(-self.batch_size // self.accumulate)


@dataclass(frozen=True)
class SharpnessConfig:
    """The largest eigenvalue λ of the training loss's Hessian, measured during training.

    Raises:
        ConfigError: A value is out of range.
    """

    examples: int = 0
    """Number of training images in the fixed sample for λ; 0 measures none. Each measurement costs
    up to 40 Hessian-vector products, about 80 gradients on the sample."""
    every: int = 1
    """Epochs between measurements."""

    def __post_init__(self) -> None:
        check_fields(self, "sharpness")
        if self.examples < 0:
            raise ConfigError("sharpness.examples", self.examples, "Give 0 (none) or more.")
        if self.every < 1:
            raise ConfigError("sharpness.every", self.every, "Give at least 1.")


@dataclass(frozen=True)
class DiagnosticsConfig:
    """Other measures of the network during training, each off by default.

    Raises:
        ConfigError: A value is out of range.
    """

    every: int = 1
    """Epochs between measurements of batches and features."""
    batches: int = 0
    """Number of training batches for the batch sharpness, the curvature of each batch's loss along
    its gradient; 0 measures none. Each batch costs about three gradients, and is computed at once
    even if training.accumulate divides those of training."""
    features: int = 0
    """Number of training examples for the rank and the sparsity of the features, the inputs of the
    last linear layer; 0 measures none."""
    pruned: tuple[float, ...] = ()
    """Shares of the weights of all matrices, e.g. [0.5, 0.9]: after the last epoch the network is
    also evaluated without this share of them, the smallest in magnitude."""
    spike_factor: float | None = None
    """Counts the spikes of the training loss in each epoch: how often the loss of a step rises
    above this many times the median of the 50 steps before, e.g. 2. null counts none."""
    catapult_examples: int = 0
    """Number of training examples, the same throughout, whose loss is computed after each step to
    count the catapults of each epoch: how often it rises above catapult_factor times its lowest
    value so far and comes back. 0 counts none. Each step costs a forward pass more."""
    catapult_factor: float = 2.0
    """How many times its lowest value so far the loss must rise to in a catapult."""

    def __post_init__(self) -> None:
        check_fields(self, "diagnostics")
        if self.every < 1:
            raise ConfigError("diagnostics.every", self.every, "Give at least 1.")
        if self.batches < 0:
            raise ConfigError("diagnostics.batches", self.batches, "Give 0 (none) or more.")
        if self.features < 0 or self.features == 1:
            raise ConfigError("diagnostics.features", self.features, "Give 0 (none), or 2 or more.")
        names = [f"{100 * share:g}" for share in self.pruned]
        if len(set(names)) < len(names) or not all(0 < share < 1 for share in self.pruned):
            raise ConfigError("diagnostics.pruned", self.pruned, "Give distinct shares in (0, 1).")
        if self.spike_factor is not None and not self.spike_factor > 1:
            raise ConfigError(
                "diagnostics.spike_factor", self.spike_factor, "Give a factor > 1, or null."
            )
        if self.catapult_examples < 0:
            raise ConfigError(
                "diagnostics.catapult_examples", self.catapult_examples, "Give 0 (none) or more."
            )
        if not 1 < self.catapult_factor < math.inf:
            raise ConfigError(
                "diagnostics.catapult_factor", self.catapult_factor, "Give a factor > 1."
            )

    @property
    def measured(self) -> bool:
        """Whether anything is measured."""
        counted = self.spike_factor is not None or self.catapult_examples > 0
        return bool(self.batches or self.features or self.pruned or counted)
