"""A user's task: a model, its data, its loss and its score."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset, default_collate

from learnorder.config.importing import import_object
from learnorder.config.settings import TaskConfig
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError, one_line
from learnorder.models.compiled import without_wrappers
from learnorder.models.fresh import check_fresh
from learnorder.models.trainable import check_lazy, check_trainable
from learnorder.planters import Planter
from learnorder.seeding import generator, random_state_kept, seed_everything
from learnorder.training.groups import Groups, strata
from learnorder.training.identity import Identity, Reader, steady
from learnorder.training.items import forget_items
from learnorder.training.keep import Keep
from learnorder.training.map_style import check_data
from learnorder.training.metrics import BatchMean, Metric, Scoring, check_score
from learnorder.training.own_measures import Measures, check_measures
from learnorder.training.own_optimizer import OptimizerFactory, SchedulerFactory
from learnorder.training.registry import Registry
from learnorder.training.sampling import Sampler, check_sampler
from learnorder.training.targets import known_targets

if TYPE_CHECKING:
    from datasets import Dataset as HFDataset
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

IGNORED = -100
"""The target that PyTorch's losses ignore."""
_WHAT = "Give the import path of a learnorder.Task, or of a function that returns one."


@dataclass(frozen=True)
class Task:
    """Any model, data and loss, for :func:`~learnorder.run_advise`.

    ``collate`` makes batches: a pair (inputs, targets), a longer tuple whose last part is the
    targets, or a mapping with "labels". The model is called with the inputs: a single one, those of
    a tuple as positional arguments, or those of a mapping as keyword arguments. If its outputs have
    ``logits``, as an attribute or in a mapping, these are used.

    Raises:
        ConfigError: A field has an invalid value or type.
        DataError: There are fewer than 3 training examples, or than 2 training or validation
            examples if ``validation`` is given.

    >>> from torch.utils.data import TensorDataset
    >>> data = TensorDataset(torch.randn(100, 8), torch.arange(100) % 4)
    >>> task = Task(model=lambda: nn.Linear(8, 4), train=data)
    >>> [len(split) for split in splits(task)]
    [80, 20]
    """

    model: nn.Module | Callable[[], nn.Module]
    """A function that returns a new model at each call, or a module with the initial weights, which
    is copied for each run. A function that returns the same module or parameters again is
    refused."""
    train: Dataset[Any]
    """Map-style data set of the training examples."""
    validation: Dataset[Any] | None = None
    """Map-style data set for the score; None holds out ``validation_share`` of ``train``. Do not
    use the test data: the choice of a learning rate would bias the test score."""
    validation_share: float = 0.2
    """Share held out: stratified by group if there are ``groups``, by class if the data set has
    ``targets``, ``labels`` or tensors, else at random."""
    loss: Callable[[Any, Any], Tensor] = F.cross_entropy
    """Function from (outputs, targets) to the mean loss of a batch, or the loss of each example."""
    score: Callable[[Any, Any], Any] | BatchMean | Metric | type[Metric] | None = None
    """Score of the final model over the whole validation set. A function gets all outputs and
    targets at once, on the CPU (at most 4 GB), and returns a number, or one for each example. An
    object with update(outputs, targets) and compute(), e.g. of torchmetrics, or its class, gets
    them batch by batch. :class:`BatchMean` averages over batches. None is the accuracy if outputs
    are [B, C] and targets are classes [B], else the loss."""
    score_name: str = "score"
    """Name of the score in reports."""
    higher_is_better: bool = True
    """Whether higher scores are better."""
    collate: Callable[[list[Any]], Any] = default_collate
    """Makes a batch from a list of items."""
    validation_collate: Callable[[list[Any]], Any] | None = None
    """Makes a batch from validation items; None uses ``collate``."""
    num_workers: int = 0
    """Processes per run that load items; 0 loads them in the run's own process."""
    groups: Groups | None = None
    """Known groups of the examples, e.g. by a spurious attribute; each is measured separately."""
    planter: Planter | None = None
    """Plants a pattern of a class into an example, for :func:`~learnorder.run_probe`; see
    :mod:`learnorder.planters`."""
    keep: Keep | None = None
    """Another data set, on which it is measured what training forgets; see
    :class:`~learnorder.Keep`."""
    optimizer: OptimizerFactory | None = None
    """Function from (network, learning rate) to the optimiser of a new network, or to a list of
    optimisers that share its parameters. Learning rates are reported as this number, whatever the
    function makes of it; a schedule multiplies the ``lr`` of each parameter group. None takes
    the optimiser of the settings."""
    scheduler: SchedulerFactory | None = None
    """Function from (optimizer, steps of the run) to a scheduler of ``torch.optim.lr_scheduler``,
    which is stepped after each step of the optimiser. None takes the schedule of the settings."""
    sampler: Sampler | None = None
    """Which training examples an epoch shows: a weight for each example of ``train``, to draw with
    replacement, or a function from a torch.Generator to the positions of an epoch, equally many
    each time. None shows each example once, but for one that would be a last batch alone."""
    measures: Measures = field(default_factory=dict)
    """Functions from the network, in evaluation mode, to a number that is recorded after each epoch
    in the set run, by the names of the numbers."""
    show: Callable[[Any], Any] | None = None
    """Function from an item of ``train`` to what reports show of it: a text, a PIL image, or pixels
    as a uint8 tensor or array. None shows items that are a text or a PIL image with a target."""

    @classmethod
    def from_transformers(
        cls,
        model: nn.Module | PretrainedConfig | Callable[[], nn.Module],
        tokenizer: PreTrainedTokenizerBase,
        dataset: HFDataset,
        *,
        text: str | tuple[str, str] = "text",
        label: str | None = None,
        validation: HFDataset | None = None,
        max_length: int | None = None,
        groups: Groups | str | None = None,
        keep: Keep | HFDataset | None = None,
    ) -> Task:
        """Return a task of sequence classification or regression, from objects of Hugging Face.

        The loss is the cross-entropy of the logits or, for a regression, their mean squared error:
        the model's own loss. Dropout is as configured. Batches are padded to their longest text.
        For a score, a validation share and so on: ``dataclasses.replace(task, score=...)``.

        Args:
            model: A model ...ForSequenceClassification, to be fine-tuned from its weights; a
                configuration, to be trained from scratch; or a function that returns a model, e.g.
                with adapters.
            tokenizer: Its tokenizer.
            dataset: The training data: a text column, or columns input_ids, attention_mask and so
                on, which are preferred. Other columns are not used.
            text: The column of the texts, or the two columns of pairs.
            label: The column of the labels: integers, or floats for a regression. None: "label" or
                "labels".
            validation: Validation data; None holds out a share of ``dataset``.
            max_length: Number of tokens to truncate texts to; truncated texts are counted in the
                log and in ``train.truncated``. None truncates nothing, and refuses texts that are
                too long for the model.
            groups: Known groups, or the column with the attribute.
            keep: Data of the old task, with the same columns, or a :class:`~learnorder.Keep` of
                them.

        Raises:
            ConfigError: transformers is missing, or an argument is not valid or does not fit
                another.
            DataError: A text or a label is missing or not valid.
        """
        from learnorder.training.from_transformers import task_fields

        fields = task_fields(
            model,
            tokenizer,
            dataset,
            text=text,
            label=label,
            validation=validation,
            max_length=max_length,
            groups=groups,
            keep=keep,
        )
        return cls(**fields)

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise ConfigError(
                "task.model", self.model, "Give a torch.nn.Module, or a function that returns one."
            )
        if not 0 < self.validation_share < 1:
            raise ConfigError("task.validation_share", self.validation_share, "Give (0, 1).")
        check_score("task.score", self.score, self.score_name, self.higher_is_better)
        if self.num_workers < 0:
            raise ConfigError("task.num_workers", self.num_workers, "Give 0 or more.")
        if self.groups is not None and not isinstance(self.groups, Groups):
            raise ConfigError(
                "task.groups", type(self.groups).__name__, "Give learnorder.Groups(values)."
            )
        if self.keep is not None and not isinstance(self.keep, Keep):
            raise ConfigError("task.keep", type(self.keep).__name__, "Give learnorder.Keep(data).")
        self._check_functions()
        for name in ("train", "validation"):
            if (data := getattr(self, name)) is not None:
                check_data(f"task.{name}", data, fewest=3 if self.validation is None else 2)
        if self.sampler is not None:
            size = len(self.train)  # pyright: ignore[reportArgumentType]
            check_sampler(self.sampler, size, holds_out=self.validation is None)

    def _check_functions(self) -> None:
        for name in ("loss", "collate"):
            if not callable(value := getattr(self, name)):
                raise ConfigError(f"task.{name}", value, "Give a function.")
        check_measures(self.measures)
        for name in ("validation_collate", "optimizer", "scheduler", "show"):
            if (value := getattr(self, name)) is not None and not callable(value):
                raise ConfigError(f"task.{name}", value, "Give a function.")

    @property
    def fine_tunes(self) -> bool:
        """Whether it starts from the weights of a module."""
        return isinstance(self.model, nn.Module)


