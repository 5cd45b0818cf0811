"""Settings of ``learnorder advise --along``: a search, and the setting that varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from learnorder.advise.settings import Candidate, LRSearch, takes
from learnorder.errors import ConfigError, did_you_mean
from learnorder.execution.grid import with_changes
from learnorder.runs import flatten, setting_words
from learnorder.statistics import FEWEST_SEEDS
from learnorder.values import check_fields, from_dict, to_dict

_OFF: dict[str, Any] = {
    "rungs": 1,
    "noise": 0.0,
    "range_test": False,
    "shorter_plateaus": (),
    "race": False,
}
"""What every learning rate at full length leaves no room for, and how it is turned off."""
_UNUSED = ("screening_seeds", "keep")
_SECTIONS = ("training.", "model.", "data.", "task.arguments.", "script.values.")
_MOST_VALUES = 20


@dataclass(frozen=True)
class AlongSettings:
    """The learning rates of a search, at each of several values of a setting.

    Attributes:
        search: The search; every learning rate is trained at full length. Its own value of the
            setting has no effect.
        setting: Dotted name of the setting that varies, e.g. training.epochs.
        values: Its values, in increasing order. The first may be 0, which is compared with the
            others but is not on a line in logarithms.
        predict: A larger value, for which the optimum is extrapolated; None for none.

    Raises:
        ConfigError: The setting is unknown, cannot vary, or is not taken by the script; the values
            are not increasing numbers, at least two of them above 0; or a setting of the search has
            no effect here.
    """

    search: LRSearch
    setting: str
    values: tuple[int | float, ...]
    predict: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        _check_values(self.setting, self.values)
        largest = self.values[-1]
        if self.predict is not None and not self.predict > largest:
            raise ConfigError("predict", self.predict, f"Give a value above {largest:g}.")
        if self.search.seeds < FEWEST_SEEDS:
            raise ConfigError(
                "seeds", self.search.seeds, f"Give at least {FEWEST_SEEDS}, better 5: the interval "
                "of an optimum comes from its spread over seeds.",
            )  # fmt: skip
        if len(self.search.rates()) < 3:
            raise ConfigError(
                "learning_rates", list(self.search.rates()), "Give at least three: an optimum lies "
                "between two others.",
            )  # fmt: skip
        for value in self.values:
            self.at(value)

    @staticmethod
    def of(
        search: LRSearch, along: Mapping[str, Sequence[int | float]], predict: float | None = None
    ) -> AlongSettings:
        """Return the settings for a search that is not adapted yet.

        Raises:
            ConfigError: As for the class, or there is not exactly one setting.
        """
        name, values = the_setting(along)
        check_unused(search)
        return AlongSettings(only_full(search), name, tuple(values), predict)

    def at(self, value: float) -> LRSearch:
        """Return the search at a value of the setting."""
        return with_value(self.search, self.setting, value)

    def arm(self, rate: float) -> Candidate:
        """Return the arm of a learning rate."""
        return Candidate(rate, self.search.plateau)


def the_setting(along: Mapping[str, Sequence[Any]]) -> tuple[str, Sequence[Any]]:
    """Return the only setting that varies, and its values.

    Raises:
        ConfigError: There is none, or several.
    """
    if len(along) != 1:
        raise ConfigError(
            "along", dict(along), "Give one setting with a list of values, e.g. "
            "{training.epochs: [10, 20, 40]}.",
        )  # fmt: skip
    ((name, values),) = along.items()
    _check_values(name, values)
    return name, values


def _check_values(name: str, values: Sequence[Any]) -> None:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numbers or not all(0 <= value < float("inf") for value in values):
        raise ConfigError(f"along.{name}", list(values), "Give numbers above 0, or 0.")
    if sum(value > 0 for value in values) < 2:
        raise ConfigError(f"along.{name}", list(values), "Give at least two numbers above 0.")
    if any(high <= low for low, high in pairwise(values)):
        raise ConfigError(f"along.{name}", list(values), "Give increasing numbers.")
    if len(values) > _MOST_VALUES:
        raise ConfigError(f"along.{name}", list(values), f"Give at most {_MOST_VALUES}.")
    if len({setting_words(value) for value in values}) < len(values):
        raise ConfigError(f"along.{name}", list(values), "Give values that differ as text.")


def with_value(search: LRSearch, name: str, value: float) -> LRSearch:
    """Return a search with another value of the setting that varies.

    Raises:
        ConfigError: The setting is unknown, cannot vary or has no effect, or the value is invalid.
    """
    _check_setting(search, name, value)
    try:
        return from_dict(LRSearch, with_changes(to_dict(search), {name: value}))
    except ConfigError as error:
        raise ConfigError(
            error.field, error.value, f"{error.remedy} (At {name} {setting_words(value)}.)"
        ) from None


def _check_setting(search: LRSearch, name: str, value: object) -> None:
    """Check that a setting can vary: it is one of the runs, and it is used."""
    field = f"along.{name}"
    if not name.startswith(_SECTIONS):
        known = [n for n in flatten(to_dict(search)) if n.startswith(_SECTIONS)]
        parts = (
            "The setting that varies is one of the runs: training.epochs, training.batch_size, "
            "model.arguments.NAME, task.arguments.NAME, script.values.NAME, or another of "
            "training., model. and data.",
            did_you_mean(name, known),
        )
        raise ConfigError(field, value, " ".join(filter(None, parts)))
    if name in ("training.learning_rate", "training.optimizer"):
        raise ConfigError(field, value, "It cannot vary along a line of numbers.")
    section, _, argument = name.rpartition(".")
    free = ("model.arguments", "task.arguments", "script.values")
    if section not in free and name not in flatten(to_dict(search)):
        known = [n for n in flatten(to_dict(search)) if n.startswith(_SECTIONS)]
        parts = ("There is no setting of this name.", did_you_mean(name, known))
        raise ConfigError(field, value, " ".join(filter(None, parts)))
    if section == "task.arguments" and search.task.path is None:
        raise ConfigError(
            field, value, "They are arguments of the function that --task names; there is none.",
        )  # fmt: skip
    if section == "script.values" and not search.is_script:
        raise ConfigError(field, value, "It is for a script: give --command or --function.")
    if name.startswith(("model.", "data.")) and not search.of_images:
        what = "task" if search.is_task else "script"
        own = "task.arguments" if search.is_task else "script.values"
        raise ConfigError(field, value, f"A {what} has its own data and model: vary {own}.NAME.")
    if search.script.command is not None or search.script.parameters is not None:
        if name == "training.epochs" and not takes(search, "epochs"):
            raise ConfigError(
                field, value, "The script does not take {epochs}, so all its runs have the same "
                "length. Add {epochs}.",
            )  # fmt: skip
        if section == "script.values" and not takes(search, argument):
            raise ConfigError(field, value, f"The script does not take {{{argument}}}. Add it.")


def check_unused(search: LRSearch) -> None:
    """Check that no setting is given that is for rungs or for other arms.

    Raises:
        ConfigError: There is one that is neither the default nor off.
    """
    defaults = {each.name: each.default for each in fields(LRSearch)}
    for name in (*_OFF, *_UNUSED):
        value = getattr(search, name)
        if value not in (defaults[name], _OFF.get(name, defaults[name])):
            raise ConfigError(
                name, to_dict(search)[name], "With --along every learning rate is trained at full "
                "length on the same seeds: there are no rungs, shorter plateaus, noise, range "
                "test or race. Leave it out.",
            )  # fmt: skip


def only_full(search: LRSearch) -> LRSearch:
    """Return a search of a single rung, without arms besides the learning rates.

    Settings that then have no effect get their defaults.
    """
    unused = {each.name: each.default for each in fields(LRSearch) if each.name in _UNUSED}
    return replace(search, **_OFF, **unused)
