"""A task of the user's own, as the training loop sees it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from learnorder.config import TaskRunConfig
from learnorder.errors import ConfigError, DataError, one_line, reason_of, refusing
from learnorder.seeding import generator, seed_everything
from learnorder.task import IGNORED, Task, build_network, known_targets, splits
from learnorder.training.place import Place
from learnorder.training.problem import Part
from learnorder.training.records import Records
from learnorder.training.trainer import Trainer

_LABELS = ("labels", "label", "target", "targets")
"""What a mapping may call its targets."""


@dataclass(frozen=True)
class TaskBatch:
    """What a step is made of.

    Attributes:
        inputs: What the model is called with.
        targets: What the loss compares its outputs with.
        size: Number of examples.
    """

    inputs: Any
    targets: Any
    size: int


class _Steps(Dataset):
    """Batches of a data set by step, each drawn from (seed, purpose, step) alone.

    So they are the same whatever the number of processes that load them, and wherever it begins.
    """

    def __init__(
        self,
        task: Task,
        dataset: Any,
        order: Sequence[int],
        batch_size: int,
        seed: tuple[Any, ...],
        place: Place | None = None,
    ) -> None:
        self._dataset, self._collate, self._seed = dataset, task.collate, seed
        self._place = place
        self._order, self._batch_size = order, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, step: int) -> tuple[Any, int]:
        seed_everything(*self._seed, step)
        chosen = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        if self._place is not None:
            chosen = chosen[self._place.rows(len(chosen))]
        if hasattr(self._dataset, "__getitems__"):
            items = self._dataset.__getitems__(list(chosen))
        else:
            items = [self._dataset[index] for index in chosen]
        try:
            return self._collate(items), len(items)
        except (RuntimeError, TypeError) as error:
            kind = type(getattr(self._dataset, "dataset", self._dataset)).__name__
            raise DataError(
                f"Items of the data set ({kind}) do not go into one batch: {one_line(error)}. "
                "Bring them to one size in the data set, or give Task a collate function that does."
            ) from error


def split_batch(collated: Any) -> tuple[Any, Any]:
    """Return the inputs and the targets of a batch; see :class:`~learnorder.Task`.

    >>> split_batch((1, 2, 3))
    ((1, 2), 3)
    >>> split_batch({"input_ids": 1, "labels": 2})
    ({'input_ids': 1}, 2)
    """
    if isinstance(collated, Mapping):
        name = next((name for name in _LABELS if name in collated), None)
        if name is not None:
            return {k: v for k, v in collated.items() if k != name}, collated[name]
        found = f"a mapping with {', '.join(map(str, collated))}"
    elif isinstance(collated, tuple | list) and len(collated) >= 2:
        *inputs, targets = collated
        return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets
    else:
        found = f"a {type(collated).__name__}"
    raise DataError(
        f"A batch is {found}: it must be (inputs, targets), or a mapping with one of "
        f"{', '.join(_LABELS)}. Let the data set return such items, or give Task a collate "
        "function that makes such batches."
    )


def apply_model(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a batch's inputs; return its outputs, or their logits."""
    if isinstance(inputs, Mapping):
        outputs = model(**inputs)
    elif isinstance(inputs, tuple):
        outputs = model(*inputs)
    else:
        outputs = model(inputs)
    return getattr(outputs, "logits", outputs)


@dataclass(frozen=True)
class Score:
    """What final models are judged by.

    Attributes:
        name: accuracy, loss, or the user's.
        higher_is_better: Whether a higher one is better.
        of: From (outputs, targets) to its mean, or its value for each example.
    """

    name: str
    higher_is_better: bool
    of: Callable[[Any, Any], Any]


def score_of(task: Task, outputs: Any, targets: Any) -> Score:
    """Return what a task is judged by, given a batch of it."""
    if task.score is not None:
        return Score(task.score_name, task.higher_is_better, task.score)
    if _are_classes(outputs, targets):
        return Score("accuracy", True, accuracy)
    return Score("loss", False, task.loss)


