"""Scores of each known group of the evaluation examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from learnorder.data.groups import Grouping
from learnorder.statistics.ranges import gap_of, worst_group_of
from learnorder.training.records import Records
from learnorder.training.scores import Measure, Score, mean_loss, weight_of
from learnorder.training.task import IGNORED
from learnorder.training.task_batches import rows_of


@dataclass(frozen=True)
class GroupScores:
    """Scores of each group after one pass over the validation examples.

    Attributes:
        quantity: What ``values`` are: accuracy for classes, else the task's score.
        higher_is_better: Whether higher values are better.
        values: Score by group.
        losses: Mean loss by group.
        mean: Score of all examples together.
        reliance: Reliance on the attribute; see :func:`attribute_reliance`. None if the attribute
            is not spurious.
    """

    quantity: str
    higher_is_better: bool
    values: dict[str, float]
    losses: dict[str, float]
    mean: float
    reliance: float | None

    @property
    def worst(self) -> float:
        """Score of the worst group."""
        return (min if self.higher_is_better else max)(self.values.values())

    @property
    def gap(self) -> float:
        """Difference between the score of all examples and that of the worst group, at least 0."""
        return abs(self.mean - self.worst)

    def write(self, records: Records, epoch: int, set_: str, grouping: Grouping) -> None:
        """Add all values to records."""
        sizes = grouping.sizes()
        for name, value in self.values.items():
            records.add(epoch, set_, self.quantity, value, group=name, n=sizes[name][1])
            if self.quantity != "loss":
                records.add(epoch, set_, "loss", self.losses[name], group=name, n=sizes[name][1])
        total = len(grouping.evaluation)
        overall = {
            worst_group_of(self.quantity): self.worst,
            gap_of(self.quantity): self.gap,
            "reliance": self.reliance,
        }
        for quantity, value in overall.items():
            if value is not None:
                records.add(epoch, set_, quantity, value, n=total)


class GroupPass:
    """Collects the scores of each group over one pass.

    Args:
        grouping: The groups.
        score: The task's score.
        loss: The task's loss.
        classes: Whether outputs are [B, C] and targets are classes [B].
    """

    def __init__(
        self, grouping: Grouping, score: Score, loss: Callable[[Any, Any], Tensor], classes: bool
    ) -> None:
        self._grouping, self._score, self._loss = grouping, score, loss
        # of each example, and whether it counts: a target of -100 does not
        self._correct = torch.zeros(2, len(grouping.evaluation), dtype=torch.bool)
        self._classes = classes
        sizes = grouping.evaluation.bincount(minlength=len(grouping.names)).tolist()
        self._measures: list[Measure] = [] if classes else [score.start(size) for size in sizes]
        self._losses = torch.zeros(len(grouping.names), 2, dtype=torch.float64)

    def add(self, outputs: Any, targets: Any, losses: Tensor, indices: Sequence[int]) -> None:
        """Add a batch of validation examples.

        Args:
            outputs: The model's outputs.
            targets: Their targets.
            losses: The loss of each example [B], or their mean.
            indices: Positions of the examples in the validation set, [B].
        """
        rows_of_set = torch.as_tensor(indices)
        codes = self._grouping.evaluation[rows_of_set]
        if self._classes:
            counted = targets != IGNORED
            correct = (outputs.argmax(1) == targets) & counted
            self._correct[:, rows_of_set] = torch.stack((correct, counted)).cpu()
        each = losses.dim() == 1 and len(losses) == len(indices)
        for code in codes.unique().tolist():
            rows = (codes == code).nonzero().squeeze(1)
            some, of_some = rows_of(outputs, rows), rows_of(targets, rows)
            if weight := int(weight_of(of_some, len(rows))):
                loss = losses[rows.to(losses.device)] if each else self._loss(some, of_some)
                mean = float(mean_loss(loss, of_some))
                self._losses[code] += torch.tensor([weight * mean, weight])
            if self._measures:
                self._measures[code].add(some, of_some, len(rows))

    def scores(self, mean: float) -> GroupScores:
        """Return the scores of all groups.

        Args:
            mean: The task's score on all examples; unused if there are classes.
        """
        grouping, score = self._grouping, self._score
        sums, counts = self._losses.T
        losses = sums / counts
        if self._classes:
            return class_scores(grouping, self._correct, losses)
        values = [measure.value() for measure in self._measures]
        by_name = dict(zip(grouping.names, values, strict=True))
        loss_by_name = dict(zip(grouping.names, losses.tolist(), strict=True))
        return GroupScores(score.name, score.higher_is_better, by_name, loss_by_name, mean, None)


def class_scores(grouping: Grouping, correct: Tensor, losses: Tensor) -> GroupScores:
    """Return the accuracy and the loss of each group, and the reliance on the attribute.

    Args:
        grouping: The groups.
        correct: Whether each evaluation example's predicted class is right, and whether it counts,
            bool [2, M].
        losses: Mean loss of each group, [G].
    """
    totals = _sums(grouping, correct.double())
    by_name = dict(zip(grouping.names, (totals[0] / totals[1]).tolist(), strict=True))
    loss_by_name = dict(zip(grouping.names, losses.tolist(), strict=True))
    reliance = None
    if grouping.aligned is not None and grouping.classes is not None:
        reliance = attribute_reliance(correct[0], grouping.aligned, grouping.classes)
    mean = float(totals[0].sum() / totals[1].sum())
    return GroupScores("accuracy", True, by_name, loss_by_name, mean, reliance)


def mean_losses(grouping: Grouping, losses: Tensor) -> Tensor:
    """Return the mean loss of each group, float64 [G].

    Args:
        grouping: The groups.
        losses: Loss of each evaluation example, [M].
    """
    sums, counts = _sums(grouping, torch.stack((losses.double(), torch.ones_like(losses).double())))
    return sums / counts


def _sums(grouping: Grouping, values: Tensor) -> Tensor:
    """Return the sums of each group's values, float64 [K, G], of values [K, M]."""
    sums = torch.zeros(len(values), len(grouping.names), dtype=torch.float64)
    return sums.index_add_(1, grouping.evaluation, values)


