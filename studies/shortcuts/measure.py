"""Known shortcuts: how much a network relies on one, and the worst group, by learning rate.

``python -m studies.shortcuts.measure`` runs the experiments below, with the rated texts in
``data/sentiment``, and writes their records to ``results/shortcuts``. Runs go to
``runs/shortcuts``. The same command continues interrupted experiments.

Every arm of an experiment shares weights, data and their order within a seed. The learning rates
are those of a pilot on four seeds of one experiment (bag, AdamW), which none of the seeds below
has. Nothing is chosen by the results.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import learnorder
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.execution.settings import Execution
from learnorder.schedules import Schedule
from studies.common import RESULTS, ROOT, names_chosen
from studies.records import pack

SEEDS = range(10)
NOISE = 0.4
"""Initial standard deviation of the noise before activations, in the arm with noise."""


@dataclass(frozen=True)
class Shortcut:
    """An experiment.

    Attributes:
        title: What it is, for the page.
        task: Import path of its task.
        rates: Learning rates; the others are annealed to the first, at half of the epochs.
        optimizer: Class of torch.optim.
        epochs: Length of the runs.
        arguments: Arguments of the task.
        longer: Factor by which the small LR is also trained longer, as a control: at its own length
            it does not fit the training examples. 0 for no such arm.
        retrained: Whether the last layers are retrained afterwards, balanced over classes and over
            groups.
    """

    title: str
    task: str
    rates: tuple[float, ...]
    optimizer: str
    epochs: int
    arguments: dict[str, Any] = field(default_factory=dict)
    longer: int = 0
    retrained: bool = False

    def arms(self) -> dict[str, TaskRunConfig]:
        """Return the configuration of each arm, by name."""
        small = self.rates[0]
        arms = {name_of(rate, small): self._run(rate) for rate in self.rates}
        level = Schedule(NOISE, decay=0.4 ** (1 / self.epochs))
        arms[noise_name(small)] = self._run(small, NoiseConfig(level))
        if self.longer:
            run = self._run(small)
            training = replace(run.training, epochs=self.longer * self.epochs)
            arms[longer_name(small, self.longer)] = replace(run, training=training)
        return arms

    def _run(self, rate: float, noise: NoiseConfig = NoiseConfig()) -> TaskRunConfig:
        small, half = self.rates[0], self.epochs // 2
        schedule = Schedule(rate, (half + 1,), small / rate) if rate > small else Schedule(rate)
        decay = 0.01 if self.optimizer == "AdamW" else 5e-4
        training = TrainingConfig(
            self.epochs, batch_size=32, optimizer=self.optimizer, weight_decay=decay
        )
        return TaskRunConfig(TaskConfig(self.task, self.arguments), training, schedule, noise)


def name_of(rate: float, small: float) -> str:
    """Return the name of an arm."""
    return f"LR {rate:g}" if rate == small else f"LR {rate:g}, annealed"


def noise_name(small: float) -> str:
    """Return the name of the arm with noise."""
    return f"LR {small:g} + noise"


def longer_name(small: float, factor: int) -> str:
    """Return the name of the arm that trains longer."""
    return f"LR {small:g}, {factor} times as long"


_TEXTS, _DIGITS = "studies.shortcuts.texts.sentiment", "studies.shortcuts.images"
_ADAMW, _SGD = (0.0002, 0.001, 0.005, 0.02), (0.01, 0.05, 0.2)

EXPERIMENTS = {
    "text_bag": Shortcut("texts, bag, AdamW, 95 %", _TEXTS, _ADAMW, "AdamW", 20, longer=20),
    "text_bag_again": Shortcut(
        "the same, other texts drawn", _TEXTS, _ADAMW, "AdamW", 20, {"draw": 1}
    ),
    "text_bag_90": Shortcut(
        "texts, bag, AdamW, 90 %", _TEXTS, _ADAMW, "AdamW", 20, {"correlation": 0.9}
    ),
    "text_bag_sgd": Shortcut("texts, bag, SGD, 95 %", _TEXTS, (0.02, 0.1, 0.3), "SGD", 20),
    "text_bag_layers": Shortcut(
        "once more other texts, last layers retrained",
        _TEXTS,
        _ADAMW,
        "AdamW",
        20,
        {"draw": 2},
        retrained=True,
    ),
    "text_transformer": Shortcut(
        "texts, transformer, AdamW, 95 %",
        _TEXTS,
        (0.0001, 0.0003, 0.001, 0.003),
        "AdamW",
        15,
        {"network": "transformer"},
    ),
    "colour_wrn": Shortcut("coloured digits, WRN, SGD", f"{_DIGITS}.coloured", _SGD, "SGD", 30),
    "colour_mlp": Shortcut(
        "coloured digits, MLP, SGD", f"{_DIGITS}.coloured", _SGD, "SGD", 30, {"network": "mlp"}
    ),
    "dominoes_wrn": Shortcut("two digits, WRN, SGD", f"{_DIGITS}.dominoes", _SGD, "SGD", 30),
    "dominoes_mlp": Shortcut(
        "two digits, MLP, SGD", f"{_DIGITS}.dominoes", _SGD, "SGD", 30, {"network": "mlp"}
    ),
}


def run(name: str, out: Path = ROOT / "runs" / "shortcuts") -> learnorder.TaskResults:
    """Run an experiment, or continue it."""
    execution = Execution(workers=1, threads=1)
    arms = EXPERIMENTS[name].arms()
    results = learnorder.run_sweep(arms, {}, SEEDS, out / name, execution=execution)
    if EXPERIMENTS[name].retrained:
        learnorder.retrain(out / name)
    return results


def main() -> None:
    """Run the experiments named on the command line."""
    for name in names_chosen(EXPERIMENTS, __doc__):
        run(name)
        target = RESULTS / "shortcuts" / name
        shutil.rmtree(target, ignore_errors=True)
        print(f"{pack(ROOT / 'runs' / 'shortcuts' / name, target)} runs packed: {target.name}")


if __name__ == "__main__":
    main()
