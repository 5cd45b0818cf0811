"""What it costs to follow the learning order of a million examples.

``python benchmarks/order.py`` updates a :class:`~learnorder.LearningOrder` once with each of
10⁶ examples, in shuffled batches, beside the argmax of the same logits, which any accuracy needs;
then, with and without training dynamics, with each of 200,000 examples of 100 classes.
"""

from __future__ import annotations

import sys

import torch

from common import finish, paired, seconds
from learnorder import LearningOrder

EXAMPLES, BATCH, CLASSES = 1_000_000, 256, 10
MANY, LARGE, HUNDRED = 200_000, 512, 100
"""Examples, batch size and classes of the update with training dynamics."""


def dynamics() -> tuple[float, float, float]:
    """Return ns per example without and with training dynamics, and bytes kept of each."""
    drawing = torch.Generator().manual_seed(0)
    batches = torch.randperm(MANY, generator=drawing).split(LARGE)
    logits = torch.randn(LARGE, HUNDRED, generator=drawing)
    labels = torch.randint(0, HUNDRED, (LARGE,), generator=drawing)
    plain, full = LearningOrder(MANY), LearningOrder(MANY, dynamics=True)

    def follow(order: LearningOrder) -> None:
        for index in batches:
            order.update(index, logits[: len(index)], labels[: len(index)])

    without, with_ = paired(lambda: follow(plain), lambda: follow(full), 5)
    kept = full.state_dict()["dynamics"]
    size = kept.nelement() * kept.element_size() / MANY
    return without / MANY * 1e9, with_ / MANY * 1e9, size


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
    without, with_, size = dynamics()
    rows = [
        ("an update with its argmax", f"{update:.0f} ns an example"),
        ("the argmax and count alone", f"{bare:.0f} ns an example"),
        ("kept of an example", f"{(kept + groups) / EXAMPLES:.1f} bytes"),
        (f"an update, batches of {LARGE} of {HUNDRED} classes", f"{without:.0f} ns an example"),
        ("the same with training dynamics", f"{with_:.0f} ns an example"),
        ("kept for training dynamics", f"{size:.1f} bytes"),
    ]
    title = f"Learning order of {EXAMPLES:,} examples, batches of {BATCH}, one thread"
    figures = {
        "update_ns_per_example": update,
        "bytes_per_example": (kept + groups) / EXAMPLES,
        "update_over_argmax": update / bare,
        "plain_ns_per_example": without,
        "dynamics_ns_per_example": with_,
        "dynamics_over_plain": with_ / without,
        "dynamics_bytes_per_example": size,
    }
    finish(title, rows, figures)


if __name__ == "__main__":
    sys.exit(main())
