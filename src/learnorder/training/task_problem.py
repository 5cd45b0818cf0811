"""The training problem of runs of a user's task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset

from learnorder.config.settings import TaskRunConfig
from learnorder.errors import ConfigError, DataError, reason_of, refusing
from learnorder.models.modes import evaluation_mode
from learnorder.seeding import generator
from learnorder.training.collate_order import check_order
from learnorder.training.dynamics import RunDynamics
from learnorder.training.fit import check_dynamics, check_fit, misfit
from learnorder.training.group_scores import GroupTally
from learnorder.training.groups import resolve_groups
from learnorder.training.kept_task import KeptTask
from learnorder.training.optimizers import Optimizers
from learnorder.training.own_measures import measured
from learnorder.training.own_optimizer import check_replaced, make_optimizers, make_schedulers
from learnorder.training.planted import Patterns, PatternSet, PlantedData
from learnorder.training.problem import Part
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records
from learnorder.training.sampling import EpochOrder
from learnorder.training.scores import are_classes, mean_loss, mean_of, score_of, weight_of
from learnorder.training.snapshots import RunSnapshots
from learnorder.training.targets import known_targets
from learnorder.training.task import IGNORED, Task, build_network, scoring_of, splits
from learnorder.training.task_batches import (
    StepBatches,
    TaskBatch,
    apply_model,
    in_float32,
    shapes,
    split_batch,
)
from learnorder.training.task_evaluation import evaluate_task, validate
from learnorder.training.tensor_rows import tensor_rows
from learnorder.training.trainer import Trainer


class TaskProblem:
    """A run of a task: a :class:`~learnorder.training.problem.Problem`.

    Args:
        config: The run.
        task: Its task.
        group: The device and the process.

    Attributes:
        network: The model, with its initial weights.
        score: Its score.
        sizes: Number of training and of validation examples.
        shown: Number of examples that an epoch shows.
        num_classes: Number of classes, if outputs are [B, C] and targets are classes.
        patterns: The planted patterns, if any.
        pattern_sets: The sets on which they are measured.
        groups: The groups of the examples, if any.
        kept: The old task on which forgetting is measured, if any.
        dynamics: The training dynamics, if they are kept.
        snapshots: None: only runs on images keep snapshots.
        counts: [1 + G, 3]: targets that count, summed score and summed loss of the current epoch,
            then the same of each group.
        unseen_classes: Training classes without a validation example, if the targets are known
            without loading examples.

    Raises:
        ConfigError: The model or the loss does not accept the data.
        DataError: Items cannot be collated, or a batch has an unknown form.
    """

    def __init__(self, config: TaskRunConfig, task: Task, group: ProcessGroup) -> None:
        self.task, self._config, self._group = task, config, group
        device = self._device = group.device
        self.train, self.validation = splits(task)
        self.sizes = (len(self.train), len(self.validation))  # pyright: ignore[reportArgumentType]
        batch_size = config.training.batch_size
        self._gathers = tensor_rows(self.train, task.collate) is not None
        self._order = EpochOrder(task.sampler, self.train, config.seed)
        # An epoch omits a last batch of one example, on which batch norm cannot train.
        self.shown = self._order.length - (self._order.length % batch_size == 1)
        self._steps = math.ceil(self.shown / batch_size)
        self.network = build_network(task, config.seed).to(device)
        # MPS does not support float64.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.groups = None
        if task.groups is not None:
            given = task.train, task.validation
            self.groups = resolve_groups(task.groups, given, self.train, self.validation)
        rows = 1 if self.groups is None else 1 + len(self.groups.names)
        self.counts = torch.zeros(rows, 3, dtype=dtype, device=device)
        self._all, self._one = self.counts[0], torch.ones((), device=device)
        self._numbers = self._all.numpy() if device.type == "cpu" else None
        if self.groups is not None or config.pattern.planted or config.training.dynamics:
            check_order("task.collate", task.collate, self.train)
            check_order("task.validation_collate", self.validation_collate, self.validation)
        batch, outputs = self._try_model()
        self.score = score_of(scoring_of(task), outputs, batch.targets)
        has_classes = are_classes(outputs, batch.targets)
        self.num_classes: int | None = outputs.shape[1] if has_classes else None
        self._tally = None
        if self.groups is not None and has_classes:
            self._tally = GroupTally(self.groups, self.counts[1:])
        self.unseen_classes = self._unseen_classes() if self._is_classification else []
        self.check_outputs(outputs, batch, "evaluation")
        self.patterns: Patterns | None = None
        self.pattern_sets: list[PatternSet] = []
        if config.pattern.planted:
            self._draw_patterns()
        measured(task.measures, self.network)  # to refuse those that fail before training
        self.kept = None if task.keep is None else KeptTask(self, task.keep, device)
        self.snapshots: RunSnapshots | None = None
        self.dynamics: RunDynamics | None = None
        self._alone: Tensor | None = None
        if config.training.dynamics:
            check_dynamics(task, outputs, batch.targets)
            self.dynamics = RunDynamics(self.sizes[0], outputs.shape[1], batch_size, group)

    def _draw_patterns(self) -> None:
        """Draw the patterns of the seed."""
        if self.task.sampler is not None:
            raise ConfigError(
                "task.sampler",
                type(self.task.sampler).__name__,
                "Patterns are planted in a share of the examples, each of which an epoch must show "
                "once. Give a task without a sampler.",
            )
        if self.num_classes is None:
            raise self.refusal(
                "model",
                "Patterns of a class need logits [B, C] as outputs, and targets that are classes.",
            )
        pattern, seed = self._config.pattern, self._config.seed
        self.patterns = Patterns.draw(self.task, pattern, seed, self.train, self.validation)
        self.pattern_sets = self.patterns.evaluation_sets()

    @property
    def _is_classification(self) -> bool:
        """Whether its score is the accuracy by default."""
        return self.task.score is None and self.score.name == "accuracy"

    @property
    def seeds_steps(self) -> bool:
        """Whether this process loads items, whose draws are seeded by step."""
        return not (self.task.num_workers or self._gathers)

    @property
    def group_score(self) -> str:
        """What each group is measured by: accuracy for classes, else the task's score."""
        return self.score.name if self.num_classes is None else "accuracy"

    @property
    def evaluated(self) -> str:
        """The set by which runs are judged."""
        return "validation" if self.patterns is None else "clean"

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last may have fewer examples, but not a single one."""
        return self._steps

    def examples(self, step: int) -> int:
        """Return the number of examples of a step."""
        batch_size = self._config.training.batch_size
        return min(batch_size, self.shown - step * batch_size)

    def own_optimizers(self, network: nn.Module, learning_rate: float) -> Optimizers | None:
        """Return the optimisers that the task's function makes; None if it has none.

        Raises:
            ConfigError: They cannot be used, or settings of an optimiser are given too.
        """
        if self.task.optimizer is None:
            return None
        check_replaced(self._config.training)
        return make_optimizers(self.task.optimizer, network, learning_rate, self._config.seed)

    def own_schedulers(self, optimizers: Optimizers) -> list[LRScheduler]:
        """Return the schedulers that the task's function makes, one for each optimiser.

        Raises:
            ConfigError: They cannot be used, or the settings change the learning rate too.
        """
        if self.task.scheduler is None:
            return []
        training, schedule = self._config.training, self._config.learning_rate
        if not schedule.is_constant:
            raise ConfigError(
                "learning_rate",
                schedule,
                "The task has its own scheduler, which sets the learning rate. Give a constant "
                "one here (anneal task in a search), or remove the scheduler from the task.",
            )
        steps = training.epochs * self.steps
        return make_schedulers(self.task.scheduler, optimizers, steps)

    def _positions(self, epoch: int) -> list[int]:
        return self._order.positions(epoch)[: self.shown]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[TaskBatch]]:
        """Yield the parts of this process's rows of an epoch's batches, from step ``start`` on.

        The data set's own random draws are made by each process for its rows, so they depend on the
        number of processes.
        """
        group = self._group
        seed = (self._config.seed, "items", epoch, *group.own_draws)
        training, collate = self._config.training, self.task.collate
        data, order = self._data_in(epoch), self._positions(epoch)
        if self.dynamics is not None and isinstance(data, PlantedData):
            self._alone = data.alone.to(self._device)
        size, at_once = training.batch_size, training.examples_at_once
        steps = StepBatches(data, collate, order, size, seed, group, at_once)
        return self._loaded(steps, seed, start)

    def _data_in(self, epoch: int) -> Dataset[Any]:
        """Return the training examples as they are in an epoch."""
        return self.train if self.patterns is None else self.patterns.training(epoch)

    def batches(
        self,
        dataset: Dataset,
        order: Sequence[int],
        seed: tuple[Any, ...],
        start: int = 0,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> Iterator[TaskBatch]:
        """Yield batches of a data set, in an order, from step ``start`` on, by this process alone.

        Args:
            dataset: The data set.
            order: Positions of its examples.
            seed: What its random draws depend on.
            start: The first step.
            collate: Makes the batches; None takes that of training.
        """
        collate = self.task.collate if collate is None else collate
        size = self._config.training.batch_size
        steps = StepBatches(dataset, collate, order, size, seed)
        for parts in self._loaded(steps, seed, start):
            yield from parts

    def _loaded(
        self, steps: StepBatches, seed: tuple[Any, ...], start: int
    ) -> Iterator[list[TaskBatch]]:
        """Yield the parts of each step's batch, loaded by the task's number of processes."""
        remaining = range(start, len(steps))
        if self.task.num_workers:
            loader = DataLoader(
                steps,
                batch_size=None,
                sampler=remaining,
                num_workers=self.task.num_workers,
                generator=generator(*seed, "processes"),
            )
        else:
            loader = map(steps.__getitem__, remaining)
        for parts in loader:
            yield [TaskBatch(*split_batch(self._moved(part)), rows) for part, rows in parts]

    def _moved(self, collated: Any) -> Any:
        """Return a batch on the device. On a CPU it is there: there is no other device."""
        on_cpu = self._device.type == "cpu"
        return collated if on_cpu else send_to_device(collated, self._device)

    def first_batch(self, examples: int) -> TaskBatch:
        """Return the first examples of the first epoch, as one batch."""
        seed = (self._config.seed, "items", 1)
        order = self._positions(1)[:examples]
        data = self._data_in(1)
        steps = StepBatches(data, self.task.collate, order, examples, seed)
        ((collated, indices),) = steps[0]
        return TaskBatch(*split_batch(self._moved(collated)), indices)

    def first_batches(self, count: int) -> list[TaskBatch]:
        """Return the first batches of the first epoch, whole."""
        order = self._positions(1)[: count * self._config.training.batch_size]
        return list(self.batches(self._data_in(1), order, (self._config.seed, "items", 1)))

    @property
    def validation_collate(self) -> Callable[[list[Any]], Any]:
        """Makes a batch from validation items."""
        return self.task.validation_collate or self.task.collate

    def validation_batches(
        self, start: int = 0, data: Dataset[Any] | None = None
    ) -> Iterator[TaskBatch]:
        """Yield the validation batches, with the same random draws of the data set in each pass.

        Args:
            start: The first batch.
            data: Another form of the validation examples; None: as they are.
        """
        order, seed = range(self.sizes[1]), (0, "validation")
        data = self.validation if data is None else data
        return self.batches(data, order, seed, start, collate=self.validation_collate)

    def evaluation_samples(self) -> Iterator[TaskBatch]:
        """Yield the first validation batch and the last, which may be smaller."""
        last = math.ceil(self.sizes[1] / self._config.training.batch_size) - 1
        for start in sorted({0, last}):
            yield next(self.validation_batches(start))

    def outputs(self, model: nn.Module, batch: TaskBatch) -> Any:
        """Return the model's outputs in float32."""
        return in_float32(apply_model(model, batch.inputs))

    def check_outputs(self, outputs: Any, batch: TaskBatch, mode: str) -> None:
        """Check that the loss and the score accept outputs; see :func:`check_fit`."""
        loss, score = self.task.loss, self.score
        check_fit(outputs, batch, mode, loss, score, self._device, self.refusal)

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error for a model, loss or score of the task that cannot be used."""
        value = self.network if part == "model" else getattr(self.task, part)
        name = type(value).__name__ if isinstance(value, nn.Module) else None
        return ConfigError(f"task.{part}", name or getattr(value, "__name__", value), reason)

    def losses(self, outputs: Any, batch: TaskBatch) -> Tensor:
        """Return the loss of each example, or their mean."""
        try:
            return self.task.loss(outputs, batch.targets)
        except (IndexError, RuntimeError) as error:
            raise DataError(misfit(outputs, batch.targets, reason_of(error))) from error

    def update_metrics(self, batch: TaskBatch, outputs: Any, losses: Tensor) -> None:
        """Add a batch's score and loss to the counts."""
        function = self.score.batch
        value = 0.0 if function is None else function(outputs, batch.targets)
        if not isinstance(value, float):
            value = mean_of(value)
        targets = batch.targets
        loss, weight = mean_loss(losses.detach(), targets), weight_of(targets, batch.size)
        if self._numbers is None:
            device = self._device
            score, loss = torch.as_tensor(value, device=device).float(), loss.to(device)
            self._all.add_(torch.stack((self._one, score, loss)) * weight)
        else:  # on a CPU numbers cost less than tensors
            n, scores, summed = self._numbers.tolist()
            summed += weight * float(loss)
            self._numbers[:] = n + weight, scores + weight * float(value), summed
        if self._tally is not None:
            self._tally.add(outputs, batch.targets, losses, batch.indices)
        self.update_dynamics(batch, outputs)

    def update_dynamics(self, batch: TaskBatch, outputs: Any) -> None:
        """Add a batch to the training dynamics, but for examples without content."""
        if self.dynamics is None:
            return
        targets = batch.targets
        if self._alone is not None:
            alone = self._alone[torch.as_tensor(batch.indices, device=self._device)]
            targets = targets.long().masked_fill(alone, IGNORED)
        self.dynamics.add(batch.indices, outputs, targets)

    def flush_metrics(self, records: Records, epoch: int) -> None:
        """Add the epoch's mean score and loss to records, and reset the counts."""
        n, score, loss = self._all.tolist()
        n = n or math.nan
        means = {"loss": loss / n}
        if self.score.batch is not None and self.score.name != "loss":
            means = {self.score.name: score / n, **means}
        for quantity, value in means.items():
            records.add(epoch, "train", quantity, value, n=self.shown)
        if self._tally is not None:
            self._tally.write(records, epoch)
        self.counts.zero_()

    def evaluate(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add validation scores and losses to records; see :func:`evaluate_task`."""
        return evaluate_task(self, model, records, epoch)

    def unlearned(self) -> float:
        """Return the score of a model that has learned nothing.

        It is the accuracy of always predicting the most frequent class, or the score of the current
        network.
        """
        if not self._is_classification:
            return validate(self, self.network).score
        return self.commonest()

    def commonest(self) -> float:
        """Return the share of the most frequent class among the validation targets."""
        targets = known_targets(self.validation)
        if targets is None:
            targets = torch.cat([batch.targets.cpu() for batch in self.validation_batches()])
        counts = targets[targets != IGNORED].unique(return_counts=True)[1]
        return float(counts.max() / counts.sum()) if len(counts) else math.nan

    @torch.no_grad()
    def _try_model(self) -> tuple[TaskBatch, Any]:
        """Apply the model to two validation examples; return them and the outputs."""
        few = range(min(2, self.sizes[1]))
        with refusing(lambda why: DataError(f"task.validation: it cannot be batched: {why}.")):
            seed, collate = (0, "trying out"), self.validation_collate
            batch = next(self.batches(self.validation, few, seed, collate=collate))
        what = f"a batch of inputs {shapes(batch.inputs)}"
        failed = refusing(lambda why: self.refusal("model", f"It failed on {what}: {why}."))
        with failed, evaluation_mode(self.network):
            outputs = self.outputs(self.network, batch)
        return batch, outputs

    def _unseen_classes(self) -> list[int]:
        """Return the training classes without a validation example, if targets are known."""
        train, validation = (known_targets(data) for data in (self.train, self.validation))
        if train is None or validation is None:
            return []
        return sorted(set(train.unique().tolist()) - set(validation.unique().tolist()) - {IGNORED})


def task_trainer(
    config: TaskRunConfig, task: Task, state: dict[str, Any] | None = None
) -> Trainer[TaskProblem]:
    """Return the trainer of a run of a task.

    Args:
        config: The run.
        task: Its task.
        state: State to continue from, of :meth:`~learnorder.training.trainer.Trainer.state`.
    """
    return Trainer(config, lambda group: TaskProblem(config, task, group), state)
