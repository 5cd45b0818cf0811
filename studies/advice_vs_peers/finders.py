"""Learning-rate range tests, and optimisers without a learning rate to choose.

``python -m studies.advice_vs_peers.finders`` runs them on the tasks of the table and writes
``finders.parquet`` and ``optimizers.parquet`` to ``results/advice_vs_peers``: a pick for each seed
of the pool, and a final score for each seed of the truth. It needs the extra ``peers``
(``pip install --editable '.[peers]'``) and takes a few minutes; tasks that are in the files already
are left as they are.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.utils.data import DataLoader

from learnorder.advise.plans import make_problem
from learnorder.advise.range_test import range_test
from learnorder.config.settings import TaskRunConfig
from learnorder.models.modes import evaluation_mode
from learnorder.runs.execute import arithmetic
from learnorder.runs.judged import Target
from learnorder.runs.process import process_kept
from learnorder.schedules import Schedule
from learnorder.seeding import derive_seed, generator
from learnorder.statistics.ranges import worst_group_of
from learnorder.training.optimizers import Optimizers
from learnorder.training.records import Records
from learnorder.training.task import Task, build_network, load_task, splits
from learnorder.training.task_evaluation import evaluate_task
from learnorder.training.task_problem import TaskProblem, task_trainer
from learnorder.training.trainer import Trainer
from studies.advice_vs_peers.benchmarks import BENCHMARKS, Benchmark
from studies.advice_vs_peers.measure import RECORDS
from studies.common import names_chosen

STEPS = 100
"""Steps of every range test: the default of all three."""
FINDERS, OPTIMIZERS = RECORDS / "finders.parquet", RECORDS / "optimizers.parquet"


def _loader(benchmark: Benchmark, task: Task, seed: int) -> DataLoader[Any]:
    train, _ = splits(task)
    drawing = generator(seed, "finder")
    return DataLoader(train, benchmark.batch_size, shuffle=True, generator=drawing, drop_last=True)


def _optimizer(benchmark: Benchmark, network: nn.Module, rate: float) -> torch.optim.Optimizer:
    training = benchmark.search().training
    if benchmark.optimizer == "SGD":
        return torch.optim.SGD(
            network.parameters(), rate, training.momentum, nesterov=training.nesterov,
            weight_decay=training.weight_decay,
        )  # fmt: skip
    kind = getattr(torch.optim, benchmark.optimizer)
    return kind(network.parameters(), rate, weight_decay=training.weight_decay)


def torch_lr_finder_pick(benchmark: Benchmark, task: Task, seed: int) -> float | None:
    """Return the suggestion of torch-lr-finder, with the range of its README: 10⁻⁷ to 100."""
    import matplotlib as mpl  # pyright: ignore[reportMissingImports]

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # pyright: ignore[reportMissingImports]
    from torch_lr_finder import LRFinder  # pyright: ignore[reportMissingImports]

    network = build_network(task, seed)
    finder = LRFinder(network, _optimizer(benchmark, network, 1e-7), task.loss, device="cpu")
    finder.range_test(_loader(benchmark, task, seed), end_lr=100, num_iter=STEPS)
    figure, axes = plt.subplots()
    try:
        _, pick = finder.plot(ax=axes)  # the suggestion is computed there
    except RuntimeError:  # too few steps before the loss explodes
        return None
    finally:
        plt.close(figure)
    return _usable(pick)


def lightning_pick(benchmark: Benchmark, task: Task, seed: int) -> float | None:
    """Return the suggestion of Lightning's ``lr_find``, with its range: 10⁻⁸ to 1."""
    import lightning.pytorch as pl
    from lightning.pytorch.tuner.tuning import Tuner

    class Module(pl.LightningModule):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.lr = network, 1e-3

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, targets = batch
            return task.loss(self.network(inputs), targets)

        def configure_optimizers(self) -> Any:
            return _optimizer(benchmark, self.network, self.lr)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=-1,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        module = Module(build_network(task, seed))
        found = Tuner(trainer).lr_find(
            module, train_dataloaders=_loader(benchmark, task, seed), num_training=STEPS
        )
    return None if found is None else _usable(found.suggestion())


def learnorder_pick(benchmark: Benchmark, task: Task, seed: int) -> float | None:
    """Return the pick of a restart of learnorder's own range test."""
    config = benchmark.config(benchmark.grid()[0], benchmark.epochs, seed)
    test = range_test(config.training, make_problem(config), seeds=[seed])
    return test.restarts[0].pick()


def _usable(pick: float | None) -> float | None:
    usable = pick is not None and math.isfinite(pick) and pick > 0
    return float(pick) if usable and pick is not None else None


