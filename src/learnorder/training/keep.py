"""A second data set of a task, on which it is measured what training forgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from learnorder.errors import ConfigError
from learnorder.training.map_style import check_data
from learnorder.training.metrics import BatchMean, Metric, Scoring, check_score


@dataclass(frozen=True)
class Keep:
    """Data of an old task, by which a :class:`~learnorder.Task` measures what training forgets.

    The model is evaluated on them before training and after each epoch; it is never trained on
    them. *Forgetting* is the score before training less that after it (for scores of which lower
    values are better: after less before). Whatever is None is taken from the task.

    Raises:
        ConfigError: A field has an invalid value or type.
        DataError: There are fewer than 2 examples.

    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> reviews = TensorDataset(torch.randn(50, 8), torch.arange(50) % 2)
    >>> Keep(reviews, name="movie reviews").name
    'movie reviews'
    """

    data: Dataset[Any]
    """Map-style data set of the old task, e.g. its validation data. Do not use data that the model
    was trained on: the score on them falls also if nothing general is forgotten."""
    name: str = "old task"
    """Name of the old task in reports."""
    outputs: Callable[[nn.Module, Any], Any] | None = None
    """Function from (model, inputs) to the outputs for the old task, e.g. of another head, or with
    an adapter switched off. It must leave the model as it was. None calls the model as the task
    does."""
    loss: Callable[[Any, Any], Tensor] | None = None
    """Loss, as for the task."""
    score: Callable[[Any, Any], Any] | BatchMean | Metric | type[Metric] | None = None
    """Score, as for the task."""
    score_name: str = "score"
    """Name of the score in reports, if ``score`` is given."""
    higher_is_better: bool = True
    """Whether higher scores are better, if ``score`` is given."""
    collate: Callable[[list[Any]], Any] | None = None
    """Makes a batch from a list of items; None takes the task's for validation items."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("task.keep.name", self.name, "Give a name, e.g. 'movie reviews'.")
        for field in ("outputs", "loss", "collate"):
            if (value := getattr(self, field)) is not None and not callable(value):
                raise ConfigError(f"task.keep.{field}", value, "Give a function.")
        check_score("task.keep.score", self.score, self.score_name, self.higher_is_better)
        check_data("task.keep.data", self.data, fewest=2)

    def scoring(self, of_task: Scoring) -> Scoring:
        """Return what outputs are judged by, with what is None from the task.

        Args:
            of_task: The task's.
        """
        loss = of_task.loss if self.loss is None else self.loss
        if self.score is None:
            score, name, better = of_task.score, of_task.score_name, of_task.higher_is_better
            return Scoring(loss, score, name, better)
        return Scoring(loss, self.score, self.score_name, self.higher_is_better)
