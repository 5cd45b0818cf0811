"""The provenance of a page's numbers (runs, settings, machine), and the legend of its curves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import yaml

from learnorder.report.content import Key, Origin, TextTable
from learnorder.report.setting_titles import setting_title
from learnorder.report.style import line_styles
from learnorder.report.tables import run_table
from learnorder.report.titles import MOST_ARMS, arm_titles, marked_titles
from learnorder.runs import flatten, shared_settings
from learnorder.runs.kinds import kind_named
from learnorder.runs.results import RunSet


def origin(
    results: RunSet[Any], *, anchor: str = "", title: str = "Runs", page: str = ""
) -> Origin:
    """Return the provenance of results.

    Args:
        results: The runs.
        anchor: Name in links.
        title: Heading of the table of runs.
        page: Path of their own page, relative to the page being written.
    """
    return Origin(
        runs=replace(run_table(results, f"{anchor}-" if anchor else ""), title=title),
        settings=_yaml(shared_settings(results.folders)),
        varied=_varied(results) if len(results.arms) <= MOST_ARMS else None,
        environment=_environment(results),
        anchor=anchor,
        page=page,
        shared=kind_named(results.folders[0].kind).shared,
    )


def key(results: RunSet[Any]) -> Key:
    """Return the legend of all curves of results."""
    styles, titles = line_styles(results.arms), marked_titles(results)
    return [(titles[arm], style.color, style.svg_dashes()) for arm, style in styles.items()]


def _environment(results: RunSet[Any]) -> dict[str, object]:
    """Return versions and machine; where runs differ, each value with its number of runs."""
    manifests = [folder.read_manifest() for folder in results.folders]
    names = dict.fromkeys(name for manifest in manifests for name in manifest["environment"])
    found = {name: Counter(m["environment"].get(name, "–") for m in manifests) for name in names}
    words: dict[str, object] = {name: _by_count(counts) for name, counts in found.items()}
    if moved := sum(manifest["former_environments"] is not None for manifest in manifests):
        words["begun elsewhere"] = (
            f"{moved} of {len(manifests)} runs, on another machine or with other versions; their "
            "manifest.json says where"
        )
    return words


def _by_count(counts: Counter[Any]) -> object:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({n} run{'s' * (n > 1)})" for value, n in counts.most_common())


def _varied(results: RunSet[Any]) -> TextTable | None:
    """Return the settings that differ between arms; None if there are none."""
    shared, titles = shared_settings(results.folders), arm_titles(results)
    first = {results.arm_of(f): flatten(f.config.to_dict()) for f in reversed(results.folders)}
    names = dict.fromkeys(k for arm in results.arms for k in first[arm])
    rows = [
        [setting_title(name), *(_shown(first[arm].get(name)) for arm in results.arms)]
        for name in names
        if name not in shared and name not in ("seed", "arm")
    ]
    columns = ["setting", *(titles[arm] for arm in results.arms)]
    return TextTable("Differences between arms", columns, rows, "") if rows else None


def _shown(value: object) -> str:
    """Return a setting's value for display: a dash for None, numbers with four digits."""
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _yaml(values: dict[str, object]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)
