"""``learnorder patch``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.images import command as experiment

DESCRIPTION = """\
Train a network on images in which a memorisable patch is planted, in arms that share weights,
patterns and data order: large LR + anneal, small LR, small LR + annealed activation noise, and a
control, small LR + anneal. The report shows when each arm learned the patch and the content, and
its accuracy on images without the patch.

  learnorder patch                                      digits, about two minutes
  learnorder patch --scale laptop                       CIFAR-10 from the Hugging Face hub
  learnorder patch --scale laptop --data parquet:DIR
  learnorder patch --seeds 10 --patch.contrast 0.4      ten seeds, a fainter pattern
  learnorder patch --print_config > my.yaml             all settings; edit, then --config my.yaml
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    return experiment.main("patch", DESCRIPTION, arguments)
