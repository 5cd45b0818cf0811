"""Grids over named settings, and lists of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from learnorder.config import from_dict, to_dict
from learnorder.errors import ConfigError, did_you_mean
from learnorder.runs import flatten, setting_words
from learnorder.sweep.driver import Plan

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class Grid:
    """Which values of which settings are tried: all combinations, those of a list, or both.

    Attributes:
        axes: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together, e.g. {"learning_rate.initial,learning_rate.step_factor":
            [[0.1, 0.2], [0.4, 0.05]]}.
        points: A list of settings by dotted name, each tried with every combination of the axes; a
            setting that one of them leaves out is the base's there.
    """

    axes: Mapping[str, Sequence[Any]]
    points: Sequence[Mapping[str, Any]] = ()

    def settings(
        self, base: Mapping[str, Any], known: Mapping[str, Any], *, name_all: bool = False
    ) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Return every combination: its settings in words, and ``base`` with them.

        Args:
            base: A configuration as nested mappings.
            known: The defaults of all settings, as nested mappings.
            name_all: Put settings with one value only into words too.

        Raises:
            ConfigError: A name that no setting has, or values that do not fit their names.
        """
        names = flatten(known)
        axes = [_axis(joined, choices, names) for joined, choices in self.axes.items()]
        if self.points:
            axes.append(_listed(self.points, {**names, **flatten(base)}))
        named = [name for axis in axes for name in axis[0]]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ConfigError("grid", twice[0], "It is varied twice.")
        varied = {
            name
            for axis in axes
            for name in axis[0]
            if name_all or any(point[name] != axis[0][name] for point in axis)
        }
        found, seen = list[tuple[dict[str, str], dict[str, Any]]](), list[dict[str, str]]()
        for combination in itertools.product(*axes):
            chosen: dict[str, Any] = {}
            for point in combination:
                chosen |= point
            words = {n: setting_words(value) for n, value in chosen.items() if n in varied}
            if words in seen:
                raise ConfigError("grid", words, "It stands twice in the grid.")
            seen.append(words)
            found.append((words, _changed(base, chosen)))
        return found


def grid_plans(
    base: Mapping[str, Any],
    grid: Grid,
    seeds: Sequence[int],
    labels: Mapping[str, str],
    kind: type[Any],
    *,
    name_all: bool = False,
) -> dict[str, Plan]:
    """Plan every combination of the grid's values with every seed.

    Args:
        base: The configuration that the grid varies, as its ``to_dict`` gives it; it need
            not be valid before the grid's values are in.
        grid: What is varied.
        seeds: The seeds, the slowest to vary, so that partial results are paired.
        labels: Labels of every run.
        kind: What the configuration is of.
        name_all: Name settings with one value too.

    Returns:
        Plans by folder name, e.g. "learning_rate.initial=0.1-seed0"; settings with one value only
        are in the configuration and, unless asked for, not in the name.

    Raises:
        ConfigError: A name that no setting has, or a value it does not take.
    """
    settings = grid.settings(base, to_dict(kind()), name_all=name_all)
    return {
        folder_name(words, f"seed{seed}"): Plan(
            from_dict(kind, {**values, "seed": seed}), {**labels, **words}
        )
        for seed in seeds
        for words, values in settings
    }


def folder_name(words: Mapping[str, str], *more: str) -> str:
    """Return a folder's name for some settings.

    >>> folder_name({"patch.contrast": "0.3"}, "seed0")
    'patch.contrast=0.3-seed0'
    """
    parts = [*(f"{name}={value}" for name, value in words.items()), *more]
    return "-".join(parts).replace("/", "_").replace(" ", "")


def _axis(names: str, choices: Sequence[Any], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one axis of the grid as points, each a value for every one of its names."""
    joined = names.split(",")
    for name in joined:
        _check_name(name, known)
    if not choices:
        raise ConfigError("grid", names, "Give at least one value.")
    if len(joined) == 1:
        return [{names: value} for value in choices]
    for choice in choices:
        if not isinstance(choice, list | tuple) or len(choice) != len(joined):
            raise ConfigError("grid", choice, f"Give {len(joined)} values, one each for {names}.")
    return [dict(zip(joined, choice, strict=True)) for choice in choices]


def _listed(points: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return listed points, each with a value for every name that any of them has."""
    names = list(dict.fromkeys(name for point in points for name in point))
    for name in names:
        _check_name(name, values)
    for point in points:
        if lacking := [name for name in names if name not in point and name not in values]:
            raise ConfigError(
                "points", dict(point), f"{lacking[0]} has no default: name it in every point."
            )
    return [{name: point.get(name, values.get(name)) for name in names} for point in points]


def _check_name(name: str, known: Mapping[str, Any]) -> None:
    """Refuse a name that no setting has, or that another option gives."""
    if name in ("seed", "seeds", "first_seed"):
        raise ConfigError("grid", name, "Seeds are given with --seeds and --first_seed.")
    if name in ("arm", "arms"):
        raise ConfigError("grid", name, "Arms are given with --arms.")
    open_ended = any(value == {} and name.startswith(f"{key}.") for key, value in known.items())
    if name not in known and not open_ended:
        parts = ("No setting of this name.", did_you_mean(name, known))
        remedy = " ".join([*filter(None, parts), "--print_config of the verb shows all."])
        raise ConfigError("grid", name, remedy)


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested ``values`` with the dotted ``changes`` made."""
    changed = dict(values)
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        changed[head] = _changed(changed.get(head, {}), {rest: value}) if rest else value
    return changed
