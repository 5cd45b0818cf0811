"""What balanced examples have equally many of, and scores of predictions, with known groups."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, zeros_like

from learnorder.data.groups import Grouping
from learnorder.patterns import measure_reliance
from learnorder.runs.last_layer import LastLayerScores
from learnorder.training.group_scores import attribute_reliance


def cells_of(
    grouping: Grouping | None, groups: Tensor | None, labels: Tensor
) -> tuple[Tensor, tuple[str, ...]]:
    """Return the group within its class of each example, int64 [N], and the names of these cells.

    Args:
        grouping: The known groups; None: all examples are in one cell.
        groups: Group of each example, int64 [N]; None without groups.
        labels: Classes, int64 [N].
    """
    if grouping is None or groups is None:
        return zeros_like(labels), ("",)
    if grouping.classes is not None:
        return groups, grouping.names
    count = 1 + int(labels.max())
    pairs, cells = (groups * count + labels).unique(return_inverse=True)
    names = (f"{grouping.names[pair // count]}, class {pair % count}" for pair in pairs.tolist())
    return cells, tuple(names)


def too_small(cells: Tensor, names: tuple[str, ...], fewest: int) -> str:
    """Return the cells with fewer examples than ``fewest``, and how many they have, in words."""
    counts = cells.bincount(minlength=len(names)).tolist()
    return ", ".join(
        f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count < fewest
    )


def scores_of(
    predicted: Mapping[str, Tensor],
    labels: Tensor,
    pattern_labels: Tensor | None,
    grouping: Grouping | None,
) -> LastLayerScores:
    """Return the scores of predictions on the evaluation examples.

    Args:
        predicted: Predicted classes by evaluation set, clean and maybe conflict, int64 [M].
        labels: Classes, int64 [M].
        pattern_labels: Classes that the pattern of conflict examples stands for, int64 [M]; None
            without a pattern.
        grouping: The known groups of the examples; None without groups.
    """
    correct = predicted["clean"] == labels
    clean = correct.double().mean().item()
    content = reliance = None
    if pattern_labels is not None:
        conflict = measure_reliance(
            predicted["conflict"], predicted["clean"], labels, pattern_labels
        )
        content, reliance = conflict.content, conflict.reliance
    if grouping is None:
        return LastLayerScores(clean, content, reliance)
    worst = _worst_accuracy(grouping, correct)
    on_attribute = None
    if grouping.aligned is not None and grouping.classes is not None:
        value = attribute_reliance(correct, grouping.aligned, grouping.classes)
        on_attribute = None if math.isnan(value) else value
    return LastLayerScores(clean, content, reliance, worst, clean - worst, on_attribute)


def _worst_accuracy(grouping: Grouping, correct: Tensor) -> float:
    """Return the accuracy of the worst group."""
    counts = grouping.evaluation.bincount(minlength=len(grouping.names)).double()
    right = zeros_like(counts).index_add_(0, grouping.evaluation, correct.double())
    return float((right / counts).min())
