"""Forms of scores that users give: functions, metrics, and means over batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from learnorder.config.score_names import check_direction
from learnorder.errors import ConfigError


@dataclass(frozen=True)
class BatchMean:
    """A score that is averaged over batches, weighted by their numbers of targets.

    Targets of −100 do not count; targets that are no tensor of integers count as their examples.
    For scores such as F1 or AUROC this differs from the score of all examples and depends on the
    batch size. Without it, a :class:`~learnorder.Task` uses the score of all examples.
    """

    score: Callable[[Any, Any], Any]
    """Function from a batch's (outputs, targets) to its mean score, or each example's score."""


class Metric(Protocol):
    """A score that is updated with one batch after another, as in torchmetrics."""

    def update(self, outputs: Any, targets: Any, /) -> object:
        """Add a batch."""
        ...

    def compute(self) -> Any:
        """Return the score of all batches, a single number."""
        ...


def is_metric(score: object) -> bool:
    """Whether a score is a :class:`Metric` or a class of one."""
    return all(callable(getattr(score, name, None)) for name in ("update", "compute"))


@dataclass(frozen=True)
class Scoring:
    """What outputs are judged by.

    Attributes:
        loss: Function from (outputs, targets) to a mean loss, or the loss of each example.
        score: The score; None: the accuracy if there are classes, else the loss.
        score_name: Name of a score that is not None.
        higher_is_better: Whether higher values of such a score are better.
    """

    loss: Callable[[Any, Any], Tensor]
    score: Callable[[Any, Any], Any] | BatchMean | Metric | type[Metric] | None
    score_name: str
    higher_is_better: bool


def check_score(field: str, score: Any, name: str, higher_is_better: bool) -> None:
    """Check the form of a score and its name, which is not the loss's or of the other direction.

    Args:
        field: The field that has the score, and with "_name" added the one that has its name.
        score: The score.
        name: Its name.
        higher_is_better: Whether higher scores are better.

    Raises:
        ConfigError: The score has another form, or its name is not allowed.
    """
    if score is not None and name == "loss":
        raise ConfigError(f"{field}_name", "loss", "It is the loss's name; give another.")
    if score is not None:
        check_direction(field.rpartition(".")[0], name, higher_is_better)
    function = score.score if isinstance(score, BatchMean) else score
    if function is not None and not callable(function) and not is_metric(function):
        raise ConfigError(
            field,
            function,
            "Give a function of (outputs, targets), or an object with update and compute.",
        )
