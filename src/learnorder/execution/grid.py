"""Grids over named settings, and lists of them."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from learnorder.errors import ConfigError, did_you_mean
from learnorder.execution.driver import Plan
from learnorder.runs import flatten, setting_words
from learnorder.runs.folder import ConfigT
from learnorder.values import from_dict, to_dict

Built = TypeVar("Built")

_MOST_POINTS = 100_000
_LONGEST = 150
"""Bytes of a folder's name that tell its settings; file systems take 255 in all."""


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

    axes: Mapping[str, Sequence[object]]
    points: Sequence[Mapping[str, object]] = ()

    def settings(
        self, base: Mapping[str, Any], known: Any
    ) -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
        """Return every combination by its folder's name: settings in words, ``base`` with them.

        Args:
            base: A configuration as nested mappings.
            known: The defaults of all settings, as a configuration.

        Raises:
            ConfigError: A name that no setting has, or values that do not fit their names.
        """
        axes, unvaried = [_axis(joined, choices) for joined, choices in self.axes.items()], set()
        if self.points:
            listed = _listed(self.points, {**flatten(to_dict(known)), **flatten(base)})
            axes.append(listed)
            if len(listed) > 1:
                unvaried = {n for n in listed[0] if all(p[n] == listed[0][n] for p in listed)}
        named = [name for axis in axes for name in axis[0]]
        for name in named:
            _check_name(name, known)
        if twice := [name for name in named if named.count(name) > 1]:
            raise ConfigError(
                "grid",
                twice[0],
                "It is varied twice. Name it in --grid or in --points; --grid '{}' leaves out a "
                "file's.",
            )
        if (points := math.prod(map(len, axes))) > _MOST_POINTS:
            raise ConfigError("grid", f"{points:,} points", f"Give at most {_MOST_POINTS:,}.")
        found = dict[str, tuple[dict[str, str], dict[str, Any]]]()
        for combination in itertools.product(*axes):
            chosen: dict[str, Any] = {}
            for point in combination:
                chosen |= point
            words = {n: setting_words(v) for n, v in chosen.items() if n not in unvaried}
            name = folder_name(words)
            if name in found:
                alike = found[name][0] == words
                shown = ", ".join(f"{n} {value}" for n, value in words.items())
                raise ConfigError("grid", shown, "It stands twice in the grid." if alike
                                  else "Another point would have the same folder.")  # fmt: skip
            found[name] = (words, _changed(base, chosen))
        return found


def grid_plans(
    base: Mapping[str, Any],
    grid: Grid,
    seeds: Sequence[int],
    labels: Mapping[str, str],
    kind: type[ConfigT],
) -> dict[str, Plan[ConfigT]]:
    """Plan every combination of the grid's values with every seed.

    Args:
        base: The configuration that the grid varies, as its ``to_dict`` gives it; it need
            not be valid before the grid's values are in.
        grid: What is varied.
        seeds: The seeds, the slowest to vary, so that partial results are paired.
        labels: Labels of every run.
        kind: What the configuration is of.

    Returns:
        Plans by folder name, e.g. "learning_rate.initial=0.1-seed0".

    Raises:
        ConfigError: A name that no setting has, or a value it does not take.
    """
    settings = grid.settings(base, kind())
    return {
        "-".join(filter(None, [name, f"seed{seed}"])): Plan(
            built_at(kind, {**values, "seed": seed}, words), {**labels, **words}
        )
        for seed in seeds
        for name, (words, values) in settings.items()
    }


def built_at(kind: type[Built], values: Mapping[str, Any], words: Mapping[str, str]) -> Built:
    """Build what a point of a grid asks for, or say at which it cannot be built.

    Args:
        kind: What is built.
        values: Its settings.
        words: The point's settings in words.

    Raises:
        ConfigError: A value that a setting does not take.
    """
    try:
        return from_dict(kind, values)
    except ConfigError as error:
        if not words:
            raise
        at = ", ".join(f"{name} {value}" for name, value in words.items())
        raise ConfigError(
            error.field, error.value, f"{error.remedy} (At the point {at}.)"
        ) from None


def folder_name(words: Mapping[str, str]) -> str:
    """Return a folder's name for some settings; a long one is cut, and ends with a digest.

    >>> folder_name({"patch.contrast": "0.3", "seeds": "2"})
    'patch.contrast=0.3-seeds=2'
    """
    settings = "-".join(f"{name}={value}" for name, value in words.items())
    settings = settings.replace("/", "_").replace(" ", "")
    encoded = settings.encode(errors="surrogatepass")
    if len(encoded) > _LONGEST:
        digest = hashlib.blake2b(encoded, digest_size=4).hexdigest()
        settings = f"{encoded[:_LONGEST].decode(errors='ignore')}…{digest}"
    return settings


def _axis(names: str, choices: Sequence[Any]) -> list[dict[str, Any]]:
    """Return one axis of the grid as points, each a value for every one of its names."""
    joined = names.split(",")
    if not choices:
        raise ConfigError("grid", names, "Give at least one value.")
    if len(joined) == 1:
        return [{names: value} for value in choices]
    for choice in choices:
        if not isinstance(choice, list | tuple) or len(choice) != len(joined):
            raise ConfigError("grid", choice, f"Give {len(joined)} values, one each for {names}.")
    return [dict(zip(joined, choice, strict=True)) for choice in choices]


def _listed(
    points: Sequence[Mapping[str, object]], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return listed points, each with a value for every name that any of them has."""
    names = list(dict.fromkeys(name for point in points for name in point))
    for point in points:
        if lacking := [name for name in names if name not in point and name not in values]:
            raise ConfigError(
                "points", dict(point), f"{lacking[0]} has no default: name it in every point."
            )
    return [{name: point.get(name, values.get(name)) for name in names} for point in points]


def _check_name(name: str, known: Any) -> None:
    """Refuse a name that no setting has, or that another option gives.

    Args:
        name: Dotted.
        known: A configuration; what lies below a mapping of it, as arguments, can be anything.
    """
    if name in ("seed", "seeds", "first_seed"):
        raise ConfigError("grid", name, "Seeds are given with --seeds and --first_seed.")
    if name in ("arm", "arms"):
        raise ConfigError("grid", name, "Arms are given with --arms.")
    names, place = flatten(to_dict(known)), known
    for part in name.split("."):
        place = getattr(place, part, None)
        if isinstance(place, Mapping):
            return
    if name not in names:
        parts = ("No setting of this name.", did_you_mean(name, names))
        remedy = " ".join([*filter(None, parts), "--print_config of the command shows all."])
        raise ConfigError("grid", name, remedy)


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested ``values`` with the dotted ``changes`` made."""
    changed = dict(values)
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        changed[head] = _changed(changed.get(head, {}), {rest: value}) if rest else value
    return changed
