"""What papers' claims measure of several arms: over a setting such as the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from learnorder.reproduce.evidence import Evidence, Need
from learnorder.reproduce.papers.measures import Epochs, Quantity, values_of, when
from learnorder.statistics import REAL, Range, slope


@dataclass(frozen=True)
class Grid:
    """Arms over a setting such as the learning rate, with a quantity of each.

    Attributes:
        experiment: The experiment.
        title: The arms in words, e.g. "cross-entropy, width 256".
        arms: The arms by their value of the setting.
        quantity: What is measured at each.
        epochs: The epochs of a mean; None: the value after the last epoch.
    """

    experiment: str
    title: str
    arms: Mapping[float, str]
    quantity: Quantity
    epochs: Epochs | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms."""
        return tuple((self.experiment, arm) for arm in self.arms.values())

    def by_seed(self, evidence: Evidence) -> dict[int, dict[float, float]]:
        """Return the values by seed and setting; runs without a result are absent."""
        table: dict[int, dict[float, float]] = {}
        for setting, arm in self.arms.items():
            results = evidence.networks(self.experiment, arm)
            if results is None:
                return {}
            for run in results.runs_of(arm):
                table.setdefault(run.config.seed, {})
            for seed, value in values_of(results, arm, self.quantity, self.epochs).items():
                table[seed][setting] = value
        return table

    def literal(self) -> str:
        """Return what is measured, for a template in which "%s" stands for the arms."""
        words = self.quantity.words
        words = f"final {words}" if self.epochs is None else f"{words} {when(self.epochs)}"
        return words.replace("%", "%%")


@dataclass(frozen=True)
class _OfGrid:
    grid: Grid

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of the grid."""
        return self.grid.needs

    @property
    def experiment(self) -> str:
        """The experiment."""
        return self.grid.experiment

    @property
    def arm_words(self) -> str:
        """The arms in words."""
        return self.grid.title

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.grid.experiment}"


@dataclass(frozen=True)
class Trend(_OfGrid):
    """The slope of the quantity over log10 of the setting, by least squares, for each seed.

    Seeds with a run without a result are left out.
    """

    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"change of {self.grid.literal()} per factor of 10 in the setting of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the slopes."""
        settings = self.grid.arms.keys()
        return {
            seed: slope([(math.log10(x), y) for x, y in values.items()])
            for seed, values in self.grid.by_seed(evidence).items()
            if values.keys() == settings
        }


@dataclass(frozen=True)
class Best(_OfGrid):
    """log10 of the setting at which the quantity is best, for each seed.

    Runs without a result are worse than all others. A seed without any result is left out.

    Attributes:
        higher_is_better: Whether higher values of the quantity are better.
    """

    higher_is_better: bool = True
    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"log10 of the setting with the best {self.grid.literal()} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms; of equally good settings the smallest counts."""
        sign = 1 if self.higher_is_better else -1
        return {
            seed: math.log10(max(sorted(values), key=lambda x, v=values: sign * v[x]))
            for seed, values in self.grid.by_seed(evidence).items()
            if values
        }


@dataclass(frozen=True)
class LargestTrained(_OfGrid):
    """log10 of the largest setting that trains, for each seed: the quantity is at least a level.

    Diverged runs do not train. A seed on which no setting does is left out.

    Attributes:
        level: The level.
    """

    level: float = 0.0
    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        unit = self.grid.quantity.level_unit
        least = f"{unit.scale * self.level:g} {unit.name}".rstrip().replace("%", "%%")
        q = self.grid.literal()
        return f"log10 of the largest setting with {q} of at least {least} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms."""
        reached = {
            seed: [x for x, value in values.items() if value >= self.level]
            for seed, values in self.grid.by_seed(evidence).items()
        }
        return {seed: math.log10(max(settings)) for seed, settings in reached.items() if settings}


@dataclass(frozen=True)
class Spread(_OfGrid):
    """The largest minus the smallest value of the quantity over the arms, for each seed.

    Seeds with a run without a result are left out.
    """

    @property
    def within(self) -> Range:
        """The range of possible values: not negative."""
        return Range(0.0, self.grid.quantity.within.difference().high)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"largest minus smallest {self.grid.literal()} over %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the differences."""
        settings = self.grid.arms.keys()
        return {
            seed: max(values.values()) - min(values.values())
            for seed, values in self.grid.by_seed(evidence).items()
            if values.keys() == settings
        }


@dataclass(frozen=True)
class Exponent:
    """The exponent with which a setting grows with the width, for each seed.

    The slope, by least squares, of log10 of the best or the largest setting over log10 of the
    width. Seeds without a value at one of the widths are left out.

    Attributes:
        title: The arms in words, e.g. "cross-entropy".
        by_width: log10 of the setting, by width.
    """

    title: str
    by_width: Mapping[int, Best | LargestTrained]
    within: Range = REAL

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms at all widths."""
        return tuple(need for part in self.by_width.values() for need in part.needs)

    @property
    def _first(self) -> Best | LargestTrained:
        return next(iter(self.by_width.values()))

    @property
    def experiment(self) -> str:
        """The experiment."""
        return self._first.experiment

    @property
    def arm_words(self) -> str:
        """The arms in words."""
        return self.title

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return self._first.place()

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"slope over log10 of the width of the {self._first.what()}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the exponents."""
        values = {math.log10(w): part.by_seed(evidence) for w, part in self.by_width.items()}
        seeds = set.intersection(*({*each} for each in values.values()))
        return {
            seed: slope([(x, each[seed]) for x, each in values.items()]) for seed in sorted(seeds)
        }