def build_network(task: Task, seed: int) -> nn.Module:
    """Return a model to train: made with the seed, or a copy of the task's module.

    The global random state is restored.

    Raises:
        ConfigError: The function fails, or returns something else or a module that an earlier call
            returned; the module cannot be copied; or it cannot be trained.
    """
    model = _copied(task.model) if isinstance(task.model, nn.Module) else _made(task, seed)
    model = without_wrappers(model)
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
    start = "To start every run from the same weights, give the module itself: Task(model=net)."
    check_fresh(without_wrappers(model), "task.model", task.model, start)
    return model


def scoring_of(task: Task) -> Scoring:
    """Return what the outputs of a task's models are judged by."""
    return Scoring(task.loss, task.score, task.score_name, task.higher_is_better)


def splits(task: Task) -> tuple[Dataset[Any], Dataset[Any]]:
    """Return the training and the validation data sets."""
    if task.validation is not None:
        return task.train, task.validation
    size = len(task.train)  # pyright: ignore[reportArgumentType]
    groups = task.groups
    by = known_targets(task.train) if groups is None else strata(groups, task.train)
    if by is not None:
        order = stratified_order(by, seed=0)
    else:
        order = torch.randperm(size, generator=generator(0, "validation split"))
    held = min(max(1, round(task.validation_share * size)), size - 2)
    indices = order.tolist()
    return Subset(task.train, indices[:-held]), Subset(task.train, indices[-held:])


