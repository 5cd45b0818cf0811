"""The score of a run's final model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from learnorder.errors import ConfigError
from learnorder.runs.descriptions import ImagesDescription, ScriptDescription, TaskDescription
from learnorder.runs.folder import RunFolder
from learnorder.statistics.learned import chance_level
from learnorder.statistics.ranges import gap_of, worst_group_of

Target = Literal["score", "loss", "worst_group", "gap", "reliance"]
"""What runs are compared by: their score, or another quantity over the whole validation set."""
OF_GROUPS = ("worst_group", "gap", "reliance")
"""The targets that need known groups."""


def judged_by(folder: RunFolder[Any], target: Target = "score") -> tuple[str, str, bool]:
    """Return the set and quantity that a run is judged by, and whether higher is better.

    Raises:
        ConfigError: The run has no known groups, or the target is the reliance on an attribute that
            is not spurious.
    """
    described = folder.data()
    if isinstance(described, TaskDescription):
        set_ = "clean" if folder.config.pattern.planted else "validation"
        score, higher = described.score, described.higher_is_better
    elif isinstance(described, ScriptDescription):
        set_, score, higher = "validation", described.score, described.higher_is_better
    else:
        set_, score, higher = "clean", "accuracy", True
    if target == "score":
        return set_, score, higher
    if target == "loss":
        return set_, "loss", False
    check_target(target, getattr(described, "groups", {}), getattr(described, "spurious", False))
    of = getattr(described, "group_score", score)
    if target == "worst_group":
        return set_, worst_group_of(of), True if of == "accuracy" else higher
    return set_, gap_of(of) if target == "gap" else "reliance", False


def check_target(target: Target, groups: Collection[str], spurious: bool) -> None:
    """Check that there are the groups that a target needs.

    Raises:
        ConfigError: There are none, or it is the reliance on an attribute that is not spurious.
    """
    if target in OF_GROUPS and not groups:
        raise ConfigError(
            "target",
            target,
            "There are no known groups. Give the task groups, e.g. Task(..., "
            "groups=learnorder.Groups(domains)), or images data.group_column, or the target score "
            "or loss.",
        )
    if target == "reliance" and not spurious:
        raise ConfigError(
            "target", target, "The groups' attribute is not spurious: give worst_group or gap."
        )


def unlearned_scores(folders: Sequence[RunFolder[Any]]) -> dict[int, float]:
    """Return the score of a model that has learned nothing, by seed, if it is known."""
    scores: dict[int, float] = {}
    for folder in folders:
        described = folder.data()
        if isinstance(described, TaskDescription):
            score = described.unlearned
        elif isinstance(described, ScriptDescription):
            continue
        else:
            score = commonest_share(getattr(described, "classes", {}))
        if score is not None:
            scores.setdefault(folder.config.seed, score)
    return scores


def commonest_share(classes: Mapping[str, tuple[int, int]]) -> float | None:
    """Return the share of the commonest class among the evaluated images, None without any.

    Args:
        classes: Numbers of training and of evaluated images by class.
    """
    counts = [evaluated for _, evaluated in classes.values()]
    return max(counts) / sum(counts) if sum(counts) else None


def chance_of(described: ImagesDescription | TaskDescription) -> float | None:
    """Return the accuracy of guessing on a run's evaluation data; None if there are no classes."""
    if described.num_classes is None:
        return None
    if isinstance(described, TaskDescription):
        commonest = described.commonest
        if commonest is None and described.score == "accuracy":
            commonest = described.unlearned
    else:
        commonest = commonest_share(described.classes)
    return chance_level(described.num_classes, commonest)


def final_score(folder: RunFolder[Any], target: Target = "score") -> float:
    """Return what a run is judged by, after its last epoch."""
    set_, quantity, _ = judged_by(folder, target)
    rows = folder.records().to_pylist()
    key = (set_, quantity, "all")
    return [r["value"] for r in rows if (r["set"], r["quantity"], r["group"]) == key][-1]
