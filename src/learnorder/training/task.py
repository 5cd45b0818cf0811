"""A task of the user's own: a model, its data, its loss, and what it is judged by."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    default_collate,
)

from learnorder.config.importing import import_object
from learnorder.config.settings import TaskConfig
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError, one_line
from learnorder.models.compiled import without_wrappers
from learnorder.models.fresh import check_fresh
from learnorder.models.trainable import check_lazy, check_trainable
from learnorder.seeding import generator, random_state_kept, seed_everything
from learnorder.training.identity import Identity, Reader, steady, whole
from learnorder.training.targets import known_targets

IGNORED = -100
"""The target that PyTorch's losses leave out."""
_WHAT = "Give the import path of a learnorder.Task, or of a function that returns one."


@dataclass(frozen=True)
class BatchMean:
    """A score of batches, averaged over them, each by its examples.

    Of scores such as F1 or AUROC this is not the score of all examples, and it depends on the batch
    size; a :class:`Task` takes the score of all examples unless this is asked for.
    """

    score: Callable[[Any, Any], Any]
    """From a batch's (outputs, targets) to its mean score, or to the score of each example."""


class Metric(Protocol):
    """A score that takes batches one after another, as the metrics of torchmetrics do."""

    def update(self, outputs: Any, targets: Any, /) -> object:
        """Take a batch."""
        ...

    def compute(self) -> Any:
        """Return the score of all batches taken, one number."""
        ...


def is_metric(score: object) -> bool:
    """Whether a score is a :class:`Metric` or the class of one."""
    return all(callable(getattr(score, name, None)) for name in ("update", "compute"))


@dataclass(frozen=True)
class Task:
    """Any model, data and loss, for :func:`~learnorder.run_advise`.

    A batch is what ``collate`` makes of items: a pair (inputs, targets), a longer tuple whose last
    part is the targets, or a mapping with "labels". The model is called with the inputs: one, those
    of a tuple in order, those of a mapping by name; outputs with ``logits``, as an attribute or in
    a mapping, stand for these.

    Raises:
        ConfigError: A model, function, score, share or data set that cannot be one.
        DataError: Too few examples: 3, or 2 where ``validation`` is given.

    >>> from torch.utils.data import TensorDataset
    >>> data = TensorDataset(torch.randn(100, 8), torch.arange(100) % 4)
    >>> task = Task(model=lambda: nn.Linear(8, 4), train=data)
    >>> [len(split) for split in splits(task)]
    [80, 20]
    """

    model: nn.Module | Callable[[], nn.Module]
    """A function that makes the model anew at each call, or a module with the weights to start
    from; that one is copied for each run and left as it is. A function that returns one module
    again, or parameters that an earlier call returned, is refused."""
    train: Dataset[Any]
    """Map-style data set of the training examples."""
    validation: Dataset[Any] | None = None
    """What models are judged on; None holds ``validation_share`` of ``train`` out. Not the test
    data: what is chosen by them says nothing on them."""
    validation_share: float = 0.2
    """Share held out: of each class, where the data set says its targets, else at random."""
    loss: Callable[[Any, Any], Tensor] = F.cross_entropy
    """From (outputs, targets) to the mean loss of a batch, or to the loss of each example."""
    score: Callable[[Any, Any], Any] | BatchMean | Metric | type[Metric] | None = None
    """What the final model is judged by, over the whole validation set. A function gets all outputs
    and targets at once, on the CPU (4 GB at most), and returns one number, or one for each example.
    An object with update(outputs, targets) and compute(), as those of torchmetrics, or the class of
    one, gets them batch by batch and keeps what it needs. :class:`BatchMean` takes the mean over
    batches. None takes the accuracy where outputs are [B, C] and targets are classes [B], else the
    loss."""
    score_name: str = "score"
    """What reports call it."""
    higher_is_better: bool = True
    """Whether a higher score is a better one."""
    collate: Callable[[list[Any]], Any] = default_collate
    """Makes a batch of a list of items."""
    validation_collate: Callable[[list[Any]], Any] | None = None
    """Makes a batch of validation items; None does it as ``collate``."""
    num_workers: int = 0
    """Processes of each run that load items ahead; 0 loads them in the run's own."""

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise ConfigError(
                "task.model", self.model, "Give a torch.nn.Module, or a function that returns one."
            )
        if not 0 < self.validation_share < 1:
            raise ConfigError("task.validation_share", self.validation_share, "Give (0, 1).")
        if self.score is not None and self.score_name == "loss":
            raise ConfigError("task.score_name", "loss", "The loss has this name; give another.")
        if self.num_workers < 0:
            raise ConfigError("task.num_workers", self.num_workers, "Give 0 or more.")
        self._check_functions()
        for name in ("train", "validation"):
            if (data := getattr(self, name)) is not None:
                _check_data(f"task.{name}", data, fewest=3 if self.validation is None else 2)

    def _check_functions(self) -> None:
        for name in ("loss", "collate"):
            if not callable(value := getattr(self, name)):
                raise ConfigError(f"task.{name}", value, "Give a function.")
        if self.validation_collate is not None and not callable(self.validation_collate):
            raise ConfigError(
                "task.validation_collate", self.validation_collate, "Give a function."
            )
        score = self.score.score if isinstance(self.score, BatchMean) else self.score
        if score is not None and not callable(score) and not is_metric(score):
            raise ConfigError(
                "task.score",
                score,
                "Give a function of (outputs, targets), or an object with update and compute.",
            )

    @property
    def fine_tunes(self) -> bool:
        """Whether it starts from given weights."""
        return isinstance(self.model, nn.Module)


