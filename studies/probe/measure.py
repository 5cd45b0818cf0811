"""Probe networks of several kinds: which of the paper's claims carry over to them?

``python -m studies.probe.measure`` runs the probes below, with CIFAR-10 in ``data/cifar10``, and
writes their results to ``results/probe``. Runs go to ``runs/probe``. The same command continues
interrupted probes. Accuracies are on validation images held out of the training images; only the
pattern's contrast is chosen by them, on a separate seed.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import learnorder
from learnorder.config.settings import DataConfig, ModelConfig, TaskConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from studies.common import DATA, RESULTS, ROOT, names_chosen


def probes() -> dict[str, learnorder.Probe]:
    """Return the probes by name."""
    digits = learnorder.Probe(seeds=5)
    perceptron = ModelConfig("MLP", {"widths": [256, 256]})
    cifar = learnorder.Probe(
        data=DataConfig(
            source=DATA,
            train_examples=4000,
            evaluation_examples=2000,
            resolution=16,
            evaluate_on="validation",
            validation_share=0.1,
        ),
        model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 1}),
        training=TrainingConfig(epochs=20, batch_size=64),
    )
    adamw = replace(cifar.training, optimizer="AdamW", weight_decay=0.01)
    bag = replace(cifar.training, optimizer="AdamW", weight_decay=0.01, batch_size=32)
    small = TrainingConfig(epochs=40, batch_size=32)
    return {
        "digits_mlp": replace(digits, model=perceptron),
        "digits_mlp_adamw": replace(
            digits,
            model=perceptron,
            training=replace(digits.training, optimizer="AdamW", weight_decay=0.01),
        ),
        "cifar_wrn": cifar,
        "cifar_wrn_adamw": replace(cifar, training=adamw),
        "cifar_vit_adamw": replace(cifar, model=ModelConfig("ViT", {}), training=adamw),
        "reviews_bag_adamw": _task("reviews", bag),
        "reviews_transformer_adamw": _task(
            "reviews", bag, network="transformer", rates=(0.0001, 0.0003, 0.001)
        ),
        "cells_mlp": _task("cells", small),
        "vowels_cnn": _task("vowels", small),
    }


def _task(
    name: str, training: TrainingConfig, rates: tuple[float, ...] | None = None, **arguments: str
) -> learnorder.Probe:
    """Return the probe of a task of :mod:`studies.probe.tasks`."""
    task = TaskConfig(f"studies.probe.tasks.{name}", dict(arguments))
    return learnorder.Probe(task=task, training=training, learning_rates=rates, seeds=5)


def main() -> None:
    """Run the probes named on the command line."""
    known = probes()
    for name in names_chosen(known, __doc__):
        folder = ROOT / "runs" / "probe" / name
        try:
            learnorder.run_probe(known[name], folder)
        except ConfigError as error:
            print(f"{name} stopped: {error}")
            continue
        kept = RESULTS / "probe" / f"{name}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "probe.json", kept)
        print(f"{kept.name} written")


if __name__ == "__main__":
    main()