def _are_classes(outputs: Any, targets: Any) -> bool:
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return False
    whole = targets.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
    return whole and targets.dim() == 1 and outputs.dim() == 2 and outputs.shape[1] > 1


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of right predictions, outputs [B, C, …] and targets [B, …].

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    tensor(0.5000)
    """
    counted = targets != IGNORED
    right = (outputs.argmax(1) == targets) & counted
    return right.sum() / counted.sum().clamp(min=1)


class TaskProblem:
    """A run of a task: a :class:`~learnorder.training.problem.Problem`.

    Args:
        config: The run.
        task: The task it names.
        place: Where it is trained.

    Attributes:
        network: The model, with its initial weights.
        score: What it is judged by.
        sizes: Examples trained on and judged on.
        counts: [3]: examples, summed score and summed loss of the epoch under way.
        unseen_classes: Classes trained on that no validation example has, as far as the data sets
            say their targets.

    Raises:
        ConfigError: The model or the loss does not take the data.
        DataError: Items that do not go into a batch, or a batch of no known form.
    """

    def __init__(self, config: TaskRunConfig, task: Task, place: Place) -> None:
        self.task, self._config, self._place = task, config, place
        device = self._device = place.device
        self.train, self.validation = splits(task)
        self.sizes = (len(self.train), len(self.validation))  # pyright: ignore[reportArgumentType]
        self.network = build_network(task, config.seed).to(device)
        # Apple's devices have no float64.
        kept = torch.float32 if device.type == "mps" else torch.float64
        self.counts = torch.zeros(3, dtype=kept, device=device)
        batch, outputs = self._try_model()
        self.score = score_of(task, outputs, batch.targets)
        self.unseen_classes = self._unseen_classes() if self.score.of is accuracy else []
        self.check_outputs(outputs, batch, "evaluation")

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last takes what is left, but for a single example."""
        return math.ceil(self._shown / self._config.training.batch_size)

    @property
    def _shown(self) -> int:
        """Examples of an epoch: one left over is not shown, as batch norm refuses it."""
        return self.sizes[0] - (self.sizes[0] % self._config.training.batch_size == 1)

    def examples(self, step: int) -> int:
        """Return the number of examples of a step."""
        batch_size = self._config.training.batch_size
        return min(batch_size, self._shown - step * batch_size)

    def _order(self, epoch: int) -> list[int]:
        drawing = generator(self._config.seed, "order", epoch)
        return torch.randperm(self.sizes[0], generator=drawing)[: self._shown].tolist()

    def epoch(self, epoch: int, start: int = 0) -> Iterator[TaskBatch]:
        """Yield this process's rows of an epoch's batches, from step ``start`` on.

        What the data set draws at random is drawn by each process for its own rows, so it depends
        on how many there are.
        """
        place = self._place
        seed = (self._config.seed, "items", epoch, *place.own_draws)
        return self._batches(self.train, self._order(epoch), seed, start, place)

    def _batches(
        self,
        dataset: Dataset,
        order: Sequence[int],
        seed: tuple[Any, ...],
        start: int = 0,
        place: Place | None = None,
    ) -> Iterator[TaskBatch]:
        steps = _Steps(self.task, dataset, order, self._config.training.batch_size, seed, place)
        loader = DataLoader(
            steps,
            batch_size=None,
            sampler=range(start, len(steps)),
            num_workers=self.task.num_workers,
            generator=generator(*seed, "processes"),
        )
        for collated, size in loader:
            inputs, targets = split_batch(send_to_device(collated, self._device))
            yield TaskBatch(inputs, targets, size)

    def first(self, examples: int) -> TaskBatch:
        """Return the first examples of the first epoch, as one batch."""
        seed = (self._config.seed, "items", 1)
        steps = _Steps(self.task, self.train, self._order(1)[:examples], examples, seed)
        collated, size = steps[0]
        return TaskBatch(*split_batch(send_to_device(collated, self._device)), size)

    def judged(self, start: int = 0) -> Iterator[TaskBatch]:
        """Yield the validation batches; what their data set draws is the same at each pass."""
        return self._batches(self.validation, range(self.sizes[1]), (0, "validation"), start)

    def evaluation_samples(self) -> Iterator[TaskBatch]:
        """Yield the first validation batch and the last, which may be smaller."""
        last = math.ceil(self.sizes[1] / self._config.training.batch_size) - 1
        for start in sorted({0, last}):
            yield next(self.judged(start))

    def outputs(self, model: nn.Module, batch: TaskBatch) -> Any:
        """Return the model's outputs, in float32 where they are a tensor of real numbers."""
        outputs = apply_model(model, batch.inputs)
        real = isinstance(outputs, Tensor) and not outputs.is_complex()
        return outputs.float() if real else outputs

    @torch.no_grad()
    def check_outputs(self, outputs: Any, batch: TaskBatch, mode: str) -> None:
        """Refuse complex outputs, and those that the loss or the score does not take."""
        targets = batch.targets
        if isinstance(outputs, Tensor) and outputs.is_complex():
            raise self.refusal(
                "model",
                f"In {mode} mode it maps inputs {_shapes(batch.inputs)} to complex numbers, "
                f"{_shapes(outputs)}. Return real ones, e.g. outputs.abs().",
            )
        with (
            refusing(lambda why: self.refusal("loss", _misfit(outputs, targets, why, mode))),
            warnings.catch_warnings(),  # shapes that broadcast give another loss than is meant
        ):
            warnings.filterwarnings("error", message="Using a target size")
            losses = self.task.loss(outputs, targets)
        if not isinstance(losses, Tensor) or losses.dim() > 1 or losses.is_complex():
            raise self.refusal(
                "loss",
                f"It returned {_shapes(losses)}. It must return the mean loss of a batch, or one "
                "loss for each example, as real numbers.",
            )
        pair = f"outputs {_shapes(outputs)} with targets {_shapes(targets)}"
        with refusing(lambda why: self.refusal("score", f"It failed on {pair}: {why}.")):
            _mean(self.score.of(outputs, targets))

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error that refuses the model, the loss or the score of the task."""
        named = self.network if part == "model" else getattr(self.task, part)
        name = type(named).__name__ if isinstance(named, nn.Module) else None
        return ConfigError(f"task.{part}", name or getattr(named, "__name__", named), reason)

    def losses(self, outputs: Any, batch: TaskBatch) -> Tensor:
        """Return the loss of each example, or their mean."""
        try:
            return self.task.loss(outputs, batch.targets)
        except (IndexError, RuntimeError) as error:
            raise DataError(_misfit(outputs, batch.targets, reason_of(error))) from error

    def count(self, batch: TaskBatch, outputs: Any, losses: Tensor) -> None:
        """Add a batch's score and loss."""
        score = _mean(self.score.of(outputs, batch.targets))
        row = (1.0, score, losses.detach().mean())
        self.counts += batch.size * torch.stack([torch.as_tensor(v).to(self.counts) for v in row])

    def write(self, records: Records, epoch: int) -> None:
        """Add the epoch's mean score and loss to records, and begin anew."""
        n, score, loss = self.counts.tolist()
        for quantity, value in _named(self.score.name, score / n, loss / n).items():
            records.add(epoch, "train", quantity, value, n=int(n))
        self.counts.zero_()

    @torch.no_grad()
    def evaluate(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add the mean validation score and loss to records."""
        model.eval()
        n, score, loss = 0, 0.0, 0.0
        for batch in self.judged():
            outputs = self.outputs(model, batch)
            n += batch.size
            loss += batch.size * float(self.losses(outputs, batch).mean())
            score += batch.size * float(_mean(self.score.of(outputs, batch.targets)))
        for quantity, value in _named(self.score.name, score / n, loss / n).items():
            records.add(epoch, "validation", quantity, value, n=n)
        model.train()
        return math.isfinite(loss) and math.isfinite(score)

    @torch.no_grad()
    def _try_model(self) -> tuple[TaskBatch, Any]:
        """Apply the model to two validation examples; return them and the outputs."""
        few = range(min(2, self.sizes[1]))
        with refusing(
            lambda why: DataError(f"task.validation: no batch can be made of it: {why}.")
        ):
            batch = next(self._batches(self.validation, few, (0, "trying out")))
        self.network.eval()
        what = f"a batch of inputs {_shapes(batch.inputs)}"
        with refusing(lambda why: self.refusal("model", f"It failed on {what}: {why}.")):
            outputs = self.outputs(self.network, batch)
        self.network.train()
        return batch, outputs

    def _unseen_classes(self) -> list[int]:
        """Return the classes trained on that no validation example has, if targets are known."""
        train, judged = (known_targets(data) for data in (self.train, self.validation))
        if train is None or judged is None:
            return []
        return sorted(set(train.unique().tolist()) - set(judged.unique().tolist()) - {IGNORED})


def task_trainer(
    config: TaskRunConfig, task: Task, state: dict[str, Any] | None = None
) -> Trainer[TaskProblem]:
    """Return the trainer of a run of a task; as :func:`~learnorder.training.image_trainer`."""
    return Trainer(config, lambda place: TaskProblem(config, task, place), state)


def _mean(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float32).detach().mean()


def _named(name: str, score: float, loss: float) -> dict[str, float]:
    return {"loss": loss} if name == "loss" else {name: score, "loss": loss}


def _misfit(outputs: Any, targets: Any, reason: str, mode: str = "") -> str:
    where = f"In {mode} mode the" if mode else "The"
    return (
        f"{where} loss does not take outputs {_shapes(outputs)} with targets {_shapes(targets)}: "
        f"{reason}. Classes are whole numbers from 0, with one output for each; other targets need "
        "another loss."
    )


def _shapes(value: Any) -> str:
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        values = ""
        if value.numel() and not (value.is_floating_point() or value.is_complex()):
            values = f" from {int(value.min())} to {int(value.max())}"
        return f"{kind} {list(value.shape)}{values}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_shapes(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_shapes, value)) + ")"
    return type(value).__name__
