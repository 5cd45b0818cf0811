"""Titles of arms: those of the paper by name, those of a sweep by their varied settings."""

from __future__ import annotations

from typing import Any

from learnorder.report.schedule_titles import arm_words
from learnorder.report.setting_titles import setting_title, setting_titles
from learnorder.runs import RunFolder
from learnorder.runs.results import RunSet

MOST_ARMS = 8
"""The largest number of arms that are shown with curves and paired differences."""

MOST_ROWS = 200
"""The largest number of arms that have a row each in a figure."""


def arm_titles(results: RunSet[Any]) -> dict[str, str]:
    """Return a title for each arm, with only the settings that differ between arms."""
    headings, cells = arm_columns(results)
    if headings == ["arm"]:
        return {arm: cells[arm][0] for arm in results.arms}
    return {
        arm: ", ".join(
            value if name == "arm" else f"{name} {value}"
            for name, value in zip(headings, cells[arm], strict=True)
        )
        for arm in results.arms
    }


def marked_titles(results: RunSet[Any]) -> dict[str, str]:
    """Return a title for each arm, with the number of diverged runs if there are any."""
    return {
        arm: f"{title} ({lost})" if (lost := results.lost(arm)) else title
        for arm, title in arm_titles(results).items()
    }


def arm_columns(results: RunSet[Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the headings, and the cells by arm, of table columns that name the arms.

    There is one column for each varied setting, or a single one with the arm's name.
    """
    labels = {arm: results.labels(arm) for arm in results.arms}
    first = {arm: results.runs_of(arm)[0] for arm in results.arms}
    names = dict.fromkeys(name for by_name in labels.values() for name in by_name)
    varied = [n for n in names if len({labels[arm].get(n) for arm in results.arms}) > 1]
    values = {arm: [labels[arm].get(name, "–") for name in varied] for arm in labels}
    distinct = len({tuple(of_arm) for of_arm in values.values()}) == len(results.arms)
    if not distinct or varied in ([], ["arm"]):
        return ["arm"], {arm: [_named(arm, first[arm])] for arm in results.arms}
    cells = {
        arm: [
            arm_words(value, first[arm]) if name == "arm" else value
            for name, value in zip(varied, of_arm, strict=True)
        ]
        for arm, of_arm in values.items()
    }
    return list(setting_titles(varied).values()), cells


def _named(arm: str, folder: RunFolder[Any]) -> str:
    prefix, colon, name = arm.rpartition(": ")
    head, *settings = name.split(", ")
    return prefix + colon + ", ".join([arm_words(head, folder), *map(_setting, settings)])


def _setting(words: str) -> str:
    """Return a setting and its value, from the name of an arm, in words."""
    name, space, value = words.partition(" ")
    return (setting_title(name) if "." in name else name) + space + value
