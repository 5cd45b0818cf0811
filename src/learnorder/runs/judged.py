"""What a run's final model is judged by, and its score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import TaskDescription


def judged_by(folder: RunFolder[Any]) -> tuple[str, str, bool]:
    """Return the set and the quantity a run is judged by, and whether higher is better."""
    if isinstance(described := folder.data(), TaskDescription):
        return "validation", described.score, described.higher_is_better
    return "clean", "accuracy", True


def unlearned_scores(folders: Sequence[RunFolder[Any]]) -> dict[int, float]:
    """Return by seed the score of a model that has learned nothing, where runs know it."""
    found: dict[int, float] = {}
    for folder in folders:
        described = folder.data()
        if isinstance(described, TaskDescription):
            score = described.unlearned
        else:
            judged = [judged for _, judged in getattr(described, "classes", {}).values()]
            score = max(judged) / sum(judged) if sum(judged) else None
        if score is not None:
            found.setdefault(folder.config.seed, score)
    return found


def final_score(folder: RunFolder[Any]) -> float:
    """Return a run's score after its last epoch."""
    set_, quantity, _ = judged_by(folder)
    rows = folder.records().to_pylist()
    return [r["value"] for r in rows if (r["set"], r["quantity"]) == (set_, quantity)][-1]