def _check_data(field: str, data: Any, fewest: int) -> None:
    """Refuse what is no map-style data set of some examples."""
    kind = type(data).__name__
    if isinstance(data, DataLoader):
        raise ConfigError(
            field,
            kind,
            "Give the data set: loader.dataset. Batches are drawn from it anew, their order from "
            "the seed; their size is training.batch_size, and collate=loader.collate_fn makes "
            "them as the loader does.",
        )
    try:
        if isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"):
            raise TypeError
        size = len(data)
    except TypeError:
        raise ConfigError(
            field,
            kind,
            "A map-style data set is needed, with __len__ and __getitem__: its order and its "
            "splits are drawn from the seed.",
        ) from None
    if size < fewest:
        raise DataError(f"{field} has {size} examples: give at least {fewest}.")


def build_network(task: Task, seed: int) -> nn.Module:
    """Return a model to train: made from the seed, or a copy of the one given.

    The global random state is left as it was.

    Raises:
        ConfigError: The function fails, returns something else, or a module that an earlier call
            returned; the module cannot be copied; it cannot be trained.
    """
    given = isinstance(task.model, nn.Module)
    model = without_wrappers(_copied(task.model) if given else _made(task, seed))  # pyright: ignore
    check_trainable(model, "task.model", type(model).__name__)
    check_lazy(model, "task.model", type(model).__name__)
    return model


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ConfigError(
            "task.model",
            type(module).__name__,
            f"It cannot be copied ({one_line(error)}). Give a function that makes it.",
        ) from error


def _made(task: Task, seed: int) -> nn.Module:
    with random_state_kept():
        seed_everything(seed, "weights")
        try:
            model = task.model()
        except Exception as error:
            raise ConfigError(
                "task.model", task.model, f"It failed: {type(error).__name__}: {one_line(error)}"
            ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            "task.model",
            task.model,
            f"It returned a {type(model).__name__}, not a torch.nn.Module.",
        )
    start = "To start every run from given weights, give the module itself: Task(model=net)."
    check_fresh(without_wrappers(model), "task.model", task.model, start)
    return model


