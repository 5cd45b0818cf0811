"""Fine-tuning: what is gained on tweets and forgotten of movie reviews, by learning rate.

``python -m studies.finetuning.measure`` pretrains networks on movie reviews, tunes them on tweets,
and writes the records of the tuning to ``results/finetuning``. The texts are in
``data/sentiment``. Runs go to ``runs/finetuning``. It takes about 12 minutes of one core; the same
command continues it.

The learning rates were set before the first run, and nothing is chosen by the results.
"""

from __future__ import annotations

import shutil

import learnorder
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.execution.settings import Execution
from learnorder.schedules import Schedule
from studies.common import RESULTS
from studies.finetuning.texts import PRETRAINED, RUNS, TRAINED
from studies.records import pack

SEEDS = range(6)
RATES = (0.0003, 0.001, 0.003, 0.01)
PRETRAINING = TrainingConfig(5, batch_size=64, optimizer="AdamW", weight_decay=0.01)
TUNING = TrainingConfig(5, batch_size=32, optimizer="AdamW", weight_decay=0.01)
_TEXTS = "studies.finetuning.texts"


def pretrain() -> learnorder.TaskResults:
    """Pretrain the networks on movie reviews."""
    task = TaskConfig(f"{_TEXTS}.pretraining")
    config = TaskRunConfig(task, PRETRAINING, Schedule(0.003, cosine=True))
    seeds, out = range(5000, 5000 + PRETRAINED), RUNS / "pretrained"
    execution = Execution(workers=2, threads=1)
    return learnorder.run_sweep({"pretrained": config}, {}, seeds, out, execution=execution)


def tune() -> learnorder.TaskResults:
    """Tune on tweets: each group of weights at each learning rate."""
    config = TaskRunConfig(TaskConfig(f"{_TEXTS}.tuning"), TUNING, Schedule(0.001, cosine=True))
    grid = {"task.arguments.trains": list(TRAINED), "learning_rate.initial": list(RATES)}
    execution = Execution(workers=2, threads=1)
    return learnorder.run_sweep({"": config}, grid, SEEDS, RUNS / "tweets", execution=execution)


def main() -> None:
    """Pretrain and tune."""
    pretrain()
    tune()
    target = RESULTS / "finetuning"
    shutil.rmtree(target, ignore_errors=True)
    print(f"{pack(RUNS / 'tweets', target)} runs packed: {target.name}")


if __name__ == "__main__":
    main()
