"""Images per second: planting and assembling whole batches, against one image at a time.

``python benchmarks/pipeline.py [--data parquet:DIR] [--images 10000] [--rounds 5]``
"""

from __future__ import annotations

import argparse

import torch

from baseline import loader
from common import finish, paired
from learnorder.training import Batches, draw_patch
from workload import paper_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="random", help="random pixels, or a source of images")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config, data = paper_run(arguments.data, arguments.images)
    batches = Batches(config, data, torch.device("cpu"))
    slow = loader(data, draw_patch(config, data), config.patch, config.training.batch_size)

    ours, theirs = paired(
        lambda: [batch.images.shape for batch in batches.epoch(1)],
        lambda: [images.shape for images, _ in slow],
        arguments.rounds,
    )
    n = arguments.images
    rows = [
        ("images", f"{n:,} of 32×32, float32, batch size 128, {arguments.data}"),
        ("whole batches, one thread", f"{n / ours:,.0f} images/s"),
        (
            "one image at a time, one worker process beside the main one",
            f"{n / theirs:,.0f} images/s",
        ),
        ("ratio", f"{theirs / ours:.0f}"),
    ]
    finish("Assembling patched batches", rows, {"images_per_second_ratio": theirs / ours})


if __name__ == "__main__":
    main()
