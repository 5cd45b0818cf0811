"""Settings of ``learnorder advise --jointly``: a search, a second setting, and its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.settings import LRSearch
from learnorder.errors import ConfigError
from learnorder.runs import flatten, setting_words
from learnorder.values import check_fields, to_dict

FEWEST_RATES = 4
"""Fewest learning rates: three are trained at each value, and the optimum moves."""


@dataclass(frozen=True)
class JointSettings:
    """A search for the best pair of a learning rate and another setting.

    Attributes:
        along: The search, the second setting and its values.
        baseline: The value that is compared with the best pair; all learning rates are trained at
            it.

    Raises:
        ConfigError: The baseline is not one of the values, or there are too few learning rates.
    """

    along: AlongSettings
    baseline: int | float

    def __post_init__(self) -> None:
        check_fields(self)
        if self.baseline not in self.along.values:
            shown = ", ".join(map(setting_words, self.along.values))
            raise ConfigError("baseline", self.baseline, f"Give one of the values, {shown}.")
        rates = self.along.search.rates()
        if len(rates) < FEWEST_RATES:
            raise ConfigError(
                "learning_rates", list(rates), f"Give at least {FEWEST_RATES}, which reach from "
                "below the smallest to above the largest optimum: three around the optimum are "
                "trained at each value.",
            )  # fmt: skip

    @property
    def setting(self) -> str:
        """Dotted name of the second setting."""
        return self.along.setting

    @property
    def search_seeds(self) -> range:
        """The seeds on which pairs are searched."""
        return self.along.search.rung_seeds(0)

    @property
    def new_seeds(self) -> range:
        """As many others, on which the best pair is judged."""
        stop = self.search_seeds.stop
        return range(stop, stop + len(self.search_seeds))

    @staticmethod
    def of(
        search: LRSearch,
        along: Mapping[str, Sequence[int | float]],
        baseline: float | None = None,
        own: object = None,
    ) -> JointSettings:
        """Return the settings for a search that is not adapted yet.

        Args:
            search: The search.
            along: The second setting, with its values.
            baseline: The value to compare with; None takes ``own`` if it is one of the values, else
                the middle one of those above 0.
            own: The value of the second setting in the user's settings; None if there is none.

        Raises:
            ConfigError: As for the classes.
        """
        settings = AlongSettings.of(search, along)
        if baseline is None:
            positive = [value for value in settings.values if value > 0]
            middle = positive[(len(positive) - 1) // 2]
            baseline = next((value for value in settings.values if value == own), middle)
        return JointSettings(settings, baseline)


def own_of(search: LRSearch, along: Mapping[str, Any]) -> object:
    """Return the search's own value of the setting that varies; None if it has none."""
    return flatten(to_dict(search)).get(next(iter(along), ""))
