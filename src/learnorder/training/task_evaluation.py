"""Evaluation of a task's model: its score, losses, known groups and planted patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from learnorder.patterns import measure_reliance
from learnorder.training.evaluation import add_reliance
from learnorder.training.group_scores import GroupPass, GroupScores
from learnorder.training.own_measures import record_measures
from learnorder.training.records import Records
from learnorder.training.score_pass import Passed, score_pass
from learnorder.training.scores import scoring
from learnorder.training.task_batches import TaskBatch

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from learnorder.training.task_problem import TaskProblem


@dataclass(frozen=True)
class Validated(Passed):
    """Scores of one pass over validation examples.

    Attributes:
        groups: Scores of the known groups, if there are any.
        predicted: Predicted classes, int64 [M]; None if outputs are not logits of classes.
    """

    groups: GroupScores | None
    predicted: Tensor | None


def validate(
    problem: TaskProblem,
    model: nn.Module,
    data: Dataset | None = None,
    *,
    grouped: bool = True,
) -> Validated:
    """Return the scores of a model over all validation examples.

    Every process evaluates all of them.

    Args:
        problem: The task.
        model: The model; it is in evaluation mode meanwhile.
        data: Another form of the validation examples, with a pattern; None: as they are.
        grouped: Whether to measure the known groups.

    Raises:
        ConfigError: The score fails, or needs too much memory.
    """
    count, classes = problem.sizes[1], problem.num_classes is not None
    by_group = None
    if problem.groups is not None and grouped:
        by_group = GroupPass(problem.groups, problem.score, problem.task.loss, classes)
    predicted = torch.zeros(count, dtype=torch.int64) if classes else None

    def seen(batch: TaskBatch, outputs: Any, losses: Tensor) -> None:
        if predicted is not None:
            predicted[batch.indices] = outputs.argmax(1).cpu()
        if by_group is not None:
            by_group.add(outputs, batch.targets, losses, batch.indices)

    found = score_pass(problem, model, problem.validation_batches(data=data), count, seen)
    with scoring(problem.refusal, "It failed on the examples of a group"):
        groups = None if by_group is None else by_group.scores(found.score)
    return Validated(found.score, found.loss, groups, predicted)


def evaluate_task(problem: TaskProblem, model: nn.Module, records: Records, epoch: int) -> bool:
    """Add all that is measured after an epoch to records.

    Returns:
        Whether every score and loss is finite.
    """
    record_measures(problem.task.measures, model, records, epoch)
    finite = problem.kept is None or problem.kept.write(model, records, epoch)
    if problem.patterns is None:
        found = validate(problem, model)
        _write(problem, found, records, epoch, "validation")
        return finite and found.finite
    labels = problem.patterns.labels
    predicted: dict[str, Tensor] = {}
    for chosen in problem.pattern_sets:
        found = validate(problem, model, chosen.data, grouped=chosen.name == "clean")
        assert found.predicted is not None
        predicted[chosen.name] = found.predicted
        finite = finite and found.finite
        _write(problem, found, records, epoch, chosen.name)
        if chosen.name == "conflict":
            reliance = measure_reliance(
                found.predicted, predicted["clean"], labels, chosen.pattern_labels
            )
            add_reliance(records, epoch, reliance, len(labels))
    return finite


def _write(problem: TaskProblem, found: Validated, records: Records, epoch: int, set_: str) -> None:
    """Add the scores of a pass to records."""
    values = {problem.score.name: found.score}
    if problem.patterns is not None and found.predicted is not None:
        correct = found.predicted == problem.patterns.labels
        values["accuracy"] = correct.double().mean().item()
    for quantity, value in {**values, "loss": found.loss}.items():
        records.add(epoch, set_, quantity, value, n=problem.sizes[1])
    if found.groups is not None and problem.groups is not None:
        found.groups.write(records, epoch, set_, problem.groups)
