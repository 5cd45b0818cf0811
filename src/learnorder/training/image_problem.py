"""The training problem of runs on images with planted patterns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from learnorder.config.settings import RunConfig
from learnorder.data import ImageData
from learnorder.errors import ConfigError
from learnorder.models import build_model
from learnorder.models.building import check_logits
from learnorder.patterns import Group, evaluation_sets
from learnorder.training.batches import Batch, Batches
from learnorder.training.dynamics import RunDynamics
from learnorder.training.evaluation import evaluate
from learnorder.training.optimizers import Optimizers
from learnorder.training.problem import Part
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records
from learnorder.training.snapshots import RunSnapshots, spread_over_classes
from learnorder.training.tally import Tally
from learnorder.training.task import IGNORED
from learnorder.training.trainer import Trainer


def network_of(config: RunConfig, data: ImageData) -> nn.Module:
    """Return a run's network with its initial weights, on the CPU."""
    return build_model(
        config.model,
        num_classes=data.num_classes,
        in_channels=data.channels,
        image_size=data.image_size,
        seed=config.seed,
    )


def image_trainer(
    config: RunConfig, data: ImageData, state: dict[str, Any] | None = None
) -> Trainer[ImageProblem]:
    """Return the trainer of a run on images.

    Args:
        config: The run.
        data: Its images.
        state: State to continue from, of :meth:`~learnorder.training.trainer.Trainer.state`.
    """
    return Trainer(config, lambda group: ImageProblem(config, data, group), state)


class ImageProblem:
    """A run on images: a :class:`~learnorder.training.problem.Problem`.

    Args:
        config: The run.
        data: Its images.
        group: The device and the process.

    Attributes:
        network: The network, with its initial weights.
        batches: The images as batches.
        sets: The evaluation sets.
        counts: See :class:`~learnorder.training.tally.Tally`.
        dynamics: The training dynamics, if they are kept; images of the pattern alone are left out.
        snapshots: The snapshots, if they are kept.
    """

    def __init__(self, config: RunConfig, data: ImageData, group: ProcessGroup) -> None:
        self._group, device = group, group.device
        self._at_once = config.training.examples_at_once
        self._name, self._num_classes = config.model.name, data.num_classes
        network = network_of(config, data)
        self.network = network.to(device, memory_format=torch.channels_last)  # pyright: ignore
        self.batches = Batches(config, data, device)
        self.sets = evaluation_sets(
            config.patch, data.evaluation.labels, data.num_classes, config.seed
        )
        self._groups = data.groups
        self._tally = Tally(device, data.groups)
        self.counts = self._tally.counts
        self.dynamics: RunDynamics | None = None
        if config.training.dynamics:
            sizes = len(data.train), data.num_classes, config.training.batch_size
            self.dynamics = RunDynamics(*sizes, group)
        self.snapshots: RunSnapshots | None = None
        if count := config.training.snapshots:
            rows = spread_over_classes(data.evaluation.labels, count)
            shown = {each.name: self.batches.shown(each, rows) for each in self.sets}
            self.snapshots = RunSnapshots(self.network, shown)

    @property
    def seeds_steps(self) -> bool:
        """Images are drawn from generators of their own."""
        return False

    @property
    def evaluated(self) -> str:
        """The set by which runs are judged."""
        return "clean"

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.batches.steps

    def examples(self, step: int) -> int:
        """Return the number of examples of a step."""
        return self.batches.examples(step)

    def own_optimizers(self, network: nn.Module, learning_rate: float) -> None:
        """Return None: the optimiser is that of the settings."""

    def own_schedulers(self, optimizers: Optimizers) -> list[LRScheduler]:
        """Return none: the learning rate is that of the settings."""
        return []

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[Batch]]:
        """Yield the parts of this process's rows of an epoch's batches, from ``start`` on."""
        for step, batch in enumerate(self.batches.epoch(epoch, start, self._group), start):
            parts = self._group.parts(self.examples(step), self._at_once)
            first = parts[0].start
            yield [batch[rows.start - first : rows.stop - first] for rows in parts]

    def first_batch(self, examples: int) -> Batch:
        """Return the first examples of the first epoch, including patterns."""
        parts: list[Batch] = []
        for batch in self.batches.epoch(1):
            parts.append(batch)
            if sum(len(part.labels) for part in parts) >= examples:
                break
        images, labels, group, indices = (
            torch.cat([getattr(part, name) for part in parts])[:examples]
            for name in ("images", "labels", "group", "indices")
        )
        return Batch(images, labels, group, indices)

    def first_batches(self, count: int) -> list[Batch]:
        """Return the first batches of the first epoch, including patterns."""
        return list(islice(self.batches.epoch(1), count))

    def evaluation_samples(self) -> Iterator[Batch]:
        """Yield the last and smallest evaluation batch; all sets have batches of the same sizes."""
        yield self.batches.shown(self.sets[0], self.batches.evaluation_rows()[-1])

    def outputs(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return logits, float [B, num_classes]."""
        return model(batch.images)

    def check_outputs(self, outputs: Any, batch: Batch, mode: str) -> None:
        """Check that there is one real logit for each image and class, float [B, num_classes].

        Raises:
            ConfigError: The outputs are something else.
        """
        check_logits(self._name, outputs, tuple(batch.images.shape), self._num_classes, mode)

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error for a network that cannot be used; the loss is built in."""
        return ConfigError("model.name", self._name, reason)

    def losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the cross-entropy of each example, [B]."""
        return F.cross_entropy(outputs.float(), batch.labels, reduction="none")

    def update_metrics(self, batch: Batch, outputs: Tensor, losses: Tensor) -> None:
        """Count a batch by group."""
        self._tally.add(batch, outputs, losses)
        if self.dynamics is not None:
            labels = batch.labels.masked_fill(batch.group == Group.PATCH_ONLY, IGNORED)
            self.dynamics.add(batch.indices, outputs, labels)

    def flush_metrics(self, records: Records, epoch: int) -> None:
        """Add each group's share, accuracy and loss to records, and reset the counts."""
        self._tally.write(records, epoch)
        self.counts.zero_()

    def evaluate(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add accuracy, loss and reliance on the evaluation sets, and known groups, to records."""
        given = (self.batches, self.sets, records, epoch, self._group, self._groups)
        return evaluate(model, *given)
