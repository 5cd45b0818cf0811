"""Checks of the scores of a script: does it use what it is given?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from learnorder.config.script import ScriptConfig
from learnorder.errors import ConfigError
from learnorder.runs import RunFolder


def check_used(script: ScriptConfig, scores: Mapping[float, Mapping[int, float]]) -> None:
    """Check that scores differ between learning rates and between seeds.

    Args:
        script: The script.
        scores: Final scores by learning rate and seed.

    Raises:
        ConfigError: All scores of each seed are equal to the last digit, or all of each rate.
    """
    by_seed: dict[int, list[float]] = {}
    for scored in scores.values():
        for seed, score in scored.items():
            by_seed.setdefault(seed, []).append(score)
    if _equal(by_seed.values()):
        shown = ", ".join(f"{values[0]:.10g} for seed {seed}" for seed, values in by_seed.items())
        raise ConfigError(
            _field(script),
            script.title,
            f"For each seed, all learning rates from {min(scores):g} to {max(scores):g} end at the "
            f"same score to the last digit: {shown}. Either the script ignores its learning rate, "
            "or all learning rates learn equally little or equally everything. The runs are kept.",
        )
    if _equal(list(scored.values()) for scored in scores.values()):
        raise ConfigError(
            _field(script),
            script.title,
            "For each learning rate, all seeds end at the same score to the last digit: the script "
            "ignores its seed, so nothing would show how much scores vary. Let the seed set the "
            "initial weights and the order of the data. The runs are kept.",
        )


def _equal(lists: Any) -> bool:
    """Return whether each list has one distinct value, and some list has several elements."""
    several = [values for values in lists if len(values) > 1]
    return bool(several) and all(len(set(values)) == 1 for values in several)


def no_scores(script: ScriptConfig, folders: Sequence[RunFolder[Any]]) -> ConfigError:
    """Return the error for a script none of whose runs has a score, with the reasons."""
    reasons = dict.fromkeys(folder.read_manifest()["reason"] for folder in folders)
    first, others = next(iter(reasons)), len(reasons) - 1
    more = f" There are {others} other reasons." if others else ""
    return ConfigError(
        _field(script),
        script.title,
        f"None of {len(folders)} runs ended with a score: {first}.{more} What they printed is in "
        f"{folders[0].path} and beside it.",
    )


def reasons_by_rate(folders: Sequence[RunFolder[Any]]) -> dict[float, str]:
    """Return why the first run without a score has none, by learning rate."""
    reasons: dict[float, str] = {}
    for folder in folders:
        manifest = folder.read_manifest()
        if manifest["status"] != "finished":
            reasons.setdefault(folder.config.learning_rate, manifest["reason"])
    return reasons


def _field(script: ScriptConfig) -> str:
    return "script.function" if script.command is None else "script.command"
