"""A training epoch of WRN-16-1 at 32×32, batch size 128, against the straightforward loop.

Also: the share of the machine's matrix-product rate that it reaches, and two single-thread runs
side by side against one after the other.

``python benchmarks/training.py [--data parquet:DIR] [--images 2560] [--side 32]``
"""

from __future__ import annotations

import argparse
import sys

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from baseline import loader
from common import as_in_runs, begun_together, finish, kind, matmul_rate, paired, seconds
from learnorder.models import WideResNet
from learnorder.training.batches import draw_patch
from learnorder.training.image_problem import image_trainer
from learnorder.training.trainer import Trainer
from workload import paper_run


def our_epoch(trainer: Trainer) -> None:
    for batch in trainer.problem.batches.epoch(1):
        trainer.train_step([batch])


class Straightforward:
    """NCHW tensors, a per-item loader with one worker, an optimiser that loops over parameters."""

    def __init__(self, config, data) -> None:
        torch.manual_seed(0)
        self.model = WideResNet(depth=16, widen_factor=1, num_classes=10)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4,
            foreach=False,
        )  # fmt: skip
        self.loader = loader(data, draw_patch(config, data), config.patch, 128)

    def epoch(self) -> None:
        self.model.train()
        for images, labels in self.loader:
            loss = F.cross_entropy(self.model(images), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()


def step_flops(trainer: Trainer) -> int:
    batch = next(iter(trainer.problem.batches.epoch(1)))
    with FlopCounterMode(display=False) as counter:
        trainer.train_step([batch])
    return counter.get_total_flops()


def alone(arguments: argparse.Namespace) -> None:
    """Print how long some epochs take in this process, start-up apart."""
    torch.set_num_threads(arguments.threads)
    trainer = image_trainer(*paper_run(arguments.data, arguments.images, arguments.side))
    our_epoch(trainer)
    print("ready", flush=True)
    sys.stdin.readline()
    print(seconds(lambda: [our_epoch(trainer) for _ in range(3)]))


def side_by_side(arguments: argparse.Namespace, processes: int, threads: int) -> float:
    """Return the seconds until all of some processes have done the same three epochs."""
    command = [sys.executable, __file__, "--alone", "--threads", str(threads)]
    command += ["--data", arguments.data, "--images", str(arguments.images)]
    command += ["--side", str(arguments.side)]
    return max(begun_together(command, processes))


def main() -> None:
    as_in_runs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="random", help="random pixels, or a source of images")
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--side", type=int, default=32, help="size of the images in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        alone(arguments)
        return
    torch.set_num_threads(arguments.threads)
    config, data = paper_run(arguments.data, arguments.images, arguments.side)
    trainer, plain = image_trainer(config, data), Straightforward(config, data)
    ours, theirs = paired(lambda: our_epoch(trainer), plain.epoch, arguments.rounds)
    rate = matmul_rate()
    share = step_flops(trainer) * trainer.problem.batches.steps / ours / rate
    both = side_by_side(arguments, processes=2, threads=1)
    one_thread = 2 * side_by_side(arguments, processes=1, threads=1)
    two_threads = 2 * side_by_side(arguments, processes=1, threads=2)
    n, size = arguments.images, f"{arguments.side}×{arguments.side}"
    rows = [
        ("epoch", f"{n:,} images, {size}, WRN-16-1, batch size 128, {kind(arguments.data)}"),
        (f"learnorder, {arguments.threads} threads", f"{n / ours:,.0f} images/s"),
        (f"straightforward loop, {arguments.threads} threads", f"{n / theirs:,.0f} images/s"),
        ("ratio", f"{theirs / ours:.2f}"),
        ("matrix products, 2048³", f"{rate / 1e9:.0f} GFLOP/s; the epoch reaches {share:.1%}"),
        ("two runs side by side, one thread each, against", ""),
        ("  one after the other on one thread", f"{one_thread / both:.2f} times the throughput"),
        ("  one after the other on two threads", f"{two_threads / both:.2f} times the throughput"),
    ]
    figures = {
        "epoch_ratio": theirs / ours,
        "matmul_share": share,
        "two_worker_ratio": one_thread / both,
        "two_worker_ratio_two_threads": two_threads / both,
    }
    finish("Training", rows, figures)


if __name__ == "__main__":
    main()