def splits(task: Task) -> tuple[Dataset[Any], Dataset[Any]]:
    """Return what is trained on and what is judged on."""
    if task.validation is not None:
        return task.train, task.validation
    size = len(task.train)  # pyright: ignore[reportArgumentType]
    targets = known_targets(task.train)
    if targets is not None:
        order = stratified_order(targets, seed=0)
    else:
        order = torch.randperm(size, generator=generator(0, "validation split"))
    held = min(max(1, round(task.validation_share * size)), size - 2)
    indices = order.tolist()
    return Subset(task.train, indices[:-held]), Subset(task.train, indices[-held:])


def identify(task: Task, maker: Any = None) -> Identity:
    """Return what tells a task from another: its code, its data and its weights, as digests.

    Args:
        task: The task.
        maker: The function that made it, where there is one.
    """
    reader = Reader()
    if maker is not None:
        reader.add("task", maker)
    for name in ("model", "loss", "score", "collate", "validation_collate"):
        reader.add(name, getattr(task, name))
    for name, data in (("training data", task.train), ("validation data", task.validation)):
        reader.add(name, None if data is None else reader.data(data))
    reader.add("settings", [task.score_name, task.higher_is_better, task.validation_share])
    if not task.fine_tunes:
        reader.add("initial weights", steady(lambda: reader.token(build_network(task, seed=0))))
    return reader.parts


_GIVEN: dict[str, tuple[Task, Identity]] = {}
"""Tasks handed over in Python, by fingerprint, while a call that has them is under way."""


@contextmanager
def register_task(task: Task) -> Iterator[TaskConfig]:
    """Let configurations of this process stand for a task that has no import path."""
    found = identify(task)
    name = whole(found)
    _GIVEN[name] = task, found
    try:
        yield TaskConfig(given=name)
    finally:
        _GIVEN.pop(name, None)


@dataclass
class _Made:
    """The task made last in this process: runs in a worker share its data."""

    config: str
    maker: Any
    task: Task
    identity: Identity | None = None


_last: list[_Made] = []


def load_task(config: TaskConfig) -> Task:
    """Return the task that a configuration names.

    Raises:
        ConfigError: It cannot be imported, or is no task.
    """
    if config.given is None:
        return _made_by(config).task
    return _given(config.given)[0]


def identity_of(config: TaskConfig) -> Identity:
    """Return the identity of the task that a configuration names; see :func:`identify`."""
    if config.given is not None:
        return _given(config.given)[1]
    made = _made_by(config)
    if made.identity is None:
        maker = None if made.maker is made.task else made.maker
        made.identity = identify(made.task, maker)
    return made.identity


def _given(name: str) -> tuple[Task, Identity]:
    if name not in _GIVEN:
        raise ConfigError(
            "task.given",
            name,
            "It was handed over in Python, in a process that is gone. Call run_advise again "
            "with the same task and folder.",
        )
    return _GIVEN[name]


def _made_by(config: TaskConfig) -> _Made:
    """Return the task of an import path, made anew where its module was loaded again."""
    if config.path is None:
        raise ConfigError("task.path", None, _WHAT)
    maker, name = import_object(config.path, "task.path", _WHAT), repr(config)
    if not _last or _last[0].config != name or _last[0].maker is not maker:
        _last.clear()
        _last.append(_Made(name, maker, _make(maker, config.path, config.arguments)))
    return _last[0]


def _make(maker: Any, path: str, arguments: Mapping[str, Any]) -> Task:
    found = maker
    if callable(found) and not isinstance(found, Task):
        try:
            found = found(**arguments)
        except (ConfigError, DataError):
            raise
        except Exception as error:
            raise ConfigError(
                "task.path", path, f"It failed: {type(error).__name__}: {one_line(error)}"
            ) from error
    if not isinstance(found, Task):
        raise ConfigError("task.path", path, f"It gives {type(found).__name__}. {_WHAT}")
    return found
