"""Grids and lists of settings."""

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
"""Maximum bytes for the settings in a folder's name; file systems allow 255 for a name."""


@dataclass(frozen=True)
class Grid:
    """The values of the settings to try: all combinations, those of a list, or both.

    Attributes:
        axes: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together, e.g. {"learning_rate.initial,learning_rate.step_factor":
            [[0.1, 0.2], [0.4, 0.05]]}.
        points: A list of settings by dotted name, each tried with every combination of the axes. A
            setting that a point leaves out keeps the value of the base configuration.
    """

    axes: Mapping[str, Sequence[object]]
    points: Sequence[Mapping[str, object]] = ()

    def settings(
        self, base: Mapping[str, Any], known: Any
    ) -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
        """Return every combination by folder name: its settings as text, and ``base`` with them.

        Args:
            base: A configuration as nested mappings.
            known: The defaults of all settings, as a configuration.

        Raises:
            ConfigError: A setting is unknown or varied twice, the number of values does not match
                the names, or there are too many or duplicate points.
        """
        axes, constant = [_axis(joined, choices) for joined, choices in self.axes.items()], set()
        if self.points:
            listed = _listed(self.points, {**flatten(to_dict(known)), **flatten(base)})
            axes.append(listed)
            if len(listed) > 1:
                constant = {n for n in listed[0] if all(p[n] == listed[0][n] for p in listed)}
        named = [name for axis in axes for name in axis[0]]
        for name in named:
            _check_name(name, known)
        if twice := [name for name in named if named.count(name) > 1]:
            raise ConfigError(
                "grid",
                twice[0],
                "It is varied twice. Name it in --grid or in --points; --grid '{}' overrides the "
                "grid of a file.",
            )
        if (points := math.prod(map(len, axes))) > _MOST_POINTS:
            raise ConfigError("grid", f"{points:,} points", f"Give at most {_MOST_POINTS:,}.")
        by_name = dict[str, tuple[dict[str, str], dict[str, Any]]]()
        for combination in itertools.product(*axes):
            point: dict[str, Any] = {}
            for part in combination:
                point |= part
            words = {n: setting_words(v) for n, v in point.items() if n not in constant}
            name = folder_name(words)
            if name in by_name:
                same = by_name[name][0] == words
                shown = ", ".join(f"{n} {value}" for n, value in words.items())
                raise ConfigError("grid", shown, "It appears twice in the grid." if same
                                  else "Another point would have the same folder.")  # fmt: skip
            by_name[name] = (words, with_changes(base, point))
        return by_name


def grid_plans(
    base: Mapping[str, Any],
    grid: Grid,
    seeds: Sequence[int],
    labels: Mapping[str, str],
    kind: type[ConfigT],
) -> dict[str, Plan[ConfigT]]:
    """Plan every combination of the grid's values with every seed.

    Args:
        base: The configuration that the grid varies, as returned by its ``to_dict``; it may be
            invalid without the grid's values.
        grid: The grid.
        seeds: The seeds; they vary slowest, so that partial results are paired.
        labels: Labels of every run.
        kind: Class of the configuration.

    Returns:
        Plans by folder name, e.g. "learning_rate.initial=0.1-seed0".

    Raises:
        ConfigError: As for :meth:`Grid.settings`, or a value is invalid.
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
    """Build the configuration of a grid's point; an error names the point.

    Args:
        kind: Class of the configuration.
        values: Its settings.
        words: The point's settings as text.

    Raises:
        ConfigError: A value is invalid.
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
    """Return a folder name for some settings; a long one is truncated and ends with a digest.

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
    """Return one axis of the grid as points, each with a value for every name of the axis."""
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
    """Return listed points, each completed with the other points' names."""
    names = list(dict.fromkeys(name for point in points for name in point))
    for point in points:
        if missing := [name for name in names if name not in point and name not in values]:
            raise ConfigError(
                "points", dict(point), f"{missing[0]} has no default: name it in every point."
            )
    return [{name: point.get(name, values.get(name)) for name in names} for point in points]


def _check_name(name: str, known: Any) -> None:
    """Refuse an unknown setting, or one that another option sets.

    Args:
        name: Dotted name.
        known: A configuration; names below a mapping in it, such as arguments, are free.
    """
    if name in ("seed", "seeds", "first_seed"):
        raise ConfigError("grid", name, "Give seeds with --seeds and --first_seed.")
    if name in ("arm", "arms"):
        raise ConfigError("grid", name, "Give arms with --arms.")
    names, place = flatten(to_dict(known)), known
    for part in name.split("."):
        place = getattr(place, part, None)
        if isinstance(place, Mapping):
            return
    if name not in names:
        parts = ("No setting of this name.", did_you_mean(name, names))
        remedy = " ".join([*filter(None, parts), "--print_config shows all settings."])
        raise ConfigError("grid", name, remedy)


def with_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested ``values`` updated with dotted ``changes``."""
    changed = dict(values)
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        changed[head] = with_changes(changed.get(head, {}), {rest: value}) if rest else value
    return changed