def attribute_reliance(correct: Tensor, aligned: Tensor, classes: Tensor) -> float:
    """Return the reliance on a spurious attribute, in [−1, 1].

    For each class with examples of both kinds it is the accuracy on examples whose attribute
    suggests their class (:func:`~learnorder.data.groups.suggested_classes`) less the accuracy on
    those whose attribute suggests another; the mean over these classes is returned. It is 0 for a
    model that ignores the attribute, and 1 for one that follows it alone. nan if no class has both.

    Args:
        correct: Whether the prediction is right, bool [N].
        aligned: Whether the attribute suggests the class, bool [N].
        classes: Classes, int64 [N].

    >>> aligned = torch.tensor([True, True, False, False])
    >>> attribute_reliance(torch.tensor([True, True, True, False]), aligned, torch.zeros(4))
    0.5
    """
    differences = []
    for label in classes.unique():
        own = classes == label
        kinds = [correct[own & kind].double() for kind in (aligned, ~aligned)]
        if all(len(kind) for kind in kinds):
            differences.append(float(kinds[0].mean() - kinds[1].mean()))
    return math.fsum(differences) / len(differences) if differences else math.nan


class GroupTally:
    """Number of training examples and correct predictions of each group in an epoch.

    Args:
        grouping: The groups.
        counts: [G, 3], float: examples, correct predictions, summed loss. It is changed in place.
    """

    def __init__(self, grouping: Grouping, counts: Tensor) -> None:
        self._names, self.counts = grouping.names, counts
        self._codes = grouping.train.to(counts.device)

    def add(
        self, outputs: Tensor, targets: Tensor, losses: Tensor, indices: Sequence[int] | Tensor
    ) -> None:
        """Count a batch, before its update.

        Args:
            outputs: Logits, float [B, C].
            targets: Classes, int64 [B].
            losses: Loss of each example [B], or their mean.
            indices: Positions of the examples in the training set, [B].
        """
        counted = targets != IGNORED
        correct = ((outputs.argmax(1) == targets) & counted).to(self.counts)
        one, loss = counted.to(self.counts), losses.detach().to(self.counts).expand_as(correct)
        codes = self._codes[torch.as_tensor(indices, device=self._codes.device)]
        self.counts.index_add_(0, codes, torch.stack((one, correct, loss), dim=1))

    def write(self, records: Records, epoch: int) -> None:
        """Add the accuracy of each group with examples in the epoch to records."""
        for name, (count, correct, _) in zip(self._names, self.counts.tolist(), strict=True):
            if count:
                records.add(epoch, "train", "accuracy", correct / count, group=name, n=int(count))
