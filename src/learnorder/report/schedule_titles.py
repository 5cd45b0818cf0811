"""Titles of arms whose label says annealed, by the schedule that their runs really have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from learnorder.config.arm_titles import ARM_WORDS, PROBE_ARM_TITLES
from learnorder.config.script import ScriptRunConfig
from learnorder.runs.folder import RunFolder
from learnorder.schedules import Schedule


def arm_words(name: str, folder: RunFolder[Any]) -> str:
    """Return the title of an arm from its label and one of its runs.

    Searches label all their learning rates alike, but the smallest one stays constant, and a task
    or a script may have a schedule of its own.
    """
    if name not in ("annealed", "annealed_noise"):
        return ARM_WORDS.get(name, name)
    return _schedule(folder) + " + noise" * name.endswith("noise")


def _schedule(folder: RunFolder[Any]) -> str:
    """Return what a run does with its learning rate."""
    annealed, constant = PROBE_ARM_TITLES["annealed"], PROBE_ARM_TITLES["constant"]
    config = folder.config
    if isinstance(config, ScriptRunConfig):
        last = config.values.get("final_learning_rate")
        if last is None:
            return "LR scheduled by the script"
        return annealed if last < config.learning_rate else constant
    if getattr(folder.data(), "scheduler", ""):
        return "LR scheduled by the task"
    schedule: Schedule = config.learning_rate
    return constant if replace(schedule, warmup_epochs=0).is_constant else annealed
