"""Training metrics of an epoch, by group of examples."""

from __future__ import annotations

import torch
from torch import Tensor

from learnorder.patterns import Group
from learnorder.training.batches import Batch
from learnorder.training.records import Records


class Tally:
    """Number of examples, correct predictions and summed loss of each group in an epoch.

    Args:
        device: Device of the counts.

    Attributes:
        counts: [groups, 3]: examples, correct predictions, summed loss.
    """

    def __init__(self, device: torch.device) -> None:
        # MPS does not support float64.
        self._dtype = torch.float32 if device.type == "mps" else torch.float64
        self.counts = torch.zeros(len(Group), 3, dtype=self._dtype, device=device)

    def add(self, batch: Batch, logits: Tensor, losses: Tensor) -> None:
        """Count a batch.

        Args:
            batch: The batch.
            logits: float [B, num_classes], before the update.
            losses: float [B], before the update.
        """
        correct = logits.argmax(1) == batch.labels
        counted = torch.stack((torch.ones_like(losses), correct, losses), dim=1).to(self._dtype)
        self.counts.index_add_(0, batch.group, counted)

    def write(self, records: Records, epoch: int) -> None:
        """Add the share, accuracy and loss of each group, and of all examples, to records."""
        everything = self.counts.sum(0)
        rows = [(group.label, self.counts[group]) for group in Group if self.counts[group, 0] > 0]
        for label, counted in [*rows, ("all", everything)]:
            count, correct, loss = counted.tolist()
            values = {
                "share": count / float(everything[0]),
                "accuracy": correct / count,
                "loss": loss / count,
            }
            for quantity, value in values.items():
                records.add(epoch, "train", quantity, value, group=label, n=int(count))
