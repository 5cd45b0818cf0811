"""Images per second: planting and assembling whole batches, against one image at a time.

``python benchmarks/pipeline.py [--data parquet:DIR] [--images 10000] [--rounds 5]``
"""

from __future__ import annotations

import argparse

import torch

from baseline import loader
from common import as_in_runs, finish, kind, paired
from learnorder.training.batches import Batches, draw_patch
from workload import paper_run

EPOCHS = 10
"""Epochs of ours in a round, as one of them is over in a moment."""


def main() -> None:
    as_in_runs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="random", help="random pixels, or a source of images")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    config, data = paper_run(arguments.data, arguments.images)
    batches = Batches(config, data, torch.device("cpu"))
    slow = loader(data, draw_patch(config, data), config.patch, config.training.batch_size)

    def ours(threads: int) -> None:
        torch.set_num_threads(threads)
        for epoch in range(EPOCHS):
            for _ in batches.epoch(epoch):
                pass

    def theirs() -> None:
        for _ in slow:
            pass

    one, slowly = paired(lambda: ours(1), theirs, arguments.rounds)
    two, slowly_again = paired(lambda: ours(2), theirs, arguments.rounds)
    one, two = one / EPOCHS, two / EPOCHS
    n = arguments.images
    rows = [
        ("images", f"{n:,} of 32×32, float32, batch size 128, {kind(arguments.data)}"),
        (
            "one image at a time, a worker process beside the main one",
            f"{n / slowly:,.0f} images/s",
        ),
        ("whole batches, one thread", f"{n / one:,.0f} images/s, {slowly / one:.0f} times"),
        ("whole batches, two threads", f"{n / two:,.0f} images/s, {slowly_again / two:.0f} times"),
    ]
    figures = {
        "images_per_second_ratio": slowly_again / two,
        "images_per_second_ratio_one_thread": slowly / one,
    }
    finish("Assembling patched batches", rows, figures)


if __name__ == "__main__":
    main()