def identify(task: Task, maker: Any = None) -> Identity:
    """Return digests of a task's code, data and weights.

    Args:
        task: The task.
        maker: The function that made it, if any.
    """
    reader = Reader()
    if maker is not None:
        reader.add("task", maker)
    for name in ("model", "loss", "score", "collate", "validation_collate"):
        reader.add(name, getattr(task, name))
    for name, data in (("training data", task.train), ("validation data", task.validation)):
        reader.add(name, None if data is None else reader.data(data))
    for name in ("groups", "planter", "optimizer", "scheduler"):
        if (value := getattr(task, name)) is not None:
            reader.add(name, value)
    if task.measures:
        reader.add("measures", dict(task.measures))
    if (sampler := task.sampler) is not None:
        reader.add("sampler", sampler if callable(sampler) else torch.as_tensor(sampler))
    if task.keep is not None:
        reader.add("data to keep", reader.data(task.keep.data))
        reader.add("keep", [v for n, v in vars(task.keep).items() if n != "data"])
    reader.add("settings", [task.score_name, task.higher_is_better, task.validation_share])
    if not task.fine_tunes:
        reader.add("initial weights", steady(lambda: reader.token(build_network(task, seed=0))))
    return reader.parts


_given: Registry[Task] = Registry("task", "task.given")


@contextmanager
def register_task(task: Task) -> Iterator[TaskConfig]:
    """Yield a configuration for a task without an import path, valid within the ``with`` block."""
    forget_items()
    with _given.registered(task, identify(task)) as name:
        yield TaskConfig(given=name)


@dataclass
class _ImportedTask:
    """The last imported task of this process, cached so that its runs share the data."""

    config: str
    maker: Any
    task: Task
    identity: Identity | None = None


_last: list[_ImportedTask] = []


def load_task(config: TaskConfig) -> Task:
    """Return the task of a configuration.

    Raises:
        ConfigError: It cannot be imported, or is not a task.
    """
    if config.given is None:
        return _imported(config).task
    return _given.find(config.given)[0]


def identity_of(config: TaskConfig) -> Identity:
    """Return the identity of a configuration's task; see :func:`identify`."""
    if config.given is not None:
        return _given.find(config.given)[1]
    imported = _imported(config)
    if imported.identity is None:
        maker = None if imported.maker is imported.task else imported.maker
        imported.identity = identify(imported.task, maker)
    return imported.identity


def _imported(config: TaskConfig) -> _ImportedTask:
    """Return the task at an import path, made again if its module was reloaded."""
    if config.path is None:
        raise ConfigError("task.path", None, _WHAT)
    maker, name = import_object(config.path, "task.path", _WHAT), repr(config)
    if not _last or _last[0].config != name or _last[0].maker is not maker:
        _last.clear()
        forget_items()
        _last.append(_ImportedTask(name, maker, _make(maker, config.path, config.arguments)))
    return _last[0]


def _make(maker: Any, path: str, arguments: Mapping[str, Any]) -> Task:
    task = maker
    if callable(maker) and not isinstance(maker, Task):
        try:
            task = maker(**arguments)
        except (ConfigError, DataError):
            raise
        except Exception as error:
            raise ConfigError(
                "task.path", path, f"It failed: {type(error).__name__}: {one_line(error)}"
            ) from error
    if not isinstance(task, Task):
        raise ConfigError("task.path", path, f"It gives {type(task).__name__}. {_WHAT}")
    return task