PICKS: dict[str, Callable[[Benchmark, Task, int], float | None]] = {
    "torch_lr_finder": torch_lr_finder_pick,
    "lightning": lightning_pick,
    "learnorder_range": learnorder_pick,
}
"""Range tests by name."""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop what the finders print, and their progress bars."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def picks(name: str) -> Iterator[dict[str, Any]]:
    """Yield the pick of each range test on each seed of the pool."""
    benchmark = BENCHMARKS[name]
    task = load_task(benchmark.search().task)
    for seed in benchmark.pool_seeds():
        for finder, pick in PICKS.items():
            with process_kept(), _silence():
                torch.manual_seed(derive_seed(seed, "finder"))
                rate = pick(benchmark, task, seed)
            epochs = STEPS / len(_loader(benchmark, task, seed))
            yield {"task": name, "finder": finder, "seed": seed, "rate": rate, "epochs": epochs}


def schedule_free(benchmark: Benchmark, seed: int) -> Trainer[TaskProblem]:
    """Train with schedule-free AdamW and its default learning rate; evaluate its average."""
    from schedulefree import AdamWScheduleFree  # pyright: ignore[reportMissingImports]

    decay = benchmark.search().training.weight_decay
    trainer = _trainer(benchmark, Schedule(0.0025), seed)
    optimizer = AdamWScheduleFree(trainer.network.parameters(), weight_decay=decay)
    optimizer.train()
    trainer.optimizer = Optimizers([optimizer], 0.0025)
    _train(trainer)
    optimizer.eval()
    _average_statistics(trainer)
    return trainer


def prodigy(benchmark: Benchmark, seed: int) -> Trainer[TaskProblem]:
    """Train with Prodigy at learning rate 1 and a cosine, as its README recommends."""
    from prodigyopt import Prodigy  # pyright: ignore[reportMissingImports]

    options: dict[str, Any] = {"lr": 1.0, "weight_decay": benchmark.search().training.weight_decay}
    trainer = _trainer(benchmark, Schedule(1.0, cosine=True), seed)
    optimizer = Prodigy(trainer.network.parameters(), **options)
    trainer.optimizer = Optimizers([optimizer], 1.0)
    _train(trainer)
    return trainer


def _trainer(benchmark: Benchmark, schedule: Schedule, seed: int) -> Trainer[TaskProblem]:
    """Return the trainer of a full run, whose learning rate follows another schedule."""
    config = benchmark.config(benchmark.grid()[0], benchmark.epochs, seed)
    config = replace(config, learning_rate=schedule)
    assert isinstance(config, TaskRunConfig)
    return task_trainer(config, load_task(config.task))


def _train(trainer: Trainer[TaskProblem]) -> None:
    outcome = trainer.run(lambda _: False, lambda _: None)
    if outcome.status != "finished":
        raise RuntimeError(f"{outcome.status}: {outcome.reason}")


def _average_statistics(trainer: Trainer[TaskProblem]) -> None:
    """Set the running statistics of batch norm to those of the averaged weights.

    As its README says: pass training batches through the network in training mode.
    """
    norms = [m for m in trainer.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    trainer.network.train()
    if norms:
        with torch.no_grad():
            for batch in trainer.problem.epoch(1):
                for part in batch:
                    trainer.problem.outputs(trainer.network, part)


OPTIMIZER_RUNS = {"schedule_free": schedule_free, "prodigy": prodigy}
"""Optimisers without a search, by name."""


def final_scores(name: str) -> Iterator[dict[str, Any]]:
    """Yield the final score of each optimiser on each seed of the truth, by target."""
    benchmark = BENCHMARKS[name]
    for seed in benchmark.truth_seeds():
        for optimizer, train in OPTIMIZER_RUNS.items():
            with process_kept():
                trainer = train(benchmark, seed)
                records = Records()
                with evaluation_mode(trainer.network):
                    evaluate_task(trainer.problem, trainer.network, records, benchmark.epochs)
            for target in benchmark.targets:
                quantity = _quantity(target, trainer.problem)
                score = records.last("validation", quantity)
                yield {"task": name, "optimizer": optimizer, "seed": seed, "target": target,
                       "score": score}  # fmt: skip


def _quantity(target: Target, problem: TaskProblem) -> str:
    return worst_group_of(problem.group_score) if target == "worst_group" else problem.score.name


def _add(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    if path.exists():
        table = pa.concat_tables([pq.read_table(path), table.cast(pq.read_schema(path))])
    pq.write_table(table, path, compression="zstd")


def _done(path: Path) -> set[str]:
    return set(pq.read_table(path)["task"].to_pylist()) if path.exists() else set()


def main() -> None:
    """Run them on the tasks named on the command line."""
    for name in names_chosen(BENCHMARKS, __doc__):
        with arithmetic(1):
            for path, make in ((FINDERS, picks), (OPTIMIZERS, final_scores)):
                if name not in _done(path):
                    _add(path, list(make(name)))
        print(f"{name} done", flush=True)


if __name__ == "__main__":
    main()
