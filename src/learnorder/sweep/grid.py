"""Grids over named settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from learnorder.config import RunConfig
from learnorder.errors import ConfigError, did_you_mean
from learnorder.runs import flatten, setting_words
from learnorder.sweep.driver import Plan
from learnorder.theory.config import TheoryConfig


def grid_plans(
    base: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    seeds: Sequence[int],
    labels: Mapping[str, str],
    kind: type[RunConfig] | type[TheoryConfig] = RunConfig,
    *,
    name_all: bool = False,
) -> dict[str, Plan]:
    """Plan every combination of the grid's values with every seed.

    Args:
        base: The configuration that the grid varies, as its ``to_dict`` gives it; it need
            not be valid before the grid's values are in.
        grid: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together, e.g. {"learning_rate.initial,learning_rate.step_factor":
            [[0.1, 0.2], [0.4, 0.05]]}.
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
    known = flatten(kind().to_dict())
    axes = [_axis(names, choices, known) for names, choices in grid.items()]
    varied = {name for axis in axes if name_all or len(axis) > 1 for name in axis[0]}
    plans = {}
    for seed, combination in itertools.product(seeds, list(itertools.product(*axes))):
        chosen: dict[str, Any] = {}
        for point in combination:
            chosen |= point
        config = kind.from_dict(_changed(base, {**chosen, "seed": seed}))
        settings = {name: setting_words(value) for name, value in chosen.items() if name in varied}
        parts = [*(f"{name}={value}" for name, value in settings.items()), f"seed{seed}"]
        folder = "-".join(parts).replace("/", "_").replace(" ", "")
        if folder in plans:
            raise ConfigError("grid", settings, "It stands twice in the grid.")
        plans[folder] = Plan(config, {**labels, **settings})
    return plans


def _axis(names: str, choices: Sequence[Any], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one axis of the grid as points, each a value for every one of its names."""
    joined = names.split(",")
    if "seed" in joined:
        raise ConfigError("grid", names, "Seeds are given with --seeds and --first_seed.")
    if "arm" in joined:
        raise ConfigError("grid", names, "Arms are given with --arms.")
    for name in joined:
        if name not in known and not name.startswith("model.arguments."):
            raise ConfigError("grid", name, _unknown(name, known))
    if not choices:
        raise ConfigError("grid", names, "Give at least one value.")
    if len(joined) == 1:
        return [{names: value} for value in choices]
    for choice in choices:
        if not isinstance(choice, list | tuple) or len(choice) != len(joined):
            raise ConfigError("grid", choice, f"Give {len(joined)} values, one each for {names}.")
    return [dict(zip(joined, choice, strict=True)) for choice in choices]


def _unknown(name: str, known: Iterable[str]) -> str:
    """Return what to do about a name that no setting has."""
    parts = ("No setting of this name.", did_you_mean(name, known))
    return " ".join([*filter(None, parts), "--print_config of the verb shows all."])


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested ``values`` with the dotted ``changes`` made."""
    changed = dict(values)
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        changed[head] = _changed(changed.get(head, {}), {rest: value}) if rest else value
    return changed
