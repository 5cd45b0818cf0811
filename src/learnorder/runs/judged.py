"""The score of a run's final model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import TaskDescription


def judged_by(folder: RunFolder[Any]) -> tuple[str, str, bool]:
    """Return the set and quantity of a run's score, and whether higher is better."""
    if isinstance(described := folder.data(), TaskDescription):
        return "validation", described.score, described.higher_is_better
    return "clean", "accuracy", True


def unlearned_scores(folders: Sequence[RunFolder[Any]]) -> dict[int, float]:
    """Return the score of a model that has learned nothing, by seed, if it is known."""
    scores: dict[int, float] = {}
    for folder in folders:
        described = folder.data()
        if isinstance(described, TaskDescription):
            score = described.unlearned
        else:
            counts = [evaluated for _, evaluated in getattr(described, "classes", {}).values()]
            score = max(counts) / sum(counts) if sum(counts) else None
        if score is not None:
            scores.setdefault(folder.config.seed, score)
    return scores


def final_score(folder: RunFolder[Any]) -> float:
    """Return a run's score after its last epoch."""
    set_, quantity, _ = judged_by(folder)
    rows = folder.records().to_pylist()
    return [r["value"] for r in rows if (r["set"], r["quantity"]) == (set_, quantity)][-1]
