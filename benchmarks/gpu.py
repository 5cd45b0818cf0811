"""Training on a GPU: images a second of the paper's network and of the laptop's, and runs at once.

The paper's WRN-16-10 (32×32, batch size 128) and the laptop's WRN-16-1 (16×16, batch size 64) in
both precisions, with noise before the activations, and against the straightforward loop; the share
of the device's bf16 matrix-product rate, measured in the same run; several small runs at once.

``python benchmarks/gpu.py [--steps 60] [--at-once 1 2 4 8] [--compile]``
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from baseline import PerItem
from common import begun_together, finish, seconds
from learnorder.config.settings import RunConfig
from learnorder.config.training import NoiseConfig
from learnorder.data import ImageData
from learnorder.models import WideResNet
from learnorder.schedules import Schedule
from learnorder.training.batches import draw_patch
from learnorder.training.image_problem import image_trainer
from learnorder.training.trainer import Trainer
from training import step_flops
from workload import laptop_run, paper_run

_WARM_UP = 15


def device_matmul_rate(dtype: torch.dtype, size: int = 8192, rounds: int = 5) -> float:
    """Return the best matrix-product rate of the GPU in FLOP/s."""
    a, b = (torch.randn(size, size, device="cuda").to(dtype) for _ in range(2))

    def product() -> None:
        torch.mm(a, b)
        torch.cuda.synchronize()

    product()
    return 2 * size**3 / min(seconds(product) for _ in range(rounds))


def as_asked(config: RunConfig, precision: str, noise: float = 0.0) -> RunConfig:
    """Return a run in a precision, with a constant level of noise."""
    return replace(
        config,
        training=replace(config.training, precision=precision),
        noise=NoiseConfig(Schedule(noise)),
    )


def rate(step: Callable[[], object], batch_size: int, steps: int) -> float:
    """Return images a second, after some steps to warm up."""

    def several(count: int) -> None:
        for _ in range(count):
            step()
        torch.cuda.synchronize()

    several(_WARM_UP)
    return steps * batch_size / seconds(lambda: several(steps))


def stepper(trainer: Trainer) -> Callable[[], object]:
    """Return what takes the next step, batches assembled as in a run; epochs have no end."""
    epochs = (trainer.problem.batches.epoch(epoch) for epoch in itertools.count(1))
    size = trainer.config.training.batch_size
    batches = (b for epoch in epochs for b in epoch if len(b.labels) == size)
    return lambda: trainer.train_step([next(batches)])


def straightforward(config: RunConfig, data: ImageData, steps: int, workers: int) -> float:
    """Return images a second of a per-item loader and a plain loop, in bf16."""
    batch_size, arguments = config.training.batch_size, config.model.arguments
    model = WideResNet(**arguments, num_classes=10).cuda()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    items = PerItem(data, draw_patch(config, data), config.patch)
    loader = DataLoader(
        items, batch_size, shuffle=True, drop_last=True, num_workers=workers, pin_memory=True,
        persistent_workers=True,
    )  # fmt: skip
    batches = (batch for _ in itertools.count() for batch in loader)

    def step() -> None:
        images, labels = (x.cuda(non_blocking=True) for x in next(batches))
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return rate(step, batch_size, steps)


def alone(steps: int) -> None:
    """Print the rate of the laptop's run in this process, once told to begin."""
    trainer = image_trainer(*laptop_run(4096))
    step = stepper(trainer)
    rate(step, 1, _WARM_UP)
    print("ready", flush=True)
    sys.stdin.readline()
    print(rate(step, trainer.config.training.batch_size, steps))


def at_once(processes: int, steps: int) -> float:
    """Return images a second of several processes together, each on a run of its own."""
    command = [sys.executable, __file__, "--alone", "--steps", str(steps)]
    return sum(begun_together(command, processes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--workers", type=int, default=8, help="of the straightforward loader")
    parser.add_argument("--compile", action="store_true", help="torch.compile's rates, too")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device here.")
    steps = arguments.steps
    if arguments.alone:
        alone(steps)
        return
    peak = device_matmul_rate(torch.bfloat16)
    print(f"bf16 matrix products: {peak / 1e12:.0f} TFLOP/s", flush=True)
    rows = [
        ("device", torch.cuda.get_device_name()),
        ("bf16 matrix products, 8192³", f"{peak / 1e12:,.0f} TFLOP/s"),
    ]
    figures = {"matmul_bf16_tflops": peak / 1e12}
    for name, few, (config, data) in (
        ("paper", steps, paper_run("random", 8192, widen_factor=10)),
        ("laptop", 4 * steps, laptop_run(8192)),
    ):
        size = config.training.batch_size
        rates, share = dict[str, float](), math.nan
        for label, precision, noise in (
            ("fp32", "fp32", 0.0), ("bf16", "bf16", 0.0), ("bf16_noise", "bf16", 0.4)
        ):  # fmt: skip
            trainer = image_trainer(as_asked(config, precision, noise), data)
            rates[label] = rate(stepper(trainer), size, few)
            if label == "bf16":
                share = rates[label] / size * step_flops(trainer) / peak
                if arguments.compile:
                    trainer.model = torch.compile(trainer.model)
                    rates["bf16_compiled"] = rate(stepper(trainer), size, few)
            trainer.close()
            print(name, label, f"{rates[label]:,.0f} images/s", flush=True)
        rates["straightforward"] = straightforward(config, data, few, arguments.workers)
        figures |= {f"{name}_{label}_images_per_s": value for label, value in rates.items()}
        figures[f"{name}_matmul_share"] = share
        figures[f"{name}_ratio"] = rates["bf16"] / rates["straightforward"]
        rows += [(f"{name}, {label}", f"{value:,.0f} images/s") for label, value in rates.items()]
        rows.append((f"{name}, bf16: of the bf16 matrix-product rate", f"{share:.1%}"))
    for processes in arguments.at_once:
        together = at_once(processes, 4 * steps)
        figures[f"laptop_at_once_{processes}"] = together
        rows.append((f"laptop, fp32, {processes} at once", f"{together:,.0f} images/s together"))
        print(rows[-1], flush=True)
    finish("GPU", rows, figures)


if __name__ == "__main__":
    main()
