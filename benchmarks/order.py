"""What it costs to follow the learning order of a million examples.

``python benchmarks/order.py`` updates a :class:`~learnorder.LearningOrder` once with each of
10⁶ examples, in shuffled batches, beside the argmax of the same logits, which any accuracy needs.
"""

from __future__ import annotations

import sys

import torch

from common import finish, seconds
from learnorder import LearningOrder

EXAMPLES, BATCH, CLASSES = 1_000_000, 256, 10


def main() -> None:
    """Measure, and print the numbers."""
    torch.set_num_threads(1)
    drawing = torch.Generator().manual_seed(0)
    batches = torch.randperm(EXAMPLES, generator=drawing).split(BATCH)
    logits = torch.randn(BATCH, CLASSES, generator=drawing)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=drawing)
    order = LearningOrder(EXAMPLES, groups=torch.arange(EXAMPLES) % 10)

    def follow() -> None:
        for index in batches:
            order.update(index, logits[: len(index)], labels[: len(index)])

    def argmax() -> None:
        for index in batches:
            (logits[: len(index)].argmax(1) == labels[: len(index)]).sum().item()

    follow()
    rounds = [(seconds(follow), seconds(argmax)) for _ in range(5)]
    update, bare = (sorted(times)[2] / EXAMPLES * 1e9 for times in zip(*rounds, strict=True))
    kept = sum(tensor.nelement() * tensor.element_size() for tensor in order.state_dict().values())
    groups = 4 * EXAMPLES  # each example's group, which a checkpoint leaves out
    rows = [
        ("an update with its argmax", f"{update:.0f} ns an example"),
        ("the argmax and count alone", f"{bare:.0f} ns an example"),
        ("kept of an example", f"{(kept + groups) / EXAMPLES:.1f} bytes"),
    ]
    title = f"Learning order of {EXAMPLES:,} examples, batches of {BATCH}, one thread"
    figures = {
        "update_ns_per_example": update,
        "bytes_per_example": (kept + groups) / EXAMPLES,
        "update_over_argmax": update / bare,
    }
    finish(title, rows, figures)


if __name__ == "__main__":
    sys.exit(main())
