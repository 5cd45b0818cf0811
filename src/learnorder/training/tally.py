"""Training metrics of an epoch, by group of examples."""

from __future__ import annotations

import torch
from torch import Tensor

from learnorder.data.groups import Grouping
from learnorder.patterns import Group
from learnorder.training.batches import Batch
from learnorder.training.group_scores import GroupTally
from learnorder.training.records import Records


class Tally:
    """Number of examples, correct predictions and summed loss of each group in an epoch.

    Groups are what examples show (:class:`~learnorder.patterns.Group`), and the known groups.

    Args:
        device: Device of the counts.
        grouping: The known groups, if there are any.

    Attributes:
        counts: [groups, 3]: examples, correct predictions, summed loss; known groups come last.
    """

    def __init__(self, device: torch.device, grouping: Grouping | None = None) -> None:
        # MPS does not support float64.
        self._dtype = torch.float32 if device.type == "mps" else torch.float64
        rows = len(Group) + (0 if grouping is None else len(grouping.names))
        self.counts = torch.zeros(rows, 3, dtype=self._dtype, device=device)
        self._shown, known = self.counts[: len(Group)], self.counts[len(Group) :]
        self._known = None if grouping is None else GroupTally(grouping, known)

    def add(self, batch: Batch, logits: Tensor, losses: Tensor) -> None:
        """Count a batch.

        Args:
            batch: The batch.
            logits: float [B, num_classes], before the update.
            losses: float [B], before the update.
        """
        correct = logits.argmax(1) == batch.labels
        counted = torch.stack((torch.ones_like(losses), correct, losses), dim=1).to(self._dtype)
        self._shown.index_add_(0, batch.group, counted)
        if self._known is not None:
            self._known.add(logits, batch.labels, losses, batch.indices)

    def write(self, records: Records, epoch: int) -> None:
        """Add the share, accuracy and loss of what examples show and of all, to records.

        Of known groups it is the accuracy.
        """
        shown, everything = self._shown, self._shown.sum(0)
        rows = [(group.label, shown[group]) for group in Group if shown[group, 0] > 0]
        for label, counted in [*rows, ("all", everything)]:
            count, correct, loss = counted.tolist()
            values = {
                "share": count / float(everything[0]),
                "accuracy": correct / count,
                "loss": loss / count,
            }
            for quantity, value in values.items():
                records.add(epoch, "train", quantity, value, group=label, n=int(count))
        if self._known is not None:
            self._known.write(records, epoch)
