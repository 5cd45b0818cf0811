"""``learnorder plain``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.images import command as experiment

DESCRIPTION = """\
Train a network on images without a patch or augmentation, in arms that share weights and data
order: large LR + anneal, small LR, small LR + annealed activation noise, and a control, small LR +
anneal. This is the paper's Figure 1 and Table 1: the small LR is ahead until the large one is
annealed.

  learnorder plain                                      digits, about two minutes
  learnorder plain --scale laptop                       CIFAR-10 from the Hugging Face hub
  learnorder plain --scale laptop --data parquet:DIR
  learnorder plain --scale laptop_cifar100              CIFAR-100
  learnorder plain --scale paper --dry-run              the cost of the published recipe
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    return experiment.main("plain", DESCRIPTION, arguments)
